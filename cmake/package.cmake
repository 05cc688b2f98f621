# Packages for Debian, by `cpack -G DEB` (scripts/package): each component of install.cmake is one.

set(FETCHFS_MAINTAINER "fetchfs maintainers <root@localhost>" CACHE STRING
	"who answers for the packages: Name <address>")

# The libraries that are loaded when they are needed (fetchfs_loads()) are seen by no dpkg-shlibdeps:
# ret becomes the packages that they are of, which other releases of Debian call otherwise.
function(loaded_packages ret)
	find_program(DPKG_QUERY dpkg-query)
	get_property(sonames GLOBAL PROPERTY FETCHFS_LOADED)
	list(REMOVE_DUPLICATES sonames)
	set(packages)
	foreach(soname ${sonames})
		if(NOT DPKG_QUERY)
			continue()
		endif()
		execute_process(COMMAND ${DPKG_QUERY} -S "*/${CMAKE_LIBRARY_ARCHITECTURE}/${soname}"
			OUTPUT_VARIABLE owner ERROR_QUIET)
		if(owner MATCHES "^([^:,]+)[:,]")
			list(APPEND packages ${CMAKE_MATCH_1})
		endif()
	endforeach()
	list(REMOVE_DUPLICATES packages)
	list(JOIN packages ", " packages)
	set(${ret} ${packages} PARENT_SCOPE)
endfunction()

# describe(COMPONENT PACKAGE SECTION SYNOPSIS LINES…): what every package has.
macro(describe component package section synopsis)
	string(TOUPPER ${component} upper)
	list(APPEND CPACK_COMPONENTS_ALL ${component})
	set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
	set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
	list(JOIN about "\n" text)
	string(JOIN "\n" CPACK_DEBIAN_${upper}_DESCRIPTION "${synopsis}" "${text}" . ${ARGN})
endmacro()

loaded_packages(loaded)
set(library_package libfetchfs${PROJECT_VERSION_MAJOR})
set(about
	"fetchfs gives all tasks and users of a machine one bounded cache of what lies"
	"behind URIs (HTTP, FTP, S3, HDFS, OCI registries): downloaded once, verified,"
	"and read while it arrives.")

set(CPACK_GENERATOR DEB) # installs as `DESTDIR=… cmake --install --prefix /usr` does
set(CPACK_PACKAGE_NAME fetchfs)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "${FETCHFS_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each has one of its own
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY >=)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP) # there are no groups: one for each component
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
	GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package_files.cmake)

describe(program fetchfs utils "any URI is a read-only file, downloaded once and cached"
	"This package holds the program: commands, the mount (FUSE) with its helper"
	"for mount(8) and fstab, the fetcher for Apache Mesos, the unit for systemd.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "${loaded}")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "ca-certificates, fuse3")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "fetchfs-doc")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA postinst prerm postrm)
list(TRANSFORM CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA PREPEND ${PROJECT_SOURCE_DIR}/cmake/debian/)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_STRICT_PERMISSION ON)

describe(library ${library_package} libs "any URI is a read-only file (shared library)"
	"This package holds the library, for programs that read by it without a mount.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "${loaded}")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
# Archives are unpacked by the program.
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS "ca-certificates, fetchfs")

describe(development libfetchfs-dev libdevel "any URI is a read-only file (development files)"
	"This package holds what programs are made with: the header, the static library,"
	"and what pkg-config wants to know.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
	"${library_package} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
# The latter are for who links the static library.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "fetchfs-doc, pkgconf, nettle-dev, libsqlite3-dev, \
libxxhash-dev, libjansson-dev, libexpat1-dev, libseccomp-dev")

describe(documentation fetchfs-doc doc "any URI is a read-only file (documentation)"
	"This package holds the documents: how it works, what it promises, and examples"
	"for sandboxes, containers, batch systems, monitoring, and programs that use"
	"the library.")
set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_ARCHITECTURE all)

include(CPack)
