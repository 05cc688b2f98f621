#!/bin/bash
# The scripted origin, on which other tests rely, does what it says.
. "$(dirname "$0")/../support/lib.sh"
need_program curl jq

random_file 1M "$WORK/a.bin"
python3 -c 'import sys
sys.stdout.buffer.write(bytes(b ^ 1 for b in open(sys.argv[1], "rb").read()))' "$WORK/a.bin" >"$WORK/b.bin"
# $WORK/origin is there before the server is
mkdir "$WORK/origin"
cp "$WORK/a.bin" "$WORK/origin"
start_origin --trace "$WORK/trace"

# got STATUS FILE PATH: what curl gets
got() {
	local status
	status=$(curl -s -o "$WORK/got" -w '%{http_code}' "$ORIGIN$3") || status+=" broken"
	[ "$status" = "$1" ] || fail "$3: $status"
	cmp "$2" "$WORK/got" || fail "$3: other bytes"
}

say "/once/ and /first/: the first GETs only, HEAD behaves and does not count"
curl -sfI "$ORIGIN/once/status/503/a.bin" >"$WORK/head" || fail "HEAD misbehaves"
curl -s -o "$WORK/got" "$ORIGIN/once/short/1000/a.bin" && fail "the first one is whole"
cmp "$WORK/got" <(head -c 1000 "$WORK/a.bin") || fail "the first one is not what it should be"
got 200 "$WORK/a.bin" /once/short/1000/a.bin
for _ in 1 2; do got 404 <(echo "status 404") /first/2/status/404/a.bin; done
got 200 "$WORK/a.bin" /first/2/status/404/a.bin

say "/etagafter/: another artifact from then on"
etag() {
	curl -sfI "$ORIGIN$1" | tr -d '\r' | sed -n 's/^ETag: //p'
}
old=$(etag /etagafter/1/a.bin)
got 200 "$WORK/a.bin" /etagafter/1/a.bin
got 200 "$WORK/b.bin" /etagafter/1/a.bin
[ "$(etag /etagafter/1/a.bin)" != "$old" ] || fail "the same ETag"

say "/retryafter/: as often as told, in seconds or as a date"
header=$(curl -sI "$ORIGIN/retryafter/3/1/429/a.bin" | tr -d '\r')
[[ $header == *429* && $header == *"Retry-After: 3"* ]] || fail "$header"
got 200 "$WORK/a.bin" /retryafter/3/1/429/a.bin
curl -sI "$ORIGIN/retryafter/d3/1/503/a.bin" | grep -Eq '^Retry-After: .* GMT' || fail "no date"

say "counters, the log and the trace agree"
quiet_origin
[ "$(origin_stat bytes)" -eq "$(origin_sent '.*')" ] || fail "$(origin_stat bytes) and $(origin_sent '.*') bytes"
[ "$(wc -l <"$WORK/trace")" -eq "$(wc -l <"$ORIGIN_LOG")" ] || fail "requests without a trace"
curl -s -o /dev/null -H 'If-Match: "x"' "$ORIGIN/a.bin" || fail "no answer"
grep -q $'^[0-9]*\tGET\t/a.bin\t.*If-Match: "x"' "$WORK/trace" || fail "$(tail -n 1 "$WORK/trace")"
requests=$(origin_stat requests)
curl -s --max-time 1 -o /dev/null "$ORIGIN/stall/1000/a.bin" &
children+=($!)
wait_for 10 origin_stat_is running 1 || fail "not running"
wait_for 10 origin_stat_is running 0 || fail "still running"
[ "$(origin_stat requests)" -eq $((requests + 1)) ] || fail "counters are counted"

say "a rate for all together, at most so many at once, and death"
start_origin --total-rate 1000000 --max-connections 2 --die-after 4000000
second() {
	curl -s -o "$WORK/got.$1" "$ORIGIN/a.bin"
}
start=${EPOCHREALTIME/[.,]/}
second 1 & one=$!
second 2 & two=$!
wait_for 10 origin_stat_is running 2 || fail "not two"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$ORIGIN/a.bin")" = 503 ] || fail "a third one"
wait $one || fail "no answer to the first"
wait $two || fail "no answer to the second"
cmp "$WORK/got.1" "$WORK/a.bin" || fail "other bytes for the first"
cmp "$WORK/got.2" "$WORK/a.bin" || fail "other bytes for the second"
took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
[ $took -ge 1900 ] || fail "2 MiB at 1 MB/s in $took ms"
second 3 || fail "dead too early"
! second 4 || fail "it does not die"
wait_for 10 gone "$ORIGIN_PID" || fail "it is not dead"
