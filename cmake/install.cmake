# What a package holds: the program, one library with one header, man page and completion.

# The library is the folders up to fetch/, as one shared object that exports the public header only.
add_library(fetchfs_shared SHARED ${PROJECT_SOURCE_DIR}/cmake/empty.c)
set_target_properties(fetchfs_shared PROPERTIES OUTPUT_NAME fetchfs VERSION ${PROJECT_VERSION}
	SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(fetchfs_shared PRIVATE
	-Wl,--whole-archive fetchfs_fetch -Wl,--no-whole-archive
	-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/fetchfs.map)

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

# Relative, so that --prefix and DESTDIR may be decided at install time.
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
configure_file(cmake/fetchfs.pc.in fetchfs.pc @ONLY)

install(TARGETS fetchfs RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS fetchfs_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_BINARY_DIR}/include/fetchfs.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/fetchfs.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES docs/fetchfs.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/fetchfs.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES docs/mesos-fetcher.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES cli/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
	RENAME fetchfs)
install(FILES cli/completion.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
	RENAME _fetchfs)
install(FILES cli/completion.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
	RENAME fetchfs.fish)

# What depends on the prefix is made when that is known. mount(8) looks for helpers in /sbin, which is
# where they come to with the prefix /usr; systemd looks below /usr and /usr/local.
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
	configure_file(\"${PROJECT_SOURCE_DIR}/cmake/fetchfs@.service.in\" \"\${unit}\" @ONLY)")
