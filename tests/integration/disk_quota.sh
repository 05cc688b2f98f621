#!/bin/bash
# A quota holds the cache to less than its disk has free, which nobody can see beforehand: what is
# cached makes way; when nothing may, whoever reads is told so; and all works once the quota is larger.
# (A quota of btrfs: it is in kernels that are built without those of ext4 and XFS.)
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program mkfs.btrfs btrfs jq curl
[ -e /dev/loop-control ] || skip "needs loop devices"

start_origin
for ((i = 0; i < 12; i++)); do
	random_file 4M "$ORIGINROOT/$i" "$i"
done
cat >"$CONFIG" <<-END
	[cache]
	size = 200M
	min_free = 0
	[fetch]
	ttl = 1h
	stall = 10s
	retries = 1
	negative_ttl = 0s
	END
truncate -s 512M "$WORK/image"
mkfs.btrfs -q "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.btrfs"
mkdir "$WORK/disk"
mount -o loop "$WORK/image" "$WORK/disk" || skip "needs to mount btrfs on a loop device"
mounts+=("$WORK/disk")
btrfs quota enable "$WORK/disk" || skip "needs quotas of btrfs"
btrfs subvolume create "$WORK/disk/ours" >"$LOGS/btrfs"
CACHE=$WORK/disk/ours/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")

set_quota() {
	btrfs qgroup limit "$1" "$WORK/disk/ours" || fail "no quota of $1"
}

cached() {
	fetchfs ls --json | jq -s '[.[] | select(.state == "complete")] | length'
}

# Nothing is lost or wrong, and the quota, not the disk, was what was full.
all_right() {
	fetchfs verify >"$WORK/said" || fail "$1: $(<"$WORK/said")"
	fetchfs -q gc || fail "$1: gc"
	[ "$(find "$CACHE/objects" -type f | wc -l)" -eq "$(fetchfs status --json | jq .objects)" ] ||
		fail "$1: files without rows, or rows without files"
	[ $(($(stat -f -c '%a * %S' "$WORK/disk"))) -gt $((64 << 20)) ] || fail "$1: the disk was full"
	no_debris
}

same() {
	fetchfs cat "$ORIGIN/$1" | cmp - "$ORIGINROOT/$1" || fail "other bytes of $1"
}

# refused COMMAND…: fails, and says why.
refused() {
	expect_failure 1 'disk full|[Qq]uota exceeded|[Nn]o space' "$@"
}

say "what is cached makes way for what comes"
set_quota 28M
for ((i = 0; i < 12; i++)); do
	fetchfs fetch "$ORIGIN/$i" || fail "$i found no room"
	same "$i"
done
[ "$(cached)" -lt 12 ] || fail "the quota held nobody: this proves nothing"
[ "$(cached)" -gt 2 ] || fail "more went than was needed: $(cached) are left"
all_right "evicted"

say "nothing may go: every way of asking is told, and soon"
fetchfs evict --all >/dev/null
for ((pinned = 0; pinned < 8; pinned++)); do
	fetchfs fetch --pin "$ORIGIN/$pinned" 2>/dev/null || break
done
((pinned >= 3 && pinned <= 6)) || fail "$pinned of 4 MiB in 28 MiB"
start_mount
mkdir "$WORK/box"
for uri in "$ORIGIN/8" "$ORIGIN/chunked/9" "$ORIGIN/rate/4000000/10"; do
	expect_errno ENOSPC "$(at "$uri")"
	refused "${fetchfs[@]}" cat "$uri"
	refused "${fetchfs[@]}" fetch "$uri"
	refused "${fetchfs[@]}" prepare --method copy "$WORK/box" "$uri"
	[ -z "$(ls -A "$WORK/box")" ] || fail "left in the box: $(ls -A "$WORK/box")"
done
for ((i = 0; i < pinned; i++)); do
	cmp "$(at "$ORIGIN/$i")" "$ORIGINROOT/$i" || fail "what is cached cannot be read"
done
all_right "refused"

say "it works again once there is room"
set_quota 128M
cmp "$(at "$ORIGIN/8")" "$ORIGINROOT/8" || fail "nothing through the mount"
stop_mount
for ((i = 0; i < 12; i++)); do
	same "$i"
done
[ "$(cached)" -eq 12 ] || fail "not all are kept"
all_right "room"
