#!/bin/bash
# An origin that says nothing hangs whoever reads from it, and nobody else.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
start_origin
random_file 4M "$ORIGINROOT/a.bin" a
random_file 100K "$ORIGINROOT/b.bin" b
host=$MNT/http/${ORIGIN#http://}

# Reads in the background; $READER is its pid.
read_in_background() {
	cat "$1" >/dev/null 2>"$WORK/reader" &
	READER=$!
	children+=("$READER")
}
in_flight_are() {
	[ "$(jq .in_flight "$MNT/.fetchfs/status")" -eq "$1" ]
}
# Requests that the daemon holds until bytes come.
waiting_are() {
	[ "$(sed -n 's/^fetchfs_waiting //p' "$MNT/.fetchfs/metrics")" -eq "$1" ]
}

# A thousand, of twenty files; $CROWD is the process whose threads they are.
crowd=1000
gather_crowd() {
	local i files=()
	for i in {1..20}; do
		files+=("$(at "$ORIGIN/stall/1000/a.bin?$i")")
	done
	"$FETCHFS_BUILD/tests/support/manyreaders" $crowd "${files[@]}" >"$LOGS/crowd" 2>&1 &
	CROWD=$!
	children+=("$CROWD")
	wait_for 60 waiting_are $crowd || fail "waiting: $(grep '^fetchfs_waiting' "$MNT/.fetchfs/metrics")"
	in_flight_are 20 || fail "in flight: $(jq .in_flight "$MNT/.fetchfs/status")"
}
dismiss_crowd() {
	kill "$CROWD"
	wait_for 20 gone "$CROWD" || fail "readers cannot be interrupted"
	wait_for 30 waiting_are 0 || fail "requests are left: $(grep '^fetchfs_waiting' "$MNT/.fetchfs/metrics")"
	wait_for 30 in_flight_are 0 || fail "in flight: $(jq .in_flight "$MNT/.fetchfs/status")"
}

for mode in passthrough nopassthrough; do
	start_mount_in $mode
	cmp "$ORIGINROOT/b.bin" "$host/b.bin" || fail "b.bin"
	say "$mode: $crowd readers wait, and all that needs no network answers at once"
	gather_crowd
	quick 50 df "$MNT"
	quick 50 stat "$MNT"
	quick 50 ls -l "$MNT" "$MNT/http" "$host"
	quick 50 cat "$host/b.bin"
	# its pages come from the daemon, or from the disk, which others use, since the last who read it left none
	dd "if=$host/b.bin" iflag=nocache count=0 status=none
	quick 600 dd "if=$host/b.bin" iflag=nocache bs=64K of=/dev/null status=none
	quick 50 cat "$MNT/.fetchfs/status"
	quick 50 getfattr --absolute-names -n user.fetchfs.state "$(at "$ORIGIN/stall/1000/a.bin?1")"
	quick 50 stat "$(at "$ORIGIN/b.bin")"
	waiting_are $crowd || fail "not all of them wait still"
	say "$mode: what their origin does give comes"
	cmp "$ORIGINROOT/b.bin" "$(at "$ORIGIN/b.bin?$mode")" || fail "b.bin?$mode"
	waiting_are $crowd || fail "not all of them wait still"
	say "$mode: interrupted readers end, and their downloads with them"
	dismiss_crowd
	stop_mount
done
start_mount

say "a lookup that gets no answer ends"
took=$(milliseconds expect_errno EAGAIN "$host/hang/b.bin")
[ "$took" -lt 5000 ] || fail "the lookup took $took ms"

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
