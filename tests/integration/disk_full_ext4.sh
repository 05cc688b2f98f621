#!/bin/bash
# The cache is on a small ext4 of its own, which others have filled to the last block, or the last
# inode: whoever reads is told so, and who has the space; what is cached can be read; what the cache
# lets go is recorded; an index that is lost then is made anew; and all works once there is room.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program mkfs.ext4 jq curl python3
[ -e /dev/loop-control ] || skip "needs loop devices"

start_origin
random_file 9M "$ORIGINROOT/big.bin" big
random_file 2M "$ORIGINROOT/packed" packed
tar -C "$ORIGINROOT" -czf "$ORIGINROOT/packed.tar.gz" packed
for ((i = 0; i < 30; i++)); do
	random_file $((30000 + i * 10000)) "$ORIGINROOT/$i" "$i"
done
cat >"$CONFIG" <<-END
	[cache]
	size = 32M
	min_free = 0
	[fetch]
	ttl = 1h
	stall = 5s
	retries = 1
	negative_ttl = 0s
END
mkdir "$WORK/disk"
CACHE=$WORK/disk/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
HOG=$WORK/disk/others

# new_disk SIZE OPTION…
new_disk() {
	truncate -s "$1" "$WORK/image"
	mkfs.ext4 -q -F -m 0 "${@:2}" "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.ext4"
	mount -o loop "$WORK/image" "$WORK/disk" || skip "needs to mount a loop device"
	mounts=("$WORK/disk" "${mounts[@]}")
	mkdir "$HOG"
}

drop_disk() {
	umount "$WORK/disk" || fail "something on the disk is left in use"
	mounts=("${mounts[@]:1}")
	rm "$WORK/image"
}

# fill_disk [BYTES]: others take all that is free, or leave so much.
fill_disk() {
	local rest=${1-0} free
	sync -f "$WORK/disk"
	free=$(($(stat -f -c '%a * %S' "$WORK/disk")))
	[ "$free" -le "$rest" ] || fallocate -l $((free - rest)) "$HOG/$RANDOM$RANDOM" 2>/dev/null || :
	[ "$rest" -gt 0 ] || dd if=/dev/zero of="$HOG/last" bs=4K 2>/dev/null || :
}

is_full() {
	sync -f "$WORK/disk"
	[ "$(stat -f -c %a "$WORK/disk")" -eq 0 ] || fail "the disk is not full"
}

