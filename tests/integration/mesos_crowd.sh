#!/bin/bash
# mesos-fetcher: many calls at once, and one that fails; defects of Mesos' own that this one lacks.
# (Bn: as counted in docs/mesos.md.)
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/mesos.sh"
start_origin
start_raw
printf '%s\n' '[fetch]' 'retries = 1' >"$CONFIG"

random_file 3M "$ORIGINROOT/big" big
for name in one two small; do random_file 60K "$ORIGINROOT/$name" "$name"; done

# crowd N ITEM…: N calls at once, each into a box of its own, "$WORK/box-1" …
crowd() {
	local n=$1 i pids=() status=0
	shift
	for ((i = 1; i <= n; i++)); do
		box=$WORK/box-$i
		rm -rf "$box"
		mkdir "$box"
		MESOS_FETCHER_INFO=$(info "$@") "$FETCHER" 2>"$WORK/stderr-$i" &
		pids+=($!)
		children+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || status=$?
	done
	[ $status -eq 0 ] || fail "one of $n: $(tail -n 1 "$WORK"/stderr-[0-9]*)"
	box=$WORK/box
}

say "five at once on one URI: one download, with cache and without"
for cache in true false; do
	uri=$ORIGIN/rate/2000000/header/X-$cache/1/big
	crowd 5 "$(item "$uri" "{\"cache\": $cache, \"extract\": false}")"
	for i in {1..5}; do
		cmp "$WORK/box-$i/big" "$ORIGINROOT/big" || fail "box-$i: other bytes"
	done
	settle_origin
	sent=$(origin_sent "/rate/2000000/header/X-$cache/1/big")
	[ "$sent" -le $((3 * 1024 * 1024 * 11 / 10)) ] || fail "cache $cache: $sent bytes were sent"
done

say "cache: false never gives what is old, cache: true what is fresh without asking"
new_box
fetched "$(item "$ORIGIN/one" '{"cache": true}')"
random_file 61K "$ORIGINROOT/one" another
touch -d '+5 seconds' "$ORIGINROOT/one"
fetched "$(item "$ORIGIN/one" '{"cache": true}')"
! cmp -s "$box/one" "$ORIGINROOT/one" || fail "asked, though it was fresh"
fetched "$(item "$ORIGIN/one")"
same one "$ORIGINROOT/one"
settle_origin
before=$(origin_sent /one)
fetched "$(item "$ORIGIN/one")"
settle_origin
[ "$(origin_sent /one)" -eq "$before" ] || fail "unchanged, and sent again"

say "B1, B2: nobody asks for a size first: HEAD may answer whatever it likes, or never"
new_box
fetched "$(item "$ORIGIN/nohead/small" '{"cache": true}')"
same small "$ORIGINROOT/small"
settle_origin
[ "$(origin_requests HEAD '/.*')" -eq 0 ] || fail "HEAD was sent"

say "B3, B4, B5: one URI several times in a call, with cache and without, under several names"
new_box
fetched "$(item "$ORIGIN/nohead/header/A/1/small" '{"cache": true}')" \
	"$(item "$ORIGIN/nohead/header/A/1/small")" \
	"$(item "$ORIGIN/nohead/header/A/1/small" '{"cache": true, "output_file": "again"}')" \
	"$(item "$ORIGIN/nohead/header/A/1/small" '{"cache": true, "output_file": "again"}')"
same small "$ORIGINROOT/small"
same again "$ORIGINROOT/small"
settle_origin
[ "$(origin_sent /nohead/header/A/1/small)" -eq 61440 ] || fail "sent more than once"

say "B6: what others wait for does not keep anybody waiting"
mkdir "$WORK/slow"
MESOS_FETCHER_INFO=$(info "$(item "$ORIGIN/hang/big" '{"cache": true}')" |
	jq -c --arg box "$WORK/slow" '.sandbox_directory = $box') \
	"$FETCHER" 2>"$WORK/stderr-slow" &
slow=$!
children+=("$slow")
begun() { grep -q 'Fetching URI' "$WORK/stderr-slow"; }
wait_for 20 begun || fail "the slow one does not begin"
new_box
fetched "$(item "$ORIGIN/two")"
same two "$ORIGINROOT/two"
! gone "$slow" || fail "the slow one is through"
kill -KILL "$slow"
wait "$slow" 2>/dev/null || :

say "B7: what was fetched before one failed is in the cache"
new_box
refused 404 "$(item "$ORIGIN/header/B/1/two" '{"cache": true}')" "$(item "$ORIGIN/none")"
settle_origin
[ "$(origin_sent /header/B/1/two)" -eq 61440 ] || fail "it was not fetched"
fetched "$(item "$ORIGIN/header/B/1/two" '{"cache": true}')"
settle_origin
[ "$(origin_sent /header/B/1/two)" -eq 61440 ] || fail "fetched again"

say "B8: an artifact that gets smaller is counted as what it is"
new_box
random_file 2M "$ORIGINROOT/shrinks"
fetched "$(item "$ORIGIN/shrinks")"
used=$(fetchfs status --json | jq .used)
random_file 1K "$ORIGINROOT/shrinks"
touch -d '+5 seconds' "$ORIGINROOT/shrinks"
fetched "$(item "$ORIGIN/shrinks")"
same shrinks "$ORIGINROOT/shrinks"
now=$(fetchfs status --json | jq .used)
((now >= used && now <= used + 65536)) || fail "$used bytes, then $now"
fetchfs evict "$ORIGIN/shrinks"

say "B9: what vanished from the cache is fetched again"
new_box
fetched "$(item "$ORIGIN/two" '{"cache": true}')"
rm "$(find "$CACHE/objects" -name "$(sha256 "$ORIGINROOT/two")")"
new_box
fetched "$(item "$ORIGIN/two" '{"cache": true}')"
same two "$ORIGINROOT/two"

say "B10: who sends less than he promised fails, and who sends more fills nobody's disk"
cp "$ORIGINROOT/two" "$RAWROOT/two"
new_box
refused . "$(item "$RAW/lie/100000/two" '{"extract": false}')"
[ -z "$(contents)" ] || fail "there is $(contents)"
fetched "$(item "$RAW/lie/-30000/two" '{"extract": false}')"
head -c 31440 "$ORIGINROOT/two" | cmp - "$box/two" || fail "not what was promised"

say "one failure is one exit: nothing of it in the sandbox, and no wait for the others"
new_box
random_file 50K "$box/two" before
cp "$box/two" "$WORK/before"
refused . "$(item "$ORIGIN/short/1000/two")" "$(item "$ORIGIN/hang/one")"
same two "$WORK/before"
[ "$(contents)" = "./two " ] || fail "there is $(contents)"

say "silence for longer than stall_timeout is a failure"
new_box
fetcher "$(info "$(item "$ORIGIN/stall/5000/two")" | jq -c '.stall_timeout.nanoseconds = 1999999999')"
[ $status -eq 1 ] || fail "stalled: status $status"
said 'stalled: '
said 'in 1 s'
[ -z "$(contents)" ] || fail "there is $(contents)"
fetcher "$(info "$(item "$ORIGIN/hang/two")" | jq -c '.stall_timeout.nanoseconds = "1000000000"')"
[ $status -eq 1 ] || fail "hangs: status $status"
said 'no answer within 1 s'
say "… and less than a second is no timeout"
fetcher "$(info "$(item "$ORIGIN/latency/1500/two")" | jq -c '.stall_timeout.nanoseconds = 999999999')"
[ $status -eq 0 ] || fail "late: $(<"$WORK/stderr")"
