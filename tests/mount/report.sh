#!/bin/bash
# fetchfs report --mount: how much of what was opened there came from the cache.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program jq

start_origin
random_file 1M "$ORIGINROOT/a.bin"
start_mount
for _ in 1 2 3 4; do
	cmp "$(at "$ORIGIN/a.bin")" "$ORIGINROOT/a.bin" || fail "bytes differ"
	settle_mount # an open of what is on its way still is no hit
done
"$FETCHFS" report --mount "$MNT" --json >"$WORK/report.json"
jq -e --slurpfile status "$MNT/.fetchfs/status" '.cache == $status[0].cache and .served.misses == $status[0].misses and
	.served.hits == $status[0].hits and .served.hits > 0 and .served.misses > 0 and
	.served.fetched_bytes == 1048576' "$WORK/report.json" >/dev/null || fail "$(<"$WORK/report.json")"
hits=$(jq '.served.hits' "$WORK/report.json")
opens=$(jq '.served | .hits + .misses' "$WORK/report.json")
share=$((1000 * hits / opens))
"$FETCHFS" report --mount "$MNT" | grep -q "^$((share / 10))\.$((share % 10))% of $opens opens by way of $MNT" ||
	fail "$("$FETCHFS" report --mount "$MNT")"
FETCHFS_MOUNT=$MNT "$FETCHFS" report --html "$WORK/page.html"
python3 "$FETCHFS_SOURCE/tests/support/page.py" "$WORK/page.html" >"$WORK/text" || fail "the page is broken"
grep -q "^of $opens opens in .* were hits" "$WORK/text" || fail "$(<"$WORK/text")"
"$FETCHFS" report --cache "$CACHE" --json | jq -e '.served == null' >/dev/null || fail "without a mount nobody counts"
stop_mount
