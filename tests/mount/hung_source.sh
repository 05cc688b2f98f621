#!/bin/bash
# Something hangs that a mount has asked, as the file system of a local file, and with it a thread of the mount, which
# cannot be told anything: others are served, and the mount ends all the same.
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
# A thread of a process, of the mount's if none is named, is in the kernel, for an answer of the stopped one.
asks_the_source() {
	cat "/proc/${1:-$MOUNT_PID}/task"/*/wchan 2>/dev/null | grep -q request_wait_answer
}
# What one of its threads had taken yet nobody could give up.
stop_source() {
	kill -STOP "$SOURCE_PID"
	wait_for 30 is_stopped "$SOURCE_PID" || fail "the source does not stop"
}
# is_served CONTENT NAME, has_size_5 NAME (a loaded machine may take longer than a LOOKUP waits).
is_served() {
	timeout 30 cmp -s "$1" "$2"
}
has_size_5() {
	[ "$(timeout 30 stat -c %s "$1" 2>/dev/null)" = 5 ]
}
# hangs: a mount that knows a file there, and so the way to it, and hangs with who asks for another.
names=0
hangs() {
	names=$((names + 1))
	start_mount
	wait_for 30 is_served "$ORIGINROOT/a.bin" "$(at "file://$folder/a.bin")" || fail "a.bin"
	stop_source
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

say "many ask, and nobody else waits for it"
mkdir "$ORIGINROOT/sub"
printf other | tee "$ORIGINROOT/other.bin" >"$ORIGINROOT/sub/seen.bin"
mkdir "$WORK/beside"
printf beside >"$WORK/beside/c.bin"
# (A root that is a link is found out by where it leads; one where it hangs is before it.)
ln -s beside "$WORK/link"
printf '[policy]\nfile = %s\nfile = %s\nfile = %s\n' "$SOURCE" "$folder/hidden" "$WORK/link" >"$CONFIG"
printf '[origin "http://elsewhere.test/"]\nlist = yes\n' >>"$CONFIG"
start_mount
http=$MNT/http/${ORIGIN#http://}
cmp "$ORIGINROOT/a.bin" "$http/a.bin" || fail "a.bin"
wait_for 30 is_served "$ORIGINROOT/a.bin" "$(at "file://$folder/a.bin")" || fail "a.bin"
# (What is only known there the kernel does not keep for the source.)
wait_for 30 has_size_5 "$(at "file://$folder/sub/seen.bin")" || fail "seen.bin is not seen"
stop_source
# A listing looks neither for its names there nor, as only others are to be listed at their origins, for the folder.
ls -U "$MNT/file$folder/sub" >"$WORK/names" &
listing=$!
children+=("$listing")
wait_for 30 gone "$listing" || fail "the folder that hangs is listed for ever"
[ "$(<"$WORK/names")" = seen.bin ] || fail "it has other names: $(<"$WORK/names")"
asking=()
for i in {1..30}; do
	hang_in_background stat "$(at "file://$folder/none-$i.bin")"
	asking+=("$HANGING")
done
wait_for 20 asks_the_source || fail "the source is not asked"
# All are told so, also those whose question hangs in a thread.
all_have_asked() {
	local pid
	for pid in "${asking[@]}"; do
		gone "$pid" || return 1
	done
}
wait_for 30 all_have_asked || fail "some of 30 hang"
timeout 30 cmp "$ORIGINROOT/a.bin" "$http/a.bin" || fail "what is cached cannot be read"
timeout 30 ls "$MNT" >/dev/null || fail "the root cannot be listed"
timeout 30 jq -e .limit "$MNT/.fetchfs/status" >/dev/null || fail "no status"
wait_for 30 has_size_5 "$http/other.bin" || fail "another name is not asked for"
wait_for 30 is_served "$WORK/beside/c.bin" "$(at "file://$WORK/link/c.bin")" ||
	fail "another local file cannot be read"
# The kernel has the lock of their folder for no longer than that, which it takes to be told of another version.
wait_for 30 is_served "$ORIGINROOT/other.bin" "$(at "$ORIGIN/other.bin")" || fail "nothing else in the folder can be read"
printf another >"$ORIGINROOT/other.bin"
"${fetchfs[@]}" fetch -q --refresh "$ORIGIN/other.bin" || fail "other.bin is not refreshed"
wait_for 60 is_served "$ORIGINROOT/other.bin" "$(at "$ORIGIN/other.bin")" || fail "the kernel is not told of a change in the folder"
quick 200 stat "$http/a.bin"
expect_errno ETIMEDOUT "$(at "file://$folder/a.bin")"
expect_errno ETIMEDOUT "$(at "file://$folder/further.bin")"
grep -q "the file system of $SOURCE does not answer" "$MNT/.fetchfs/log" || fail "not in the log: $(<"$MNT/.fetchfs/log")"
# Who asks in a process of his own waits there.
hang_in_background "${fetchfs[@]}" fetch "file://$folder/a.bin"
wait_for 20 asks_the_source "$HANGING" || fail "fetch does not ask the source"
kill -CONT "$SOURCE_PID"
wait "$HANGING" || fail "not fetched"
for name in a.bin other.bin; do
	wait_for 30 is_served "$ORIGINROOT/$name" "$(at "file://$folder/$name")" || fail "$name, after it"
done
stop_mount

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
wait_for 30 is_served "$ORIGINROOT/a.bin" "$(at "file://$folder/a.bin")" || fail "a.bin"
stop_mount
