#!/bin/bash
# Who leads a download is stopped (Ctrl-Z, a debugger): after twice the stall time those who wait
# go on without it, by one download for all of them. Who only waits itself is not passed by.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program curl jq

cat >"$CONFIG" <<-END
	[fetch]
	connect = 1s
	first_byte = 1s
	stall = 1s
	ttl = 1h
	per_host = 1
END
start_origin
size=$((8 << 20))
random_file 8M "$ORIGINROOT/a.bin" a
for name in b c d e; do cp "$ORIGINROOT/a.bin" "$ORIGINROOT/$name.bin"; done

pids=()
# in_background OUTPUT COMMAND…: $! is its process
in_background() {
	"${@:2}" >"$1" 2>"$1.err" &
	children+=($!)
	pids+=($!)
}

# went_out PATH BYTES: the origin has begun to send the file, and so much of it
sent_since() {
	[ "$(($(origin_stat bytes) - before))" -ge "$1" ]
}

# lead URI: a fetch of it is stopped in the middle; it is $leader
lead() {
	before=$(origin_stat bytes)
	in_background "$WORK/leader" "${fetchfs[@]}" fetch "$1"
	leader=$!
	wait_for 20 sent_since 1500000 || fail "no bytes"
}

is_stopped() {
	local stat
	read -r stat <"/proc/$1/stat" && [[ $stat == *") T "* ]]
}

freeze() {
	kill -STOP "$1"
	wait_for 5 is_stopped "$1" || fail "it does not stop"
}

# thaw PID: it ends well, too
thaw() {
	kill -CONT "$1"
	wait "$1" || fail "the leader failed in the end: $(<"$WORK/leader.err")"
}

right() {
	wait "$1" || fail "status $?: $(<"$2.err")"
	cmp "$2" "$ORIGINROOT/a.bin" || fail "other bytes"
}

start_mount

say "three commands and a reader at the mount go on without it, by one more download"
uri=$ORIGIN/rate/2000000/a.bin
lead "$uri"
in_background "$WORK/early" cat "$(at "$uri")" # has some of its bytes when it freezes
early=$!
some_came() {
	[ "$(stat -c %s "$WORK/early")" -ge 1000000 ]
}
wait_for 10 some_came || fail "no bytes by the leader"
freeze "$leader"
start=$SECONDS
for n in 1 2 3; do in_background "$WORK/late.$n" "${fetchfs[@]}" cat "$uri"; done
right "$early" "$WORK/early"
is_told_apart() {
	fetchfs status --json | jq -e --argjson pid "$leader" \
		'.transfers[] | select(.state == "stopped" and .pid == $pid)' >/dev/null
}
wait_for 20 is_told_apart || fail "status: $(fetchfs status --json)"
fetchfs status | grep -q " stopped  $uri (by process $leader)" || fail "status: $(fetchfs status)"
for n in 1 2 3; do right "${pids[-n]}" "$WORK/late.$((4 - n))"; done
took=$((SECONDS - start))
[ $took -ge 5 ] || fail "after $took s: too early"
[ $took -le 60 ] || fail "after $took s"
sent=$(($(origin_stat bytes) - before))
say "after $took s, and $sent bytes"
[ $sent -le $((2 * size + (1 << 20))) ] || fail "more than one download beside the frozen one"
thaw "$leader"
fetchfs cat "$uri" | cmp - "$ORIGINROOT/a.bin" || fail "other bytes afterwards"

say "one freezes after the other"
uri=$ORIGIN/rate/2000000/b.bin
lead "$uri"
freeze "$leader"
first=$leader
lead "$uri" # the bytes that are counted are those of the second
freeze "$leader"
in_background "$WORK/third" "${fetchfs[@]}" cat "$uri"
right $! "$WORK/third"
thaw "$first"
thaw "$leader"

say "a version that cannot be told from others: no mixture, but an error"
uri=$ORIGIN/weak/rate/2000000/c.bin
lead "$uri"
in_background "$WORK/early" cat "$(at "$uri")"
early=$!
wait_for 10 some_came || fail "no bytes by the leader"
freeze "$leader"
! wait "$early" || fail "success"
grep -q 'Stale file handle' "$WORK/early.err" || fail "said: $(<"$WORK/early.err")"
cmp -n "$(stat -c %s "$WORK/early")" "$WORK/early" "$ORIGINROOT/a.bin" || fail "other bytes"
thaw "$leader"

say "who waits for the origin to come back, as it asked for, is not frozen"
before=$(origin_stat requests)
path=/retryafter/7/1/503/d.bin
in_background "$WORK/leader" "${fetchfs[@]}" fetch "$ORIGIN$path"
leader=$!
was_asked() {
	[ "$(origin_stat requests)" -gt "$before" ]
}
wait_for 10 was_asked || fail "not asked"
in_background "$WORK/follower" "${fetchfs[@]}" cat "$ORIGIN$path"
right $! "$WORK/follower"
wait "$leader" || fail "the leader failed: $(<"$WORK/leader.err")"
[ "$(origin_requests GET "$path")" -eq 2 ] || fail "$(origin_requests GET "$path") requests"

settle_mount
stop_mount
no_debris
