#!/bin/bash
# Who leads a download is killed at a random moment, 100 times over, be it a command or the mount:
# another one takes over, the bytes are right, and a kill costs less than a chunk. Then 20 times more, with
# as many connections as there are by default, and the mount the first to lead.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

kills=0
kills_of_mount=0
chunk=$((256 << 10))
# Besides what lies in sockets when a reader dies: pieces of 16 KiB that were counted and not sent, or
# read and not put away.
on_its_way=$((64 << 10))

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
		! leads "${pids[i]-none}" || return 0
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
		kills=$((kills + 1)) kills_of_mount=$((kills_of_mount + 1))
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

# one_file NUMBER FIRST: one file, and as many kills as its download lasts for; the reader FIRST starts first.
one_file() {
	local before=$kills queued_before=$queued i
	file=$1.bin
	uri=$ORIGIN/rate/$rate/$file
	random_file $size "$ORIGINROOT/$file" "$1"
	start_one "$2"
	wait_for 60 find_leader || fail "reader $2 does not begin"
	for i in {0..4}; do
		[ "$i" -eq "$2" ] || start_one "$i"
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

# campaign FIRST: until there are $wanted kills
campaign() {
	local first=$n sent again
	start_mount
	locks=$(stat -c %i "$CACHE/locks")
	for ((; kills < wanted; n++)); do
		one_file $n "$1"
	done
	settle_mount
	stop_mount
	no_debris

	settle_origin
	for ((; first < n; first++)); do
		sent=$(origin_sent "/rate/$rate/$first.bin")
		again=$((sent - size))
		say "$first.bin: ${kills_of[first]} kills, $again bytes were sent twice, ${queued_of[first]} were in sockets"
		[ $again -ge 0 ] || fail "the log lacks something"
		[ $again -le $((kills_of[first] * (chunk + on_its_way) + queued_of[first])) ] ||
			fail "these are too many"
	done
}
n=0

say "one connection for a download (leaders_streams.sh has several)"
wanted=100 rate=2000000 size=$((8 << 20))
printf '[fetch]\nper_host = 1\n' >"$CONFIG"
campaign 0

say "by default: several, and the mount leads first"
# what each of eight connections had on its way is less than a chunk in all
wanted=120 rate=1000000 size=$((24 << 20)) on_its_way=0
: >"$CONFIG"
kills_of_mount=0
campaign 4
say "the mount was killed $kills_of_mount times"
[ $kills_of_mount -gt 0 ] || fail "the mount was never killed as one that leads"
[ "$(origin_stat most)" -ge 4 ] || fail "there were only $(origin_stat most) connections at once"
