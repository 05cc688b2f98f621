# shellcheck shell=bash
# Sourced after lib.sh, by a test that sourced namespace.sh before it: in this namespace there are
# users alice (in the group crew, too) and bob.
need_root
cp /etc/passwd /etc/group "$WORK/"
cat >>"$WORK/passwd" <<-END
	alice:x:64001:64001::/nonexistent:/bin/sh
	bob:x:64002:64002::/nonexistent:/bin/sh
END
cat >>"$WORK/group" <<-END
	alice:x:64001:
	bob:x:64002:
	crew:x:64003:alice
END
mount --bind "$WORK/passwd" /etc/passwd
mounts+=(/etc/passwd)
mount --bind "$WORK/group" /etc/group
mounts+=(/etc/group)

# as USER COMMAND…: with all rights of USER and no others
as() {
	local user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
}

# folder_of USER NAME: an empty one below $WORK, of that user only; its path into $box
folder_of() {
	box=$WORK/$2
	mkdir "$box"
	chown "$1:$1" "$box"
	chmod 750 "$box"
}
