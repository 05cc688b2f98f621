#!/bin/bash
# Something hangs that a mount has asked, as the file system of a local file, and with it a thread of the mount, which
# cannot be told anything: the mount ends all the same.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
start_origin
random_file 100K "$ORIGINROOT/a.bin" a

# A mount of ours, of another cache, is that file system: it hangs when it is stopped.
SOURCE=$WORK/source
mkdir "$SOURCE"
"$FETCHFS" --cache "$WORK/sources" --config "$CONFIG" mount -f "$SOURCE" >>"$LOGS/source" 2>&1 &
SOURCE_PID=$!
children+=("$SOURCE_PID")
mounts+=("$SOURCE")
wait_for 30 test -e "$SOURCE/.fetchfs/status" || fail "the source does not answer"
# (Whatever ends the test: what is stopped cannot be.)
go_on_and_clean_up() {
	local status=$?
	kill -CONT "$SOURCE_PID" 2>/dev/null || :
	set +e
	(exit $status)
	cleanup
}
trap go_on_and_clean_up EXIT
folder=$SOURCE/http/${ORIGIN#http://}
cmp "$ORIGINROOT/a.bin" "$folder/a.bin" || fail "a.bin"

printf '[policy]\nfile = %s\n' "$SOURCE" >"$WORK/served.conf"
CONFIG=$WORK/served.conf
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")

# hang_in_background COMMAND…: $HANGING is its pid.
hang_in_background() {
	"$@" >/dev/null 2>&1 &
	HANGING=$!
	children+=("$HANGING")
	wait_for 10 became_program "$HANGING" || fail "$* does not start"
}
# A thread of the mount is in the kernel, for an answer of the stopped one.
asks_the_source() {
	cat "/proc/$MOUNT_PID/task"/*/wchan 2>/dev/null | grep -q request_wait_answer
}
# hangs: a mount that knows a file there, and so the way to it, and hangs with who asks for another.
names=0
hangs() {
	names=$((names + 1))
	start_mount
	cmp "$ORIGINROOT/a.bin" "$(at "file://$folder/a.bin")" || fail "a.bin"
	kill -STOP "$SOURCE_PID"
	hang_in_background stat "$(at "file://$folder/none$names.bin")"
	wait_for 20 asks_the_source || fail "the source is not asked"
}
# In time, in good order, and nobody who asked hangs any longer.
has_ended() {
	local status=0
	wait_for 60 gone "$MOUNT_PID" || fail "the daemon does not end"
	wait "$MOUNT_PID" || status=$?
	[ $status -eq 0 ] || fail "the daemon ended with status $status"
	! mountpoint -q "$MNT" || fail "still mounted"
	! grep -E 'ERROR: |runtime error:|WARNING: ThreadSanitizer' "$LOGS/mount" || exit 1
	grep -q 'does not answer' "$LOGS/mount" || fail "it did not hang: $(<"$LOGS/mount")"
	: >"$LOGS/mount"
	wait_for 10 gone "$HANGING" || fail "who asked hangs on"
	kill -CONT "$SOURCE_PID"
}

say "the daemon is told to end"
hangs
kill -TERM "$MOUNT_PID"
has_ended

say "it is unmounted"
hangs
umount -f -l "$MNT" || fail "it cannot be unmounted"
has_ended

say "whoever waited has left, and only the question hangs"
FETCHFS_FAULT=question.ask:1:60000ms start_mount
hang_in_background stat "$MNT/http/${ORIGIN#http://}/none.bin"
wait_for 20 gone "$HANGING" || fail "no answer in time"
umount "$MNT" || fail "it cannot be unmounted"
has_ended

say "what was there is there for the next daemon"
start_mount
cmp "$ORIGINROOT/a.bin" "$(at "file://$folder/a.bin")" || fail "a.bin"
stop_mount
