#!/bin/bash
# The life of the daemon: starting, refusing, dying, coming back.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq
start_origin
random_file 4M "$ORIGINROOT/a.bin" a

# start_daemon [OPTION…]: mounts in the background, as users do.
start_daemon() {
	mounts+=("$MNT")
	timeout 60 "${fetchfs[@]}" mount "$@" "$MNT" </dev/null || fail "mount"
	MOUNT_PID=$(jq .pid "$MNT/.fetchfs/status")
	children+=("$MOUNT_PID")
}

say "mount returns when it serves, and leaves the terminal and the folder"
start_daemon
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/a.bin")" || fail "bytes differ"
[ "$(readlink "/proc/$MOUNT_PID/cwd")" = / ] || fail "it sits in $(readlink "/proc/$MOUNT_PID/cwd")"
for fd in 0 1 2; do
	[ "$(readlink "/proc/$MOUNT_PID/fd/$fd")" = /dev/null ] || fail "it holds descriptor $fd"
done
findmnt -no OPTIONS "$MNT" >"$WORK/options"
for word in ro nosuid nodev noatime allow_other; do
	grep -qw "$word" "$WORK/options" || fail "not $word: $(<"$WORK/options")"
done

say "what cannot be mounted is refused in one line"
expect_failure 1 "mounted there already" "${fetchfs[@]}" mount "$MNT"
expect_failure 1 "No such file" "${fetchfs[@]}" mount "$WORK/none"
expect_failure 1 "not a folder" "${fetchfs[@]}" mount "$CONFIG"
mkdir "$WORK/other"
expect_failure 1 "nonsense" "${fetchfs[@]}" mount -o nonsense "$WORK/other"
if unshare -m true 2>/dev/null; then # not in every chroot
	# shellcheck disable=SC2016
	expect_failure 1 "/dev/fuse: No such file" unshare -m \
		bash -c 'mount -t tmpfs none /dev && exec "$@"' - "${fetchfs[@]}" mount "$WORK/other"
fi
! mountpoint -q "$WORK/other" || fail "mounted all the same"
expect_failure 1 "not mounted there" "${fetchfs[@]}" unmount "$WORK/other"

say "unmount waits for the daemon"
fetchfs unmount "$MNT"
gone "$MOUNT_PID" || fail "it is still there"

if unshare -m true 2>/dev/null; then # not in every chroot
	say "unmount says why the daemon may go on"
	start_daemon
	unshare -m --propagation private sleep 60 &
	holder=$!
	children+=("$holder")
	other_namespace() { [ "$(readlink "/proc/$holder/ns/mnt")" != "$(readlink "/proc/$$/ns/mnt")" ]; }
	wait_for 10 other_namespace || fail "no namespace"
	expect_failure 1 "another mount namespace" "${fetchfs[@]}" unmount "$MNT"
	kill "$holder"
	wait_for 20 gone "$MOUNT_PID" || fail "the daemon stays"
fi

say "options: the cache by -o"
timeout 60 "$FETCHFS" --config "$CONFIG" mount -o "cache=$CACHE,allow_other,ro" "$MNT"
children+=("$(jq .pid "$MNT/.fetchfs/status")")
[ "$(jq -r .cache "$MNT/.fetchfs/status")" = "$CACHE" ] || fail "another cache"
fetchfs unmount "$MNT"

say "killed in the middle of a download: mounted again, and read"
start_daemon
head -c 1 "$(at "$ORIGIN/rate/1000000/a.bin")" >/dev/null
kill -KILL "$MOUNT_PID"
wait_for 10 gone "$MOUNT_PID" || fail "it survives SIGKILL"
if stat "$MNT" 2>/dev/null; then fail "the mount outlives its daemon"; fi
start_daemon
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/rate/1000000/a.bin")" || fail "after a kill"
settle_mount

say "a dead mount can be unmounted"
kill -KILL "$MOUNT_PID"
wait_for 10 gone "$MOUNT_PID" || fail "it survives SIGKILL"
fetchfs unmount "$MNT"
! mountpoint -q "$MNT" || fail "still mounted"

say "a file in use keeps it mounted, unless --lazy"
start_daemon
exec 3<"$(at "$ORIGIN/a.bin")"
expect_failure 1 "in use" "${fetchfs[@]}" unmount "$MNT"
timeout 5 "${fetchfs[@]}" unmount --lazy "$MNT" || fail "--lazy waits for who has it open"
! mountpoint -q "$MNT" || fail "still mounted"
! gone "$MOUNT_PID" || fail "the daemon has left an open file alone"
cmp "$ORIGINROOT/a.bin" <&3 || fail "what is open is not readable any more"
exec 3<&-
wait_for 20 gone "$MOUNT_PID" || fail "the daemon stays"
no_debris
