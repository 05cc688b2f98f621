#!/bin/bash
# Who waits for a connection, and is not wanted any more, keeps nobody else waiting.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program jq

start_origin
random_file 1000 "$ORIGINROOT/x.bin"
cp "$ORIGINROOT/x.bin" "$ORIGINROOT/hold.bin"

in_flight() {
	[ "$(jq .in_flight "$MNT/.fetchfs/status")" = "$1" ]
}

printf '[fetch]\nper_host = 1\n' >"$CONFIG"
start_mount
cat "$(at "$ORIGIN/latency/8000/hold.bin")" >/dev/null &
children+=($!)
wait_for 10 in_flight 1 || fail "nobody has the connection"
cat "$(at "$ORIGIN/x.bin")" >/dev/null &
pid=$!
wait_for 10 in_flight 2 || fail "nobody waits for it"
kill -KILL $pid
{ wait $pid || :; } 2>/dev/null

say "another process"
fetchfs fetch "$ORIGIN/x.bin"
settle_mount
stop_mount
no_debris
settle_origin
[ "$(origin_requests GET /x.bin)" -eq 1 ] || fail "it was asked for in vain"
head -n 1 "$ORIGIN_LOG" | grep -q x.bin || fail "it came after what had the connection"