give_room() {
	rm -rf "${HOG:?}"/*
	sync -f "$WORK/disk"
}

# Nothing is lost or wrong, and everything can be fetched.
all_right() {
	local i
	for ((i = 0; i < 30; i++)); do
		fetchfs cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" || fail "$1: other bytes of $i"
	done
	fetchfs verify >"$WORK/said" || fail "$1: $(<"$WORK/said")"
	fetchfs -q gc || fail "$1: gc"
	[ "$(find "$CACHE/objects" -type f | wc -l)" -eq "$(fetchfs status --json | jq .objects)" ] ||
		fail "$1: files without rows, or rows without files"
	no_debris
}

# How many blocks (of 512 bytes) it has.
ballast() {
	stat -c %b "$CACHE/ballast" 2>/dev/null || echo 0
}

cached() {
	fetchfs ls --json | jq -s '[.[] | select(.state == "complete")] | length'
}

# refused COMMAND…: fails, and says who has the space.
refused() {
	expect_failure 1 'disk full: .*(others|inodes|needed)' "$@"
}

new_disk 48M
say "full from the start: every way of asking is told, and soon"
fetchfs fetch "$ORIGIN/0" "$ORIGIN/1"
[ "$(ballast)" -eq 1024 ] || fail "there is no ballast"
start_mount
fetchfs pin "$ORIGIN/0" "$ORIGIN/1" # else these would make room
fill_disk
is_full
# (files on this disk would find no room themselves)
mkdir "$WORK/box"
for uri in "$ORIGIN/2" "$ORIGIN/big.bin" "$ORIGIN/chunked/big.bin" "$ORIGIN/rate/300000/3"; do
	expect_errno ENOSPC "$(at "$uri")"
	refused "${fetchfs[@]}" cat "$uri"
	refused "${fetchfs[@]}" fetch "$uri"
	refused "${fetchfs[@]}" prepare --method copy "$WORK/box" "$uri"
	[ -z "$(ls -A "$WORK/box")" ] || fail "left in the box: $(ls -A "$WORK/box")"
done
refused "${fetchfs[@]}" prepare --method copy --extract "$WORK/box" "$ORIGIN/packed.tar.gz"
cmp "$(at "$ORIGIN/0")" "$ORIGINROOT/0" || fail "what is cached cannot be read"
fetchfs cat "$ORIGIN/1" | cmp - "$ORIGINROOT/1" || fail "what is cached cannot be read"

say "what is let go is recorded, by means of the ballast"
fetchfs unpin "$ORIGIN/0" "$ORIGIN/1"
for ((i = 0; i < 400; i++)); do
	fetchfs pin "$ORIGIN/0" 2>/dev/null || break
	fetchfs unpin "$ORIGIN/0" || fail "unpin fails on a full disk"
	[ "$(ballast)" -eq 1024 ] || break
done
[ "$(ballast)" -lt 1024 ] || fail "nothing needed the ballast: this proves nothing"
[ "$(ballast)" -gt 0 ] || fail "all of it went at once"
stop_mount
# What it gave up others take, and what the index shares between processes goes with the last one if
# its log is long.
rm -f "$CACHE/index.db-shm"
fill_disk
is_full
fetchfs -q gc || fail "gc fails on a full disk"
fetchfs unpin "$ORIGIN/0"
fetchfs evict --all >"$WORK/said" || fail "evict fails on a full disk"
[ "$(cached)" -eq 0 ] || fail "not all went: $(<"$WORK/said")"
give_room
all_right "room"
[ "$(ballast)" -eq 1024 ] || fail "the ballast did not come back"

say "the index is lost while the disk is full"
rm -f "$CACHE"/index.db*
fill_disk
is_full
[ "$(cached)" -eq 30 ] || fail "it was not made anew"
fill_disk
fetchfs evict --all >/dev/null || fail "evict"
[ "$(cached)" -eq 0 ] || fail "not all went"
give_room
all_right "index"
say "the index is damaged while the disk is full"
head -c 4096 /dev/urandom | dd of="$CACHE/index.db" conv=notrunc status=none
fill_disk
is_full
[ "$(cached)" -eq 30 ] || fail "it was not made anew"
give_room
all_right "damaged index"

# in_the_middle SECONDS COMMAND…: the disk becomes full in the middle of a command, which then fails
# with ENOSPC, or had its room before.
in_the_middle() {
	local status=0 pause=$1
	shift
	"$@" >"$WORK/out" 2>"$WORK/err" &
	children+=($!)
	sleep "$pause"
	fill_disk
	wait "${children[-1]}" || status=$?
	[ $status -eq 0 ] || [ $status -eq 1 ] || fail "status $status: $(<"$WORK/err")"
	[ $status -eq 0 ] || grep -Eq 'disk full|[Nn]o space|disk is full' "$WORK/err" ||
		fail "said: $(<"$WORK/err")"
	failed=$((failed + status))
}

say "it becomes full at some moment of downloads, of their publication, of unpacking, of copies"
failed=0
for ((n = 0; n < 24; n++)); do
	fetchfs -q evict --all
	rm -rf "$WORK/disk/box"
	mkdir "$WORK/disk/box"
	fill_disk $(((n * 700 + RANDOM % 700) * 1000 + 100000))
	case $((n % 4)) in
	0) in_the_middle 0.$((RANDOM % 5)) "${fetchfs[@]}" fetch "$ORIGIN"/rate/400000/{1,2,3,4,5,6,7,8} ;;
	1) in_the_middle 0.$((RANDOM % 5)) "${fetchfs[@]}" cat "$ORIGIN/chunked/rate/9000000/big.bin" ;;
	2) in_the_middle 0.$((RANDOM % 3)) "${fetchfs[@]}" prepare --method copy --extract \
		"$WORK/disk/box" "$ORIGIN/packed.tar.gz" ;;
	3) in_the_middle 0.$((RANDOM % 3)) "${fetchfs[@]}" prepare --method copy \
		"$WORK/disk/box" "$ORIGIN"/{10,11,12,13,14,15,16,17,18,19} ;;
	esac
	if [ $((n % 4)) -eq 1 ]; then
		head -c "$(stat -c %s "$WORK/out")" "$ORIGINROOT/big.bin" | cmp - "$WORK/out" ||
			fail "$n: other bytes"
	fi
	fetchfs evict --all >/dev/null || fail "$n: evict on a full disk"
	fetchfs release "$WORK/disk/box" >/dev/null || fail "$n: release on a full disk"
	give_room
	[ $((n % 6)) -ne 5 ] || all_right "$n"
done
echo "  $failed of 24 failed"
[ $failed -gt 4 ] || fail "nearly all had room: this proves nothing"
all_right "at the end"

say "a quota is full: as if the disk were"
fetchfs -q evict --all
for point in partial.create map.create partial.allocate; do
	fetchfs fetch "$ORIGIN/0"
	# with something to let go it is tried again
	FETCHFS_FAULT=$point:1:EDQUOT fetchfs fetch "$ORIGIN/big.bin" || fail "$point: no other try"
	[ "$(fetchfs stat --json "$ORIGIN/0" | jq -r .state)" != complete ] || fail "$point: nothing went"
	fetchfs -q evict --all
	FETCHFS_FAULT=$point:1:EDQUOT refused "${fetchfs[@]}" fetch "$ORIGIN/big.bin"
	grep -q 'quota exceeded' "$WORK/stderr" || fail "$point: $(<"$WORK/stderr")"
	no_debris
done
drop_disk

say "no inodes are left: what is cached makes way, by count"
new_disk 48M -N 400
fetchfs fetch "$ORIGIN"/{0,1,2,3,4,5,6,7,8,9,20,21,22,23,24,25,26,27,28,29} "$ORIGIN"/1{3,4,5,6,7,8,9}
start_mount
use_inodes() {
	local n=0
	while : >"$HOG/$n"; do
		n=$((n + 1))
	done 2>/dev/null
	[ "$(stat -f -c %d "$WORK/disk")" -eq 0 ] || fail "there are inodes left"
}
use_inodes
for uri in "$ORIGIN/10" "$ORIGIN/big.bin" "$ORIGIN/chunked/big.bin"; do
	fetchfs fetch "$uri" || fail "no inodes: $uri"
	use_inodes
done
cmp "$(at "$ORIGIN/11")" "$ORIGINROOT/11" || fail "no inodes: nothing through the mount"
# (A download needs up to four: the partial, its map, a folder, its part of the log.)
[ "$(cached)" -gt 7 ] || fail "more went than was needed: $(cached) of 31 are left"
use_inodes
fetchfs evict --all >/dev/null
use_inodes
expect_errno ENOSPC "$(at "$ORIGIN/12")"
refused "${fetchfs[@]}" cat "$ORIGIN/big.bin"
grep -q 'all [0-9]* inodes are in use' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
stop_mount
use_inodes
rm -f "$CACHE"/index.db*
: >"$HOG/one more"
fetchfs -q gc || fail "no inodes: the index is not made anew"
give_room
all_right "inodes"
drop_disk
