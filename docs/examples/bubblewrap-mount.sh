#!/bin/bash
# bubblewrap-mount.sh URI COMMAND…: the command in a sandbox that has the artifact as /artifact, of the mount
# $FETCHFS_MOUNT.
set -eu
uri=$1
shift
# what nobody has asked for yet could be a folder, if its name has no suffix
fetchfs fetch "$uri"
bwrap --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
	--symlink usr/lib64 /lib64 --proc /proc --dev /dev --ro-bind "$(fetchfs path "$uri")" /artifact "$@"
