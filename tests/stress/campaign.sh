#!/bin/bash
# Processes at work on one cache are killed, again and again, wherever they are: nothing is lost, nothing is
# leaked, nothing is wrong. What is done, and looked at, is in campaign.py; scripts/soak does it for longer.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_program python3 setpriv

kills=${FETCHFS_TEST_KILLS:-25}
seed=${FETCHFS_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
size=$((24 << 20))
say "$kills kills, seed $seed"

# A file system of the cache's own tells what is in use in one call.
DISK=$WORK/disk
mkdir "$DISK"
mount -t tmpfs -o size=128m,mode=711 fetchfs-test "$DISK" || skip "needs to mount a tmpfs"
mounts+=("$DISK")
mkdir -m 700 "$DISK/cache"
start_origin
echo "[cache]
size = $size
min_free = 1M
hardlink = yes
[policy]
allow = $ORIGIN/
[fetch]
ttl = 1s" >"$CONFIG"

options=()
[ ! -w /dev/fuse ] || options+=(--mount "$MNT")
FETCHFS_FAULT=:: "$FETCHFS" --version >/dev/null 2>&1 || options+=(--faults)
"$FETCHFS_SOURCE/tests/stress/campaign.py" --fetchfs "$FETCHFS" --config "$CONFIG" --disk "$DISK" --work "$WORK" \
	--origin "$ORIGIN" --root "$ORIGINROOT" --size "$size" --kills "$kills" --seed "$seed" "${options[@]}" || {
	status=$?
	tail -n 60 "$WORK/story"
	if [ -n "${FETCHFS_TEST_KEEP-}" ]; then
		mkdir -p "$FETCHFS_TEST_KEEP"
		cp -a --one-file-system "$DISK" "$LOGS" "$CONFIG" "$WORK/story" "$FETCHFS_TEST_KEEP/"
		echo "kept in $FETCHFS_TEST_KEEP: the cache and sandboxes beside it, what was said, every command (story)"
	fi
	exit $status
}
