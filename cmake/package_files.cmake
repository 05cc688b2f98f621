# Run by CPack on what it has installed, before that is packed: as Debian wants it.

set(root "${CPACK_TEMPORARY_INSTALL_DIRECTORY}")

file(GLOB_RECURSE pages "${root}/*.[1-9]")
list(FILTER pages INCLUDE REGEX "/man/man[1-9]/")
if(pages)
	execute_process(COMMAND gzip -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)
endif()

# Programs and shared libraries are stripped by CPack itself.
file(GLOB_RECURSE archives "${root}/*.a")
foreach(archive ${archives})
	execute_process(COMMAND strip --strip-debug --enable-deterministic-archives ${archive}
		COMMAND_ERROR_IS_FATAL ANY)
endforeach()
