#!/bin/bash
# An origin that says nothing hangs whoever reads from it, and nobody else.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
start_origin
random_file 4M "$ORIGINROOT/a.bin" a
random_file 100K "$ORIGINROOT/b.bin" b
start_mount
host=${ORIGIN#http://}
cmp "$ORIGINROOT/b.bin" "$MNT/http/$host/b.bin" || fail "b.bin"

# Reads in the background; $READER is its pid.
read_in_background() {
	cat "$1" >/dev/null 2>"$WORK/reader" &
	READER=$!
	children+=("$READER")
}
in_flight_are() {
	[ "$(jq .in_flight "$MNT/.fetchfs/status")" -eq "$1" ]
}

# Twenty readers, more than libfuse has threads.
stalled=()
for i in {1..20}; do
	read_in_background "$(at "$ORIGIN/stall/1000/a.bin?$i")"
	stalled+=("$READER")
done
wait_for 20 in_flight_are 20 || fail "in flight: $(jq .in_flight "$MNT/.fetchfs/status")"

say "all that needs no network answers at once"
quick() {
	local took
	took=$(milliseconds timeout 20 "$@")
	[ "$took" -lt 2000 ] || fail "$took ms: $*"
}
quick df "$MNT"
quick ls -l "$MNT" "$MNT/http" "$MNT/http/$host"
quick cat "$MNT/http/$host/b.bin"
quick cat "$MNT/.fetchfs/status"
quick getfattr --absolute-names -n user.fetchfs.state "$(at "$ORIGIN/stall/1000/a.bin?1")"
quick stat "$(at "$ORIGIN/b.bin")"

say "a lookup that gets no answer ends"
took=$(milliseconds expect_errno EAGAIN "$MNT/http/$host/hang/b.bin")
[ "$took" -lt 5000 ] || fail "the lookup took $took ms"

say "interrupted readers end, and their downloads with them"
# The last first: those that have not begun must not begin when the others make room.
for ((i = ${#stalled[@]} - 1; i >= 0; i--)); do
	kill "${stalled[i]}"
done
for pid in "${stalled[@]}"; do
	wait_for 10 gone "$pid" || fail "a reader cannot be interrupted"
done
wait_for 30 in_flight_are 0 || fail "in flight: $(jq .in_flight "$MNT/.fetchfs/status")"

say "an open that hangs can be interrupted, too"
read_in_background "$(at "$ORIGIN/hang/b.bin")"
wait_for 30 in_flight_are 1 || fail "not in flight"
kill "$READER"
wait_for 10 gone "$READER" || fail "an open cannot be interrupted"
wait_for 30 in_flight_are 0 || fail "its download goes on"

say "a size that hangs can be interrupted, too"
stat "$(at "$ORIGIN/hang/a.bin")" >/dev/null 2>&1 &
children+=($!)
wait_for 10 became_program $! || fail "stat does not start"
kill $!
wait_for 10 gone $! || fail "a stat cannot be interrupted"

say "in the middle of a download: a busy mount says so, and ends all the same when told to"
read_in_background "$(at "$ORIGIN/stall/1000/a.bin")"
wait_for 30 in_flight_are 1 || fail "not in flight"
expect_failure 1 "in use.*--lazy" "${fetchfs[@]}" unmount "$MNT"
kill -TERM "$MOUNT_PID"
wait_for 20 gone "$MOUNT_PID" || fail "the daemon does not end"
wait "$MOUNT_PID" || fail "the daemon ended with status $?"
wait_for 10 gone "$READER" || fail "the reader does not end"
! mountpoint -q "$MNT" || fail "still mounted"
! grep -E 'ERROR: |runtime error:' "$LOGS/mount" || exit 1

say "and with nobody reading, by unmount"
start_mount
head -c 1 "$(at "$ORIGIN/rate/100000/a.bin")" >/dev/null
wait_for 30 in_flight_are 1 || fail "not in flight"
stop_mount
