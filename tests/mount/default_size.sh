#!/bin/bash
# A cache of no configured size: half of what is free on its file system, as long as that is less than a
# quarter of all. It does not shrink as the cache fills, and df, status and the mount say the same.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program mkfs.ext4 jq
[ -e /dev/loop-control ] || skip "needs loop devices"

mkdir "$WORK/disk"
truncate -s 8G "$WORK/image"
mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1 "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.ext4"
mount -o loop "$WORK/image" "$WORK/disk" || skip "needs to mount a loop device"
mounts=("$WORK/disk")
CACHE=$WORK/disk/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
start_origin
random_file 300M "$ORIGINROOT/a.bin" a

# What a df of the mount says, and what a process says that opens the cache now.
of_mount() {
	echo $(($(stat -f -c '%b * %S' "$MNT")))
}
of_status() {
	fetchfs status --json | jq .limit
}

fallocate -l 4500M "$WORK/disk/others"
free=$(($(stat -f -c '%a * %S' "$WORK/disk")))
[ $free -lt $((4 << 30)) ] || fail "$free bytes are free: more than half"
# in the middle between two steps of 64 MiB, so that the index makes no difference
fallocate -l $((2 * ((free / 2 + (32 << 20)) % (64 << 20)) + 4096)) "$WORK/disk/more"
free=$(($(stat -f -c '%a * %S' "$WORK/disk")))
expected=$((free / 2 - free / 2 % (64 << 20)))

say "an empty cache"
start_mount
[ "$(of_mount)" -eq $expected ] || fail "$(of_mount) instead of $expected of $free free bytes"
[ "$(of_status)" -eq $expected ] || fail "status: $(of_status)"

say "the same once it holds something"
fetchfs fetch -q "$ORIGIN/a.bin"
[ "$(of_mount)" -eq $expected ] || fail "$(of_mount) instead of $expected"
[ "$(of_status)" -eq $expected ] || fail "status: $(of_status) instead of $expected"
stop_mount

say "never more than a quarter of the file system, nor less than 1 GiB"
rm "$WORK/disk/others"
quarter=$(($(stat -f -c '%b * %S' "$WORK/disk") / 4))
[ "$(of_status)" -eq $((quarter - quarter % (64 << 20))) ] || fail "$(of_status) of a quarter of $quarter"
fallocate -l 7000M "$WORK/disk/others"
[ "$(of_status)" -eq $((1 << 30)) ] || fail "$(of_status) where little is free"
