#!/bin/bash
# The file system of the cache becomes read-only, as ext4's does after an error, while a mount
# serves and downloads are under way: what is cached can be read, what is new is told EROFS, nothing
# hangs, and all works again once it can be written.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program mkfs.ext4 jq curl python3 sqlite3
[ -e /dev/loop-control ] || skip "needs loop devices"

start_origin
random_file 3M "$ORIGINROOT/big.bin" big
for ((i = 0; i < 12; i++)); do
	random_file $((20000 + i * 30000)) "$ORIGINROOT/$i" "$i"
done
mkdir "$ORIGINROOT/packed"
random_file 100K "$ORIGINROOT/packed/file" file
tar -C "$ORIGINROOT/packed" -czf "$ORIGINROOT/p.tar.gz" file
printf '[fetch]\nttl = 1h\nstall = 5s\nretries = 1\nnegative_ttl = 0s\n' >"$CONFIG"
mkdir "$WORK/disk"
truncate -s 64M "$WORK/image"
mkfs.ext4 -q -m 0 "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.ext4"
mount -o loop,errors=remount-ro "$WORK/image" "$WORK/disk" || skip "needs to mount a loop device"
mounts=("$WORK/disk" "${mounts[@]}")
CACHE=$WORK/disk/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")


# is_erofs COMMAND…
is_erofs() {
	expect_failure 1 '[Rr]ead-only' "$@"
}

bytes_went_out() {
	[ "$(origin_stat bytes)" -ge "$1" ]
}

say "it becomes read-only in the middle of a download, under a mount"
fetchfs fetch "$ORIGIN"/{0,1,2,3} "$ORIGIN/p.tar.gz"
start_mount
cmp "$(at "$ORIGIN/0")" "$ORIGINROOT/0" || fail "other bytes"
cat "$MNT/http/${ORIGIN#http://}/p.tar.gz.unpacked/file" >/dev/null
before=$(origin_stat bytes)
"${fetchfs[@]}" fetch "$ORIGIN/chunked/rate/1000000/big.bin" 2>"$WORK/err" &
pid=$!
children+=("$pid")
timeout 60 cat "$(at "$ORIGIN/rate/1000000/big.bin")" >"$WORK/got" 2>"$WORK/err.mount" &
reader=$!
children+=("$reader")
wait_for 20 bytes_went_out $((before + 1000000)) || fail "no bytes"
# as ext4 does after an error, whoever has files open for writing
mount -o remount,abort "$WORK/disk" 2>/dev/null || :
wait_for 10 grep -q " $WORK/disk ext4 .*\bro\b" /proc/self/mounts || skip "cannot make it read-only"
status=0
wait "$pid" || status=$?
grep -q "Read-only" "$WORK/err" || fail "status $status: $(<"$WORK/err")"
status=0
wait "$reader" || status=$?
grep -q "Read-only" "$WORK/err.mount" || fail "reader: status $status: $(<"$WORK/err.mount")"
cmp -n "$(stat -c %s "$WORK/got")" "$WORK/got" "$ORIGINROOT/big.bin" || fail "other bytes"

say "what is cached can be read; what is new cannot be had"
for i in 0 1 2 3; do
	timeout 20 cmp "$(at "$ORIGIN/$i")" "$ORIGINROOT/$i" || fail "$i through the mount"
done
timeout 20 cmp "$MNT/http/${ORIGIN#http://}/p.tar.gz.unpacked/file" "$ORIGINROOT/packed/file" || fail "unpacked"
for i in 4 5 chunked/6 big.bin; do
	expect_errno EROFS "$(at "$ORIGIN/$i")"
done
timeout 20 ls -l "$MNT/http/${ORIGIN#http://}" >/dev/null || fail "ls"
timeout 20 jq .in_flight "$MNT/.fetchfs/status" >/dev/null || fail "status"
timeout 20 cat "$MNT/.fetchfs/metrics" "$MNT/.fetchfs/log" >/dev/null || fail "metrics"
stop_mount

# All that only reads works on a cache that nobody can write; the rest says why it does not.
can_be_read() {
	local i
	for i in 0 1 2 3; do
		timeout 20 "${fetchfs[@]}" cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" || fail "$1: cat $i"
	done
	[ "$(fetchfs ls --json | jq -s '[.[] | select(.state == "complete")] | length')" -ge 5 ] || fail "$1: ls"
	[ "$(fetchfs stat --json "$ORIGIN/0" | jq -r .state)" = complete ] || fail "$1: stat"
	fetchfs status >/dev/null || fail "$1: status"
	is_erofs "${fetchfs[@]}" fetch "$ORIGIN/11"
	is_erofs "${fetchfs[@]}" pin "$ORIGIN/0"
}

say "commands read what is cached, and say what they cannot do"
can_be_read "after an error"
is_erofs "${fetchfs[@]}" cat "$ORIGIN/4"
is_erofs "${fetchfs[@]}" fetch "$ORIGIN/4"
is_erofs "${fetchfs[@]}" gc
mkdir "$WORK/box"
is_erofs "${fetchfs[@]}" prepare --method copy "$WORK/box" "$ORIGIN/0"
[ -z "$(ls -A "$WORK/box")" ] || fail "left: $(ls -A "$WORK/box")"

say "once it can be written all works again"
umount "$WORK/disk"
e2fsck -fy "$WORK/image" >"$LOGS/fsck" 2>&1 || [ $? -le 2 ] || fail "fsck"
mount -o loop "$WORK/image" "$WORK/disk"
for i in 0 1 2 3 4 5; do
	fetchfs cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" || fail "$i: other bytes"
done
fetchfs fetch "$ORIGIN/chunked/rate/1000000/big.bin"
fetchfs -q gc
fetchfs verify >"$WORK/said" || fail "$(<"$WORK/said")"
no_debris

say "a mount of it that is read-only: nobody has it open"
mount -o remount,ro "$WORK/disk"
can_be_read "mounted so"
is_erofs "${fetchfs[@]}" cat "$ORIGIN/7"
mount -o remount,rw "$WORK/disk"
fetchfs cat "$ORIGIN/7" | cmp - "$ORIGINROOT/7" || fail "other bytes"

say "born so: from an image, with a log beside the index or without"
fetchfs -q evict "$ORIGIN/7"
umount "$WORK/disk"
mount -o loop,ro "$WORK/image" "$WORK/disk"
can_be_read "born so"
umount "$WORK/disk"
mount -o loop "$WORK/image" "$WORK/disk"
sqlite3 "$CACHE/index.db" "PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
rm -f "$CACHE"/index.db-*
mount -o remount,ro "$WORK/disk"
can_be_read "without a log"
start_mount
cmp "$(at "$ORIGIN/0")" "$ORIGINROOT/0" || fail "a mount of it"
expect_errno EROFS "$(at "$ORIGIN/8")"
stop_mount
