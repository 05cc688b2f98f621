#!/bin/bash
# shellcheck disable=SC2153,SC2016 # scripts for other shells
# Parts of the natural tree bound into containers by runc and crun.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/matrix.sh"
need_root
need_fuse
need_program jq runc crun

# A container with the machine's programs, and binds of a folder and of a file.
config() {
	mkdir -p "$WORK/bundle/rootfs"
	ln -sfn usr/bin "$WORK/bundle/rootfs/bin"
	ln -sfn usr/lib "$WORK/bundle/rootfs/lib"
	ln -sfn usr/lib64 "$WORK/bundle/rootfs/lib64"
	jq -n --arg tree "$TREE" --arg real "$REAL" 'def bind($from; $to):
			{destination: $to, type: "bind", source: $from, options: ["rbind", "ro"]};
		{
		ociVersion: "1.0.2",
		root: {path: "rootfs"},
		process: {user: {uid: 0, gid: 0}, cwd: "/", env: ["PATH=/usr/bin:/bin"], args: ["sh", "-euc",
			"cmp /v1/model /real/org/repo/v1/model; cmp /x /real/org/repo/v1/x.tgz"]},
		mounts: [{destination: "/proc", type: "proc", source: "proc"}, bind("/usr"; "/usr"),
			bind($real; "/real"), bind("\($tree)/org/repo/v1"; "/v1"),
			bind("\($tree)/org/repo/v1/x.tgz"; "/x")],
		linux: {namespaces: [{type: "mount"}, {type: "pid"}]}}' >"$WORK/bundle/config.json"
}

runs() {
	mkdir -p "$WORK/bundle"
	config
	# a folder that its origin does not have is there once something below it is known
	[ "$KIND" != none ] || make_known org/repo/v1/x.tgz
	timeout 60 "$@" --root "$WORK/run" run --bundle "$WORK/bundle" "fetchfs-$$" </dev/null ||
		fail "$1"
}

runc_() { runs runc; }
# It does not bear both versions of control groups at once, and needs none here.
crun_() {
	runs unshare -m sh -c 'mount -t cgroup2 none /sys/fs/cgroup && exec crun --cgroup-manager disabled "$@"' crun
}

run_matrix runc_ crun_
