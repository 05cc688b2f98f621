#!/bin/bash
# Who leads a download is killed at a random moment, 100 times over, be it a command or the mount:
# another one takes over, the bytes are right, and a kill costs less than a chunk.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

kills=0
wanted=100
rate=2000000
size=$((8 << 20))
chunk=$((256 << 10))
# Besides what lies in sockets when a reader dies: pieces of 16 KiB that were counted and not sent, or
# read and not put away.
on_its_way=$((64 << 10))

# One connection for a download. (leaders_streams.sh has several.)
printf '[fetch]\nper_host = 1\n' >"$CONFIG"
start_origin

# The commands, by number, and the reader at the mount, number 4.
pids=()

start_one() {
	case $1 in
	0 | 1) "${fetchfs[@]}" fetch "$uri" 2>"$LOGS/one.$1" & ;;
	2 | 3) "${fetchfs[@]}" cat "$uri" >"$WORK/out.$1" 2>"$LOGS/one.$1" & ;;
	4) cat "$(at "$uri")" >"$WORK/out.4" 2>"$LOGS/one.4" & ;;
	esac
	pids[$1]=$!
	children+=($!)
}

# leads PID: it holds the lock of a key. (Those lie above the other locks.)
leads() {
	grep -hs '^lock:.* OFDLCK .* WRITE ' /proc/"$1"/fdinfo/* |
		awk -v locks=":$locks" '$7 ~ locks "$" && $8 >= 1048576 { found = 1 } END { exit !found }'
}

# Sets $leader to the number of who leads now; the mount's daemon is 4.
find_leader() {
	local i
	for i in 0 1 2 3; do
		leader=$i
		! leads "${pids[i]}" || return 0
	done
	leader=4
	leads "$MOUNT_PID"
}

all_ended() {
	local pid
	for pid in "${pids[@]}"; do
		gone "$pid" || return 1
	done
}

leader_or_end() {
	find_leader || all_ended
}

# What a reader has seen, however it ended, is how the file begins.
seen_is_right() {
	[ "$1" -lt 2 ] || cmp -n "$(stat -c %s "$WORK/out.$1")" "$WORK/out.$1" "$ORIGINROOT/$file" ||
		fail "reader $1 saw other bytes"
}

# ended NUMBER [STATUS]: its status, 0 or 137
ended() {
	local status=${2:-0}
	[ $# -gt 1 ] || { wait "${pids[$1]}" || status=$?; } 2>/dev/null
	seen_is_right "$1"
	return "$status"
}

kill_leader() {
	local status=0
	if [ "$leader" -eq 4 ]; then
		kill_counting "$MOUNT_PID" || :
		kills=$((kills + 1))
		umount -l "$MNT"
		ended 4 || :
		start_mount
	else
		kill_counting "${pids[leader]}" || status=$?
		ended "$leader" "$status" || :
		case $status in
		0) ;; # it was done
		137) kills=$((kills + 1)) ;;
		*) fail "one failed by itself ($status): $(<"$LOGS/one.$leader")" ;;
		esac
	fi
	start_one "$leader"
}

kills_of=()
queued_of=()

# One file, and as many kills as its download lasts for.
one_file() {
	local before=$kills queued_before=$queued i
	file=$1.bin
	uri=$ORIGIN/rate/$rate/$file
	random_file $size "$ORIGINROOT/$file" "$1"
	for i in {0..4}; do
		start_one "$i"
	done
	while wait_for 60 leader_or_end || fail "nobody takes over"; do
		! all_ended || break
		[ $kills -lt $wanted ] || break
		sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
		! find_leader || kill_leader
	done
	for i in {0..4}; do
		ended "$i" || fail "one failed: $(<"$LOGS/one.$i")"
		[ "$i" -lt 2 ] || cmp "$WORK/out.$i" "$ORIGINROOT/$file" || fail "reader $i"
	done
	kills_of[$1]=$((kills - before))
	queued_of[$1]=$((queued - queued_before))
}

start_mount
locks=$(stat -c %i "$CACHE/locks")
for ((n = 0; kills < wanted; n++)); do
	one_file $n
done
settle_mount
stop_mount
no_debris

settle_origin
for n in "${!kills_of[@]}"; do
	sent=$(origin_sent "/rate/$rate/$n.bin")
	again=$((sent - size))
	say "$n.bin: ${kills_of[n]} kills, $again bytes were sent twice, ${queued_of[n]} were in sockets"
	[ $again -ge 0 ] || fail "the log lacks something"
	[ $again -le $((kills_of[n] * (chunk + on_its_way) + queued_of[n])) ] || fail "these are too many"
done
