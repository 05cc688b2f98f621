#!/bin/bash
# One big file over several connections where that is faster, and over one where it is not.
. "$(dirname "$0")/../support/lib.sh"

# What the origin's log tells: bytes of bodies, and connections.
served() {
	awk '{ sum += $5 } END { print sum + 0 }' "$ORIGIN_LOG"
}

connections() {
	awk '{ seen[$6] = 1 } END { print length(seen) }' "$ORIGIN_LOG"
}

# fetch_from NAME OPTION…: big.bin from an origin with these options, cold
fetch_from() {
	local name=$1 pid
	shift
	rm -rf "$CACHE" "$WORK/origin.port" "$LOGS/origin"
	start_origin "$@"
	pid=${children[-1]}
	ln -sf "$WWW/big.bin" "$ORIGINROOT/big.bin"
	fetchfs fetch "$ORIGIN/big.bin"
	fetchfs cat "$ORIGIN/big.bin" | cmp - "$WWW/big.bin" || fail "$name: other bytes"
	kill "$pid"
	wait_for 10 gone "$pid" || fail "the origin does not end"
	say "$name: $(connections) connections, $(served) bytes for $SIZE"
	[ "$(served)" -le $((SIZE * 101 / 100)) ] || fail "$name: too many bytes"
}

SIZE=$((48 << 20))
random_file $SIZE "$WWW/big.bin"

fetch_from throttled --rate 4000000
[ "$(connections)" -ge 4 ] || fail "throttled: hardly any connections"
[ "$(connections)" -le 12 ] || fail "throttled: too many connections"

say "never more than per_host allows"
printf '[fetch]\nper_host = 3\n' >"$CONFIG"
fetch_from bounded --rate 8000000
[ "$(connections)" -le 3 ] || fail "bounded: more than three connections"
: >"$CONFIG"

say "as fast as the machine, or without ranges: one request"
fetch_from quick
[ "$(grep -c GET "$ORIGIN_LOG")" -eq 1 ] || fail "quick: more than one request"
fetch_from without --rate 30000000 --no-ranges
[ "$(grep -c GET "$ORIGIN_LOG")" -eq 1 ] || fail "without ranges: more than one request"
