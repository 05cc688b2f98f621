#!/bin/bash
# What is here stands in for an origin that cannot be asked; never for one that says no. And a
# download has an end, whatever happens.
. "$(dirname "$0")/../support/lib.sh"

# settings LINE…: of [fetch]
settings() {
	printf '%s\n' '[fetch]' 'connect = 2s' 'first_byte = 2s' 'stall = 1s' "$@" >"$CONFIG"
}

start_origin
random_file 300k "$ORIGINROOT/a.bin"
settings 'ttl = 0' 'retries = 1'

say "404, once it is gone: no copy stands in"
uri=$ORIGIN/a.bin
fetchfs fetch "$uri"
mv "$ORIGINROOT/a.bin" "$ORIGINROOT/kept.bin"
fetchfs fetch "$ORIGIN/kept.bin"
expect_failure 1 "404 not found" "${fetchfs[@]}" cat "$uri"

say "nor for any other no"
for status in 401 403 404 410; do
	fetchfs fetch "$ORIGIN/statusafter/1/$status/kept.bin"
	expect_failure 1 "$status " "${fetchfs[@]}" cat "$ORIGIN/statusafter/1/$status/kept.bin"
done
fetchfs fetch "$ORIGIN/statusafter/1/500/kept.bin"
fetchfs -q cat "$ORIGIN/statusafter/1/500/kept.bin" | cmp - "$ORIGINROOT/kept.bin" || fail "500"

say "nor where the origin forbade it"
for said in must-revalidate no-cache max-age=0,%20must-revalidate; do
	uri=$ORIGIN/header/Cache-Control/$said/statusafter/1/500/kept.bin
	fetchfs fetch "$uri"
	settings 'ttl = 0' 'retries = 0'
	expect_failure 3 "500" "${fetchfs[@]}" cat "$uri"
done
settings 'ttl = 0' 'retries = 1'

say "an origin that is gone: the old copy"
kill "$ORIGIN_PID"
wait_for 10 gone "$ORIGIN_PID"
fetchfs cat "$ORIGIN/kept.bin" 2>"$WORK/said" | cmp - "$ORIGINROOT/kept.bin" ||
	fail "kept.bin differs"
grep -q "warning: .*kept.bin: an old copy stands in: .*connect" "$WORK/said" ||
	fail "not a word about it: $(<"$WORK/said")"

say "but not for who wants to know, nor beyond its time"
expect_failure 3 "connect" "${fetchfs[@]}" fetch --refresh "$ORIGIN/kept.bin"
settings 'ttl = 0' 'retries = 0' 'stale_if_error = 0'
rm -rf "$CACHE"
port=${ORIGIN##*:}
start_origin
fetchfs fetch "$ORIGIN/kept.bin"
kill "$ORIGIN_PID"
wait_for 10 gone "$ORIGIN_PID"
expect_failure 3 "connect" "${fetchfs[@]}" cat "$ORIGIN/kept.bin"

say "who stalls is given up, and the old copy stands in; it is not asked again at once"
settings 'ttl = 0' 'retries = 0'
start_origin
rm -rf "$CACHE"
random_file 2M "$ORIGINROOT/s.bin" one
uri=$ORIGIN/first/1/header/X-A/b/s.bin
fetchfs fetch "$uri"
cp "$ORIGINROOT/s.bin" "$WORK/old"
random_file 2M "$ORIGINROOT/s.bin" two
printf '%s\n' '[fetch]' 'ttl = 0' 'retries = 0' 'stall = 1s' 'total = 1s' >"$CONFIG"
kill -STOP "$ORIGIN_PID"
fetchfs -q cat "$uri" >"$WORK/got" || fail "no copy stood in"
cmp "$WORK/got" "$WORK/old" || fail "other bytes"
start=${EPOCHREALTIME/[.,]/}
fetchfs cat "$uri" | cmp - "$WORK/old" || fail "other bytes"
[ $((${EPOCHREALTIME/[.,]/} - start)) -lt 900000 ] || fail "a silent origin was asked again at once"
kill -CONT "$ORIGIN_PID"

say "total bounds all tries together"
printf '%s\n' '[fetch]' 'retries = 100' 'total = 3s' >"$CONFIG"
start=${EPOCHREALTIME/[.,]/}
expect_failure 3 "not finished within 3 s|503" "${fetchfs[@]}" fetch "$ORIGIN/status/503/s.bin"
took=$((${EPOCHREALTIME/[.,]/} - start))
say "$((took / 1000)) ms"
[ $took -ge 2900000 ] || fail "it took only $took us"
[ $took -lt 6500000 ] || fail "it took $took us"
expect_failure 3 "not finished within 3 s" "${fetchfs[@]}" fetch "$ORIGIN/rate/100000/s.bin"

say "what had come by then is not fetched again"
printf '%s\n' '[fetch]' 'retries = 0' >"$CONFIG"
fetchfs fetch "$ORIGIN/rate/4000000/s.bin"
random_file 8M "$ORIGINROOT/r.bin"
printf '%s\n' '[fetch]' 'total = 1s' >"$CONFIG"
expect_failure 3 "not finished" "${fetchfs[@]}" fetch "$ORIGIN/rate/1500000/r.bin"
printf '%s\n' '[fetch]' >"$CONFIG"
fetchfs fetch "$ORIGIN/rate/1500000/r.bin"
fetchfs cat "$ORIGIN/rate/1500000/r.bin" | cmp - "$ORIGINROOT/r.bin" || fail "r.bin differs"
quiet_origin
sent=$(origin_sent '/rate/1500000/r.bin')
[ "$sent" -le $(((8 << 20) + (2 << 20))) ] || fail "$sent bytes were sent for 8 MiB"
