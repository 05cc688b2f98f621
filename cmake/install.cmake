# What is installed: the program, one library with one header, man pages, completion, documents. Each is
# of a component, which is a package (package.cmake). Modes are said here: those of the sources are of who
# has checked them out. (Folders that are made on the way follow the umask of who installs.)
set(for_all_to_read OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(for_all_to_run ${for_all_to_read} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)

# The library is the folders up to fetch/, as one shared object that exports the public header only.
set(library_folders fetchfs_base fetchfs_backends fetchfs_cache fetchfs_fetch)
add_library(fetchfs_shared SHARED ${PROJECT_SOURCE_DIR}/cmake/empty.c)
set_target_properties(fetchfs_shared PROPERTIES OUTPUT_NAME fetchfs VERSION ${PROJECT_VERSION}
	SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(fetchfs_shared PRIVATE
	-Wl,--whole-archive fetchfs_fetch -Wl,--no-whole-archive
	-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/fetchfs.map)

# The same as an archive of one object: its names are no others either, and meet none of who links it.
foreach(folder ${library_folders})
	list(APPEND library_objects $<TARGET_OBJECTS:${folder}>)
endforeach()
add_custom_command(OUTPUT libfetchfs.a
	COMMAND ${CMAKE_LINKER} -r -o libfetchfs.o ${library_objects}
	COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=fetchfs_* --keep-global-symbol=err_*
		libfetchfs.o
	COMMAND ${CMAKE_COMMAND} -E rm -f libfetchfs.a
	COMMAND ${CMAKE_AR} rcs libfetchfs.a libfetchfs.o
	DEPENDS ${library_folders}
	COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(fetchfs_static ALL DEPENDS libfetchfs.a)

# One self-contained public header: our own take the places of their includes.
set(public_headers fetch/fetchfs.h base/err.h fetch/fetchfs_cache.h fetch/fetchfs_config.h
	fetch/fetchfs_export.h fetch/fetchfs_sandbox.h)
file(READ ${PROJECT_SOURCE_DIR}/fetch/fetchfs.h fetchfs_h)
foreach(header ${public_headers})
	file(READ ${PROJECT_SOURCE_DIR}/${header} part)
	string(REPLACE "#include \"fetch/fetchfs.h\"\n" "" part "${part}")
	string(REPLACE "#include \"${header}\"\n" "${part}" fetchfs_h "${fetchfs_h}")
endforeach()
file(WRITE ${PROJECT_BINARY_DIR}/include/fetchfs.h "${fetchfs_h}")
list(TRANSFORM public_headers PREPEND ${PROJECT_SOURCE_DIR}/)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${public_headers})

# What the archive needs besides: no Requires.private, since who links the shared library needs none of it.
# The prefix is relative, so that --prefix and DESTDIR may be decided at install time.
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
foreach(prefix NETTLE SQLITE XXHASH JANSSON EXPAT SECCOMP)
	list(TRANSFORM ${prefix}_LIBRARIES PREPEND -l OUTPUT_VARIABLE pc_libraries)
	list(APPEND pc_private ${pc_libraries})
endforeach()
list(REMOVE_DUPLICATES pc_private)
list(JOIN pc_private " " pc_private)
configure_file(cmake/fetchfs.pc.in fetchfs.pc @ONLY)

# ---- the program: component "program" ----

install(TARGETS fetchfs RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(FILES docs/fetchfs.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES docs/fetchfs.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT program)
install(FILES docs/mesos-fetcher.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT program)
install(FILES cli/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
	COMPONENT program RENAME fetchfs)
install(FILES cli/completion.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
	COMPONENT program RENAME _fetchfs)
install(FILES cli/completion.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
	COMPONENT program RENAME fetchfs.fish)

# What depends on the prefix is made when that is known. mount(8) looks for helpers in /sbin, which is
# where they come to with the prefix /usr; systemd looks below /usr and /usr/local.
list(JOIN for_all_to_read " " unit_mode)
install(CODE "
	get_filename_component(prefix \"\${CMAKE_INSTALL_PREFIX}\" ABSOLUTE)
	set(root \"\$ENV{DESTDIR}\${prefix}\")
	set(program \"\${prefix}/${CMAKE_INSTALL_BINDIR}/fetchfs\")
	foreach(helper mount.fetchfs mount.fuse.fetchfs)
		set(link \"\${root}/${CMAKE_INSTALL_SBINDIR}/\${helper}\")
		message(STATUS \"Installing: \${link}\")
		file(MAKE_DIRECTORY \"\${root}/${CMAKE_INSTALL_SBINDIR}\")
		file(CREATE_LINK ../${CMAKE_INSTALL_BINDIR}/fetchfs \"\${link}\" SYMBOLIC)
	endforeach()
	set(link \"\${root}/${CMAKE_INSTALL_LIBEXECDIR}/mesos/mesos-fetcher\")
	message(STATUS \"Installing: \${link}\")
	file(MAKE_DIRECTORY \"\${root}/${CMAKE_INSTALL_LIBEXECDIR}/mesos\")
	file(RELATIVE_PATH target \"\${prefix}/${CMAKE_INSTALL_LIBEXECDIR}/mesos\" \"\${program}\")
	file(CREATE_LINK \"\${target}\" \"\${link}\" SYMBOLIC)
	set(unit \"\${root}/lib/systemd/system/fetchfs@.service\")
	message(STATUS \"Installing: \${unit}\")
	configure_file(\"${PROJECT_SOURCE_DIR}/cmake/fetchfs@.service.in\" \"\${unit}\" @ONLY
		FILE_PERMISSIONS ${unit_mode})"
	COMPONENT program)

# ---- for programs of others: "library", and what they are made with: "development" ----

install(TARGETS fetchfs_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
	COMPONENT library NAMELINK_COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/libfetchfs.a DESTINATION ${CMAKE_INSTALL_LIBDIR}
	COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/include/fetchfs.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/fetchfs.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
	COMPONENT development)

# ---- to be read: "documentation", with links that lead where they do here ----

install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation
	FILE_PERMISSIONS ${for_all_to_read} DIRECTORY_PERMISSIONS ${for_all_to_run}
	PATTERN "*.sh" PERMISSIONS ${for_all_to_run})
