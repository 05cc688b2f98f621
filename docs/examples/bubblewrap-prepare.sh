#!/bin/bash
# bubblewrap-prepare.sh SPEC COMMAND…: the command in a sandbox that has the artifacts of SPEC in /artifacts.
set -eu
spec=$1
shift
box=$(mktemp -d)
trap 'fetchfs release "$box" && rm -rf "$box"' EXIT
fetchfs prepare --spec "$spec" "$box"
bwrap --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
	--symlink usr/lib64 /lib64 --proc /proc --dev /dev --ro-bind "$box" /artifacts "$@"
