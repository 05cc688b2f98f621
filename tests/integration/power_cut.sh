#!/bin/bash
# The power goes: the cache is on a disk of its own, of which copies are made at some moment, as they
# would be found after a power cut. Whatever was lost, the cache opens in the next boot, no wrong byte
# is served, and what had been settled is there.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_program mkfs.xfs mkfs.ext4 unshare jq curl
[ -e /dev/loop-control ] || skip "needs loop devices"

start_origin
mkdir "$ORIGINROOT/d"
for ((i = 0; i < 60; i++)); do
	random_file $((1 + i * i * 700)) "$ORIGINROOT/d/$i" "$i"
	echo "$ORIGIN/d/$i"
done >"$WORK/list"
printf '[fetch]\nttl = 1h\n' >"$CONFIG"

# A copy that shares blocks is of one moment, whatever is written meanwhile.
mkdir "$WORK/disks" "$WORK/disk"
truncate -s 2G "$WORK/disks.image"
mkfs.xfs -q "$WORK/disks.image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.xfs"
mount -o loop "$WORK/disks.image" "$WORK/disks" || skip "needs to mount a loop device"
mounts+=("$WORK/disks")
truncate -s 400M "$WORK/disks/disk"
mkfs.ext4 -q "$WORK/disks/disk" >>"$LOGS/mkfs" 2>&1 || fail "mkfs.ext4"
mount -o loop "$WORK/disks/disk" "$WORK/disk"
mounts=("$WORK/disk" "${mounts[@]}")
CACHE=$WORK/disk/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")

cut=0
# What the disk would have now goes to $WORK/cut.N.
cut_power() {
	cut=$((cut + 1))
	cp --reflink=always "$WORK/disks/disk" "$WORK/disks/cut.$cut"
}

# boot N COMMAND…: in the boot after power cut N, of which "fetchfs" uses the cache.
boot() {
	local which=$1
	shift
	cat /proc/sys/kernel/random/uuid >"$WORK/boot"
	mkdir -p "$WORK/after"
	mount -o loop "$WORK/disks/cut.$which" "$WORK/after" || fail "$which: it does not mount"
	mounts=("$WORK/after" "${mounts[@]}")
	# shellcheck disable=SC2016 # the inner shell expands it
	fetchfs=(unshare -m sh -c
		'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$WORK/boot"
		"$FETCHFS" --cache "$WORK/after/cache" --config "$CONFIG")
	"$@"
	fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
	umount "$WORK/after" || fail "$which: something is left in use"
	mounts=("${mounts[@]:1}")
}

# Every artifact has its bytes, whether the cache had them or not; and once more, from the cache.
all_right() {
	local i requests
	for ((i = 0; i < 60; i++)); do
		fetchfs cat "$ORIGIN/d/$i" | cmp - "$ORIGINROOT/d/$i" || fail "cut $cut: other bytes of $i"
	done
	requests=$(origin_stat requests)
	fetchfs fetch -i "$WORK/list" || fail "cut $cut: fetch"
	[ "$(origin_stat requests)" -eq "$requests" ] || fail "cut $cut: fetched a second time"
	fetchfs -q gc
	[ "$(find "$WORK/after/cache/objects" -type f | wc -l)" -eq "$(fetchfs status --json | jq .objects)" ] ||
		fail "cut $cut: files without rows"
}

count_complete() {
	fetchfs ls --json "$ORIGIN/" | jq -s '[.[] | select(.state == "complete")] | length'
}

say "what was settled is there, and nobody is asked"
fetchfs fetch -i "$WORK/list"
fetchfs gc
cut_power
settled_is_there() {
	local requests
	requests=$(origin_stat requests)
	[ "$(count_complete)" -eq 60 ] || fail "not all are known"
	all_right
	[ "$(origin_stat requests)" -eq "$requests" ] || fail "something was fetched again"
	! fetchfs log | grep "machine went down" || fail "something was damaged"
}
boot $cut settled_is_there

say "names and rows without their bytes: nothing of it is believed"
fetchfs evict --all
fetchfs gc
fetchfs fetch -i "$WORK/list"
# of all that has been written only the index goes to the disk, and with it what the folders say
sync "$CACHE"/index.db*
cut_power
lost_is_found() {
	local damaged
	[ "$(count_complete)" -eq 60 ] || fail "the index was lost, too: this proves nothing"
	all_right
	damaged=$(fetchfs log | grep -c "damaged when the machine went down") || :
	echo "  $damaged of 60 were damaged"
	[ "$damaged" -gt 0 ] || fail "none was lost: this proves nothing"
	fetchfs gc
	[ "$(fetchfs log | grep -c "machine went down")" -eq "$damaged" ] || fail "more damage"
}
boot $cut lost_is_found

say "at any moment"
churn() {
	local n
	while :; do
		n=$((RANDOM % 60 + 1))
		shuf -n "$n" "$WORK/list" >"$WORK/some"
		fetchfs -q fetch -i "$WORK/some" || return
		fetchfs -q evict --to "$((RANDOM % 30))M" || return
		[ $((RANDOM % 4)) -gt 0 ] || fetchfs -q gc || return
		[ $((RANDOM % 4)) -gt 0 ] || sync -f "$WORK/disk"
		[ $((RANDOM % 4)) -gt 0 ] || sync "$CACHE"/index.db*
	done
}
churn 2>"$LOGS/churn" &
churning=$!
children+=("$churning")
first=$((cut + 1))
for ((n = 0; n < 12; n++)); do
	sleep "0.$((RANDOM % 900 + 100))"
	cut_power
done
kill "$churning"
wait "$churning" 2>/dev/null || :
[ ! -s "$LOGS/churn" ] || fail "$(<"$LOGS/churn")"
for ((cut = first; cut < first + 12; cut++)); do
	boot $cut all_right
done
