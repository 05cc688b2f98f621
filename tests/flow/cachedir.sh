#!/bin/bash
# What a cache is refused for, in words that say what to do; and that its index's log has a bound
# whoever writes and reads.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program sqlite3 curl jq

start_origin
random_file 20000 "$ORIGINROOT/a" a
for ((i = 0; i < 600; i++)); do
	echo "$ORIGIN/a?$i"
done >"$WORK/list"
: >"$CONFIG"

say "an index of a newer version is left alone"
fetchfs fetch "$ORIGIN/a"
version=$(sqlite3 "$CACHE/index.db" "PRAGMA user_version")
sqlite3 "$CACHE/index.db" "PRAGMA user_version = 1000" >/dev/null
before=$(sha256 "$CACHE/index.db")
for command in "fetch $ORIGIN/a" "ls" "gc" "evict --all" "status"; do
	# shellcheck disable=SC2086 # words
	expect_failure 1 'index.db was made by a newer fetchfs \(schema 1000, this one knows [0-9]+\)' \
		"${fetchfs[@]}" $command
done
[ "$(sha256 "$CACHE/index.db")" = "$before" ] || fail "it was changed"
[ ! -e "$CACHE/index.damaged" ] || fail "it was replaced"
sqlite3 "$CACHE/index.db" "PRAGMA user_version = $version" >/dev/null
fetchfs cat "$ORIGIN/a" | cmp - "$ORIGINROOT/a" || fail "other bytes"

say "the log stays short, while readers are at it all the time"
browse() {
	while :; do
		fetchfs ls >/dev/null || return
	done
}
for i in 1 2; do
	browse &
	children+=($!)
done
longest=0
for ((n = 0; n < 6; n++)); do
	fetchfs fetch -i "$WORK/list"
	fetchfs evict --all >/dev/null
	size=$(stat -c %s "$CACHE/index.db-wal" 2>/dev/null || echo 0)
	longest=$((size > longest ? size : longest))
done
echo "  at most $longest bytes"
[ "$longest" -gt 100000 ] || fail "there was no log: this proves nothing"
[ "$longest" -le $((10 << 20)) ] || fail "the log has $longest bytes"
kill "${children[@]: -2}"
wait "${children[@]: -2}" 2>/dev/null || :

say "a file system whose locks cannot be relied on is refused, unless forced"
need_program rclone
mkdir "$WORK/below" "$WORK/far"
rclone mount --config "$WORK/rclone.conf" --vfs-cache-mode writes ":local:$WORK/below" "$WORK/far" \
	>"$LOGS/rclone" 2>&1 &
children+=($!)
mounts+=("$WORK/far")
is_mounted() {
	grep -q " $WORK/far fuse" /proc/self/mounts
}
wait_for 30 is_mounted || skip "rclone does not mount"
far=("$FETCHFS" --cache "$WORK/far/cache" --config "$CONFIG")
expect_failure 1 'far/cache lies on fuse.*force = yes' "${far[@]}" fetch "$ORIGIN/a"
expect_failure 1 'far/cache lies on fuse' "${far[@]}" status
[ -z "$(ls "$WORK/below/cache")" ] || fail "left: $(ls "$WORK/below/cache")"
printf '[cache]\nforce = yes\n' >"$CONFIG"
timeout 60 "${far[@]}" status >"$WORK/said" 2>&1 || fail "it cannot be forced: $(<"$WORK/said")"
