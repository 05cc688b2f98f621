#!/bin/bash
# How long an answer holds: no request while it is fresh, one conditional request after, and a 304
# costs no body.
. "$(dirname "$0")/../support/lib.sh"

# bare: Cache-Control is not in a 304
NGINX_MORE="
	location /bare/ { alias $WWW/; if (\$http_if_none_match = \"\") { add_header Cache-Control no-cache; } }
"
start_nginx
random_file 100K "$WWW/a.bin"

# What the cache knows of $uri.
known() {
	fetchfs stat --json "$uri" | jq -r "$1"
}

# One process each time: nothing is remembered but in the cache.
read_it() {
	"${fetchfs[@]}" "$@" cat "$uri" | cmp - "$WWW/a.bin" || fail "$uri: other bytes"
}

# asked BODIES CONDITIONAL: all requests for $uri since the last time were these, and a 304 has no body
asked() {
	local bodies=0 same=0
	settle_nginx
	while read -r _ path status bytes _; do
		[ "$path" = "${uri#"$HTTP"}" ] || continue
		case $status in
		200) bodies=$((bodies + 1)) ;;
		304) same=$((same + 1)) ;;
		*) fail "$uri: $status" ;;
		esac
		[ "$status" -ne 304 ] || [ "$bytes" -eq 0 ] || fail "a 304 of $bytes bytes"
	done <"$NGINX_LOG"
	[ "$bodies.$same" = "$1.$2" ] || fail "$uri: $bodies bodies and $same confirmations, not $1 and $2"
	: >"$NGINX_LOG"
}

after() {
	[ $EPOCHSECONDS -ge "$1" ]
}

# fresh_for SECONDS HEADER VALUE: by an answer that says so
fresh_for() {
	uri=$HTTP/says/$2/$3/a.bin
	read_it
	read_it
	asked 1 0
	[ "$(known '.expires - .verified')" -eq "$1" ] ||
		fail "$2: $3: fresh for $(known '.expires - .verified') seconds"
}

# stale_at_once HEADER VALUE: at once; each use asks
stale_at_once() {
	uri=$HTTP/says/$1/$2/a.bin
	read_it
	asked 1 0
	read_it
	asked 0 1
	read_it
	asked 0 1
}

say "as the origin says"
fresh_for 3600 Cache-Control max-age=3600
fresh_for 3600 Cache-Control public,%20MAX-AGE=3600,%20must-revalidate
fresh_for 86400 Cache-Control max-age=%2286400%22
uri=$HTTP/says/Cache-Control/immutable/a.bin
read_it
read_it
asked 1 0
[ "$(known '.expires - .verified')" -gt 30000000 ] || fail "immutable: $(known .expires)"

say "until when, by the origin's own clock"
in_http() {
	date -u -d "$1" '+%a,%%20%d%%20%b%%20%Y%%20%T%%20GMT'
}
uri=$HTTP/says/Expires/$(in_http '+2 hours')/a.bin
read_it
read_it
asked 1 0
seconds=$(known '.expires - .verified')
[ "$seconds" -le 7200 ] || fail "Expires: fresh for $seconds seconds"
[ "$seconds" -ge 7000 ] || fail "Expires: fresh for $seconds seconds"

say "what it spent in other caches is over"
start_origin
ln "$WWW/a.bin" "$ORIGINROOT/a.bin"
uri=$ORIGIN/header/Cache-Control/max-age=3600/header/Age/600/a.bin
read_it
[ "$(known '.expires - .verified')" -eq 3000 ] || fail "Age: $(known '.expires - .verified')"

say "as configured, when the origin says nothing; 0: never"
uri=$HTTP/a.bin
read_it
read_it
asked 1 0
[ "$(known '.expires - .verified')" -eq 300 ] || fail "ttl: $(known '.expires - .verified')"
printf '[fetch]\nttl = 0s\n' >"$CONFIG"
uri="$HTTP/a.bin?never"
read_it
asked 1 0
read_it
asked 0 1
: >"$CONFIG"

say "what must not be used unasked"
stale_at_once Cache-Control no-cache
stale_at_once Cache-Control no-store
stale_at_once Cache-Control max-age=0
stale_at_once Cache-Control max-age=nonsense
stale_at_once Cache-Control no-cache,%20max-age=3600
stale_at_once Expires 0
stale_at_once Expires "$(in_http '-2 hours')"

say "from the answer on, not from the end of its body"
ln "$WWW/a.bin" "$ORIGINROOT/slow.bin"
uri=$ORIGIN/header/Cache-Control/max-age=2/rate/25000/slow.bin
read_it
[ "$(known '.expires - .verified')" -eq 2 ] || fail "fresh for $(known '.expires - .verified') s"
[ "$(known '.fetched - .verified')" -ge 2 ] || fail "as if the answer had come with its last byte"

say "a confirmation that does not repeat it leaves it as it was said"
uri=$HTTP/bare/a.bin
read_it
asked 1 0
read_it
asked 0 1
read_it
asked 0 1

say "asked once when its time is over, and confirmed for as long again"
uri=$HTTP/says/Cache-Control/max-age=2/a.bin
read_it
asked 1 0
expires=$(known .expires)
wait_for 10 after "$expires"
read_it
asked 0 1
[ "$(known .expires)" -ge $((expires + 2)) ] || fail "expires at $(known .expires), as before"
[ "$(known .fetched)" -lt "$(known .verified)" ] || fail "it was not fetched again, but says so"

say "--refresh: asked although it is fresh"
uri=$HTTP/a.bin
fetchfs fetch "$uri"
asked 0 0
fetchfs fetch --refresh "$uri"
asked 0 1

say "--refresh while the old version comes: asked once that has come, for all who wait"
in_flight() {
	compgen -G "$CACHE/partial/*.data" >/dev/null
}
uri=$ORIGIN/rate/1000000/late.bin
random_file 3M "$ORIGINROOT/late.bin" old
fetchfs fetch "$uri" &
leader=$!
children+=("$leader")
wait_for 10 in_flight || fail "nothing is on its way"
random_file 3M "$ORIGINROOT/new.bin" new
mv "$ORIGINROOT/new.bin" "$ORIGINROOT/late.bin"
refreshers=()
for _ in 1 2 3 4; do
	fetchfs fetch --refresh "$uri" "$uri" &
	refreshers+=($!)
done
children+=("${refreshers[@]}")
wait "$leader" || fail "who fetched the old version"
for pid in "${refreshers[@]}"; do
	wait "$pid" || fail "who asked for the new version"
done
cmp <(fetchfs cat "$uri") "$ORIGINROOT/late.bin" || fail "the old version after --refresh"
settle_origin
bodies=$(grep -Ec '^GET [^ ]*late.bin - 200 ' "$ORIGIN_LOG")
[ "$bodies" -eq 2 ] || fail "$bodies bodies: $(<"$ORIGIN_LOG")"
