#!/bin/bash
# shellcheck disable=SC2153,SC2016,SC2012,SC2002 # scripts for other shells; ls and cat are what is tested
# Parts of the natural tree in other mounts and namespaces, cold and warm, whatever parent paths
# answer.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/matrix.sh"
need_root
need_fuse
need_program jq python3 bwrap unshare chroot

# in_namespace SCRIPT [ARGUMENT…]: mounts that nobody else sees, and that end with it.
in_namespace() {
	local script=$1
	shift
	timeout 60 unshare -m --propagation private bash -euc "$script" _ "$@"
}

# A folder is bound as it is; below it names are looked up as ever. A file must be known to be one,
# or have a suffix.
bind() {
	mkdir -p "$WORK/at"
	: >"$WORK/one"
	in_namespace 'mount --bind "$1" "$3"; cmp "$3/v1/model" "$2/v1/model"; cd "$3/v1/sub"
		cmp z "$2/v1/sub/z"' "$TREE/org/repo" "$REAL/org/repo" "$WORK/at" || fail "a folder"
	in_namespace 'mount --bind "$1" "$3"; cmp "$3" "$2"' \
		"$TREE/org/repo/v1/x.tgz" "$REAL/org/repo/v1/x.tgz" "$WORK/one" || fail "a file"
	fetchfs path --mount "$MNT" "$ORIGIN/org/repo/v1/run" >/dev/null || fail "path"
	in_namespace 'mount --bind "$1" "$3"; cmp "$3" "$2"' \
		"$TREE/org/repo/v1/run" "$REAL/org/repo/v1/run" "$WORK/one" || fail "without a suffix"
}

# What docs/mount.md says does not work; and that it does no harm to what comes then.
bind_cold() {
	: >"$WORK/one"
	if [ "$STATE" = cold ]; then
		! in_namespace 'mount --bind "$1" "$2"' "$TREE/org/repo/v1/sub/z" "$WORK/one" 2>/dev/null ||
			fail "a folder was bound to a file"
	fi
	cmp "$TREE/org/repo/v1/sub/z" "$REAL/org/repo/v1/sub/z" || fail "then"
	in_namespace 'mount --bind "$1" "$3"; cmp "$3" "$2"' \
		"$TREE/org/repo/v1/sub/z" "$REAL/org/repo/v1/sub/z" "$WORK/one" || fail "bound then"
}

# A folder that its origin does not have is there once something below it is known.
know_folder() {
	[ "$KIND" != none ] || make_known org/repo/v1/x.tgz
}

bwrap_() {
	local wrap=(timeout 60 bwrap --dev-bind / / --tmpfs /opt)
	know_folder
	"${wrap[@]}" --ro-bind "$TREE/org/repo/v1" /opt/v1 cmp /opt/v1/model "$REAL/org/repo/v1/model" ||
		fail "a folder"
	"${wrap[@]}" --ro-bind "$TREE/org/repo/v1/x.tgz" /opt/x cmp /opt/x "$REAL/org/repo/v1/x.tgz" ||
		fail "a file"
	"${wrap[@]}" --ro-bind "$TREE/org/repo/v1/run" /opt/run sh /opt/run 7 | grep -qx "script 7" ||
		fail "a file without a suffix: bwrap looks first"
	"${wrap[@]}" --unshare-pid --proc /proc cat "$TREE/org/repo/v1/sub/z" |
		cmp - "$REAL/org/repo/v1/sub/z" || fail "from another PID namespace"
}

overlay() {
	mkdir -p "$WORK/upper" "$WORK/work" "$WORK/at"
	make_known org/repo/v1/sub/{y.bin,z} org/repo/v1/x.tgz
	in_namespace 'mount -t overlay -o "lowerdir=${1//:/\\:},upperdir=$3,workdir=$4" overlay "$5"
		cmp "$5/x.tgz" "$2/x.tgz"; cmp "$5/sub/z" "$2/sub/z"
		echo more >>"$5/sub/z"; cmp -n 40960 "$5/sub/z" "$2/sub/z"' \
		"$TREE/org/repo/v1" "$REAL/org/repo/v1" "$WORK/upper" "$WORK/work" "$WORK/at" ||
		fail "overlay"
	cmp "$TREE/org/repo/v1/sub/z" "$REAL/org/repo/v1/sub/z" || fail "the lower one has changed"
	rm -rf "$WORK/upper" "$WORK/work"
}

# Into the mount itself: a static program would have to be there, so Python changes its root.
chroot_() {
	timeout 60 python3 - "$TREE" "$REAL" <<-'END' || fail "chroot"
		import os, sys
		want = open(sys.argv[2] + "/org/repo/v1/model", "rb").read()
		os.chroot(sys.argv[1])
		os.chdir("/")
		assert open("/org/repo/v1/model", "rb").read() == want
		assert open("/../../org/repo/v1/../v1/model", "rb").read() == want
		os.chdir("/org/repo")
		assert open("v1/model", "rb").read() == want
	END
}

openat2() {
	timeout 60 python3 - "$TREE" "$REAL" <<-'END' || fail "openat2"
		import ctypes, errno, os, struct, sys
		libc = ctypes.CDLL(None, use_errno=True)
		NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH, IN_ROOT = 1, 2, 4, 8, 16
		def openat2(fd, name, resolve):
		    how = struct.pack("QQQ", os.O_RDONLY | os.O_CLOEXEC, 0, resolve)
		    got = libc.syscall(437, fd, name.encode(), how, len(how))
		    return got if got >= 0 else -ctypes.get_errno()
		top = os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY)
		want = open(sys.argv[2] + "/org/repo/v1/model", "rb").read()
		for resolve in (BENEATH, NO_XDEV, BENEATH | NO_XDEV | NO_SYMLINKS | NO_MAGICLINKS, IN_ROOT):
		    fd = openat2(top, "org/repo/v1/model", resolve)
		    assert fd >= 0, (resolve, errno.errorcode[-fd])
		    assert os.read(fd, len(want) + 1) == want
		    os.close(fd)
		assert openat2(top, "../x", BENEATH) == -errno.EXDEV
		assert openat2(top, "org/repo/v1/none", BENEATH) == -errno.ENOENT
	END
}

run_matrix openat2 chroot_ bwrap_ bind_cold bind overlay
