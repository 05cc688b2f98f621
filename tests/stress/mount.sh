#!/bin/bash
# Many processes at one mount at the same time: cold, warm, killed, evicting; and unmounted while
# they wait. What is looked for is in the daemon's own words.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
start_origin
for i in {1..8}; do
	random_file $((i * 200000 + 1)) "$ORIGINROOT/$i.bin" "$i"
done

# What is in an archive, which is evicted meanwhile: names and files of every depth.
mkdir -p "$WORK/tree/a/b" "$WORK/tree/c"
for i in {1..40}; do
	echo "$i" >"$WORK/tree/a/b/$i"
	random_file $((i * 5000)) "$WORK/tree/c/$i" "$i"
done
tar -C "$WORK/tree" -czf "$ORIGINROOT/tree.tgz" .

archives() {
	local unpacked=$MNT/${ORIGIN/:\/\//\/}/tree.tgz.unpacked
	if [ $(($1 % 4)) -eq 3 ]; then
		timeout 60 "${fetchfs[@]}" evict "$ORIGIN/tree.tgz" >/dev/null 2>&1 || :
	elif [ $(($1 % 4)) -eq 2 ]; then
		diff -r "$WORK/tree/a" "$unpacked/a" || return 1
	else
		cmp "$WORK/tree/c/$(($1 + 20))" "$unpacked/c/$(($1 + 20))" || return 1
		cmp "$WORK/tree/a/b/$1" "$unpacked/a/b/$1" || return 1
	fi
}

# read_all SHIFT PREFIX: all files, beginning with another one for each reader
read_all() {
	local i n
	for i in {1..8}; do
		n=$(((i + $1) % 8 + 1))
		cmp "$ORIGINROOT/$n.bin" "$(at "$ORIGIN$2/$n.bin")" || return 1
	done
}

# sixteen COMMAND…: 16 at a time, each with its number as the last argument
sixteen() {
	local pids=() pid i
	for i in {1..16}; do
		"$@" "$i" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "$*: one of them failed"
	done
}

from_origin() {
	read_all "$1" /rate/4000000
}

# Readers that are killed in the middle of a read, whatever it waits for.
killed() {
	local pid
	for _ in 1 2 3; do
		cat "$(at "$ORIGIN/stall/100000/$(($1 % 8 + 1)).bin")" >/dev/null 2>&1 &
		pid=$!
		head -c 1 "$(at "$ORIGIN/$(($1 % 8 + 1)).bin")" >/dev/null
		kill -KILL $pid
		wait $pid 2>/dev/null || :
	done
}

look_around() {
	local tree=$MNT/${ORIGIN/:\/\//\/}
	for _ in 1 2 3; do
		ls "$tree" "$tree/rate" >/dev/null 2>&1 || :
		stat "$(at "$ORIGIN/$(($1 % 8 + 1)).bin")" >/dev/null || return 1
		cat "$MNT/.fetchfs/status" >/dev/null || return 1
	done
}

# One of four reads, is killed, looks around, or evicts what the others read.
mixed() {
	case $(($1 % 4)) in
	0) read_all "$1" "" ;;
	1) killed "$1" ;;
	2) look_around "$1" ;;
	3) timeout 60 "${fetchfs[@]}" evict "$ORIGIN/$(($1 % 8 + 1)).bin" >/dev/null 2>&1 || : ;;
	esac
}

start_mount
say "cold: sixteen readers of the same files"
sixteen from_origin
say "warm"
sixteen from_origin
say "readers, killed readers, lookers and evictors"
sixteen mixed
say "archives, read and evicted"
for _ in 1 2 3; do sixteen archives; done
stop_mount

say "unmounted while sixteen wait"
start_mount
readers=()
# four files: who looks at them needs one of the connections to this origin, too
for i in {1..16}; do
	cat "$(at "$ORIGIN/stall/50000/$((i % 4 + 1)).bin")" >/dev/null 2>&1 &
	readers+=($!)
done
in_flight() {
	[ "$(getfattr --absolute-names --only-values -n user.fetchfs.state \
		"$(at "$ORIGIN/stall/50000/$1.bin")")" = in-flight ]
}
for i in {1..4}; do
	wait_for 20 in_flight "$i" || fail "file $i is not in flight"
done
kill -TERM "$MOUNT_PID"
wait_for 60 gone "$MOUNT_PID" || fail "the daemon does not end"
for pid in "${readers[@]}"; do
	! wait "$pid" || fail "a reader took a part for the whole"
done
status=0
wait "$MOUNT_PID" || status=$?
[ $status -eq 0 ] || fail "the daemon ended with status $status"
! grep -E 'ERROR: |runtime error:|WARNING: ThreadSanitizer' "$LOGS/mount" || exit 1
