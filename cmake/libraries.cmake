# Foreign libraries, by their Debian 12 names; and the helper that makes a folder a library.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle>=3.8)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl>=3.0)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.87)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.38)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(XML REQUIRED IMPORTED_TARGET libxml-2.0>=2.9)
pkg_check_modules(EXPAT REQUIRED IMPORTED_TARGET expat>=2.5)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive>=3.6)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp>=2.5)
pkg_check_modules(FUSE REQUIRED IMPORTED_TARGET fuse3>=3.14)

# fetchfs_folder(NAME PUBLIC targets… PRIVATE targets…): every .c file of the current folder.
# Includes are written "folder/file.h" from the root of the source.
function(fetchfs_folder name)
	cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
	file(GLOB sources CONFIGURE_DEPENDS *.c)
	add_library(fetchfs_${name} STATIC ${sources})
	target_include_directories(fetchfs_${name} PUBLIC ${PROJECT_SOURCE_DIR})
	target_link_libraries(fetchfs_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
endfunction()

# fetchfs_loads(NAME PREFIXES…): the folder uses foreign libraries that are loaded when they are
# needed (base/library.h), by the names that the linker would have noted: FETCHFS_LIB….
function(fetchfs_loads name)
	foreach(prefix ${ARGN})
		list(GET ${prefix}_LINK_LIBRARIES 0 file)
		execute_process(COMMAND ${CMAKE_READELF} -d ${file} OUTPUT_VARIABLE dynamic
			COMMAND_ERROR_IS_FATAL ANY)
		if(NOT dynamic MATCHES "\\(SONAME\\)[^[]*\\[([^]]+)\\]")
			message(FATAL_ERROR "${file} has no SONAME")
		endif()
		target_compile_definitions(fetchfs_${name} PRIVATE
			FETCHFS_LIB${prefix}="${CMAKE_MATCH_1}")
		set_property(GLOBAL APPEND PROPERTY FETCHFS_LOADED "${CMAKE_MATCH_1}")
		target_include_directories(fetchfs_${name} SYSTEM PRIVATE ${${prefix}_INCLUDE_DIRS})
	endforeach()
	target_link_libraries(fetchfs_${name} PRIVATE ${CMAKE_DL_LIBS})
endfunction()
