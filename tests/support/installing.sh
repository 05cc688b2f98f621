# shellcheck shell=bash
# Sourced after lib.sh: what is installed and packed is that of a build, but no file is written there, and the
# documents and scripts are a copy which nobody but its owner may read.

# install_scripts BUILD: $INSTALLING is a folder for cmake --install, and for cpack
install_scripts() {
	local build=$1 source=$WORK/source name
	INSTALLING=$WORK/installing
	mkdir "$source" "$INSTALLING"
	cp -r "$FETCHFS_SOURCE/README.md" "$FETCHFS_SOURCE/docs" "$FETCHFS_SOURCE/cmake" "$source/"
	chmod -R a-x,u=rwX,go= "$source"
	for name in cmake_install.cmake CPackConfig.cmake; do
		sed -e "s,\"$FETCHFS_SOURCE/\(README\.md\|docs\|cmake/fetchfs@[^\"]*\)\",\"$source/\1\",g" \
			-e "s,file(WRITE \"$build/,file(WRITE \"$INSTALLING/," \
			-e "s,INSTALL_CMAKE_PROJECTS \"$build;,INSTALL_CMAKE_PROJECTS \"$INSTALLING;," \
			"$build/$name" >"$INSTALLING/$name"
	done
	: >"$WORK/installing.begun"
}

# wrote_nothing BUILD: fails if what was installed since left its list in the build
wrote_nothing() {
	! find "$1" -maxdepth 1 -newer "$WORK/installing.begun" -name 'install_manifest*' | grep . ||
		fail "that is written into the build"
}
