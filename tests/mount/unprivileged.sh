#!/bin/bash
# A user mounts for herself, by fusermount3: without passthrough, the same bytes.
#
# In a mount namespace of its own, whose /dev/fuse everybody may open, as on most machines.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq setpriv
mknod -m 666 "$WORK/fuse" c 10 229
mount --bind "$WORK/fuse" /dev/fuse
readways=$FETCHFS_BUILD/tests/support/readways
user=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
start_origin
random_file 3000001 "$ORIGINROOT/a.bin" a
CACHE=$WORK/own/cache
MNT=$WORK/own/mnt
install -d -m 711 -o 65534 -g 65534 "$WORK/own" "$MNT"
chmod 755 "$ORIGINROOT"
fetchfs=("${user[@]}" "$FETCHFS" --cache "$CACHE" --config "$CONFIG")
fetchfs fetch -q "$ORIGIN/a.bin"

say "mounted"
fetchfs mount -f -v "$MNT" >>"$LOGS/mount" 2>&1 &
MOUNT_PID=$!
children+=("$MOUNT_PID")
mounts+=("$MNT")
wait_for 30 "${user[@]}" test -e "$MNT/.fetchfs/status" || fail "the mount does not answer"
file=$(at "$ORIGIN/a.bin")

say "the bytes, by every way and by many at once"
"${user[@]}" "$readways" ways "$file" "$ORIGINROOT/a.bin" || fail "a complete one"
"${user[@]}" "$readways" race 16 10 "$file" "$ORIGINROOT/a.bin" || fail "a race"

say "status and log say why the kernel does not read itself"
"${user[@]}" cat "$MNT/.fetchfs/status" >"$WORK/status"
[ "$(jq .passthrough.on "$WORK/status")" = false ] || fail "on: $(<"$WORK/status")"
why=$(jq -r .passthrough.why "$WORK/status")
[[ $why == "no privilege"* || $why == *"does not offer"* ]] || fail "why: $why"
grep -q "passthrough: off: " "$LOGS/mount" || fail "the log does not say"
[ "$(jq .passthrough.fallbacks "$WORK/status")" -eq 167 ] || fail "$(jq -c .passthrough "$WORK/status")"

say "nobody else gets in, not even root"
if stat "$MNT/.fetchfs/status" 2>/dev/null; then fail "root sees it"; fi
stop_mount
