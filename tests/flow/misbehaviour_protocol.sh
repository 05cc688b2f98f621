#!/bin/bash
# An origin that breaks HTTP or TLS: right bytes or a precise error, after so many requests, and
# nothing left behind that cannot be resumed.
. "$(dirname "$0")/../support/lib.sh"
need_program openssl curl jq

start_raw
random_file 700K "$RAWROOT/a.bin" a
for name in b c d e; do cp "$RAWROOT/a.bin" "$RAWROOT/$name.bin"; done
cat >"$CONFIG" <<-END
	[fetch]
	stall = 2s
	connect = 5s
	retries = 1
	ca_file = $CA
END

# gets [BASE]PATH REQUESTS: cat prints the right bytes, after so many GETs
gets() {
	fetchfs cat "$1" >"$WORK/got" || fail "$1: status $?"
	cmp "$RAWROOT/a.bin" "$WORK/got" || fail "$1: other bytes"
	requests_made "$1" "$2"
}

requests_made() {
	wait_for 10 raw_is_quiet || fail "$1: still asked for"
	local path=${1#*://*/} count
	count=$(grep -cF "GET /$path " "$RAW_LOG" || :)
	[ "$count" -eq "$2" ] || fail "$1: $count requests instead of $2: $(<"$RAW_LOG")"
	: >"$RAW_LOG"
}

raw_is_quiet() {
	curl -sS --max-time 20 "$RAW/.stats" | jq -e '.running == 0' >/dev/null
}

# fails STATUS REGEX PATH REQUESTS: one line, and nothing in the cache
fails() {
	expect_failure "$1" "^fetchfs: fetch [^ ]+: $2" "${fetchfs[@]}" fetch "$3"
	requests_made "$3" "$4"
	no_debris
}

# keeps …: the same, of a download that can be resumed
keeps() {
	expect_failure "$1" "^fetchfs: fetch [^ ]+: $2" "${fetchfs[@]}" fetch "$3"
	requests_made "$3" "$4"
	fetchfs evict --all >/dev/null
	rm -f "$CACHE"/partial/*
}

say "what is odd, and allowed"
gets "$RAW/a.bin" 1
gets "$RAW/chunked/a.bin" 1
gets "$RAW/untilclose/a.bin" 1
gets "$RAW/status/HTTP%2F1.0%20200%20OK/untilclose/a.bin" 1
gets "$RAW/status/HTTP%2F1.0%20200%20OK/a.bin" 1
gets "$RAW/interim/5/a.bin" 1
gets "$RAW/pad/60000/a.bin" 1
gets "$RAW/many/1000/a.bin" 1
gets "$RAW/line/Content-Encoding:%20gzip/a.bin" 1
gets "$RAW/line/Content-Length:%20716800/a.bin" 1

say "one byte a packet"
random_file 3000 "$RAWROOT/small.bin" small
fetchfs cat "$RAW/bytewise/100/small.bin" | cmp - "$RAWROOT/small.bin" || fail "bytewise"
fetchfs cat "$RAW/bytewise/100/chunked/small.bin" | cmp - "$RAWROOT/small.bin" || fail "bytewise, chunked"
fetchfs cat "$RAWS/bytewise/100/untilclose/small.bin" | cmp - "$RAWROOT/small.bin" || fail "bytewise, TLS"
: >"$RAW_LOG"

say "what is no HTTP is told at once, and not asked again"
fails 1 'received HTTP/0.9' "$RAW/garbage/a.bin" 1
fails 1 'received HTTP/0.9' "$RAW/http09/a.bin" 1
fails 1 'unsupported HTTP version' "$RAW/status/HTTP%2F9.9%20200%20OK/a.bin" 1
fails 1 'unexpected answer 700' "$RAW/status/HTTP%2F1.1%20700%20Odd/a.bin" 1
fails 1 '206 without' "$RAW/status/HTTP%2F1.1%20206%20Part/a.bin" 1
fails 1 'header without colon' "$RAW/line/no%20colon/a.bin" 1
fails 1 'nul byte in header' "$RAW/line/X:%20a%00b/a.bin" 1
fails 1 'nul byte in header' "$RAW/line/ETag:%20%22a%00b%22/a.bin" 1
fails 1 'headers are longer than 65536 bytes' "$RAW/pad/70000/a.bin" 1
fails 1 'the headers are too long' "$RAW/pad/1048576/a.bin" 1
fails 1 'headers are longer than 65536 bytes' "$RAW/many/10000/a.bin" 1
fails 1 'headers are longer than 65536 bytes' "$RAW/many/20000/a.bin" 1
fails 1 'trailers are longer than 65536 bytes' "$RAW/trailers/a.bin" 1
fails 1 'more than 100 interim answers' "$RAW/interim/5000/a.bin" 1
fails 1 'invalid Content-Length' "$RAW/length/abc/a.bin" 1
fails 1 'invalid Content-Length' "$RAW/length/-5/a.bin" 1
fails 1 'content-length 9223372036854775808 makes no sense' "$RAW/length/9223372036854775808/a.bin" 1
fails 1 'content-length 18446744073709551617 makes no sense' "$RAW/length/18446744073709551617/a.bin" 1
fails 1 'larger than the cache' "$RAW/length/9223372036854775807/a.bin" 1
fails 1 'transfer-encoding gzip' "$RAW/chunked/line/Transfer-Encoding:%20gzip/a.bin" 1
fails 1 'unexpected answer 304' "$RAW/status/HTTP%2F1.1%20304%20Not%20Modified/a.bin" 1
fails 1 'contradictory content-lengths' "$RAW/line/Content-Length:%20716799/a.bin" 1

say "headers that stop in the middle"
fails 3 'stalled|no answer|first byte|not one byte' "$RAW/stopinhead/30/a.bin" 2

say "the body is longer than promised: what was promised; with a digest, nothing"
fetchfs cat "$RAW/lie/-1000/a.bin" | cmp - <(head -c 715800 "$RAWROOT/a.bin") || fail "lie/-1000"
: >"$RAW_LOG"
random_file 700K "$RAWROOT/other.bin" other # its content is not in the cache yet
digest=sha256=$(sha256 "$RAWROOT/other.bin")
expect_failure 1 'sha256.*expected' "${fetchfs[@]}" fetch "$RAW/lie/-999/other.bin#$digest"
requests_made "$RAW/lie/-999/other.bin" 2
no_debris

say "more than was promised is nobody's answer"
# together NAME…: one after the other, over one connection if that can be; all are right
together() {
	local name
	fetchfs evict --all >/dev/null
	: >"$RAW_LOG"
	printf "$base/%s\n" "$@" | timeout 60 "${fetchfs[@]}" fetch -j 1 -i - || fail "$*: status $?"
	for name; do
		fetchfs cat "$base/$name" >"$WORK/got" || fail "$name: status $?"
		cmp "$WORK/got" <(head -c "$(stat -c %s "$WORK/got")" "$RAWROOT/a.bin") || fail "$name: other bytes"
		[ "$(stat -c %s "$WORK/got")" -eq 716800 ] || [[ $name == *lie* ]] || fail "$name: too short"
	done
	[ "$(wc -l <"$RAW_LOG")" -eq $# ] || fail "not $# requests: $(<"$RAW_LOG")"
}
connections() {
	cut -d ' ' -f 6 "$RAW_LOG" | sort -u | wc -l
}
forged=HTTP%2F1.1%20200%20OK%0D%0AContent-Length:%205%0D%0A%0D%0AEVIL!
for base in "$RAW" "$RAWS"; do
	together keep/a.bin keep/b.bin keep/c.bin
	[ "$(connections)" -eq 1 ] || fail "a connection that is clean is not used again"
	together keep/lie/-1000/a.bin keep/b.bin keep/c.bin
	together "keep/after/$forged/a.bin" keep/b.bin keep/c.bin
	together "keep/after/garbage/a.bin" keep/b.bin
done
: >"$RAW_LOG"

say "a body that ends too soon is asked for again, and never taken for the whole"
# (the second time, for the rest)
keeps 3 'body shorter than promised: 1000 of 715800 bytes' "$RAW/cut/1000/a.bin" 2
keeps 3 '.*reset by peer|body shorter' "$RAW/reset/1000/a.bin" 2
# (the length is a lie: there is no rest, and the whole comes as short again)
fails 3 'body shorter than promised: 716800 of 717800 bytes' "$RAW/lie/1000/a.bin" 3
keeps 3 'stalled: 0 bytes in 2 s' "$RAW/keep/lie/1000/a.bin" 3
fails 3 'illegal or missing hexadecimal' "$RAW/badchunk/100000/a.bin" 2
fails 3 'too long hexadecimal|illegal or missing hexadecimal' "$RAW/hugechunk/100000/a.bin" 2
fails 3 'transfer closed with outstanding' "$RAW/nolast/a.bin" 2
fails 3 'illegal or missing hexadecimal' "$RAW/line/Transfer-Encoding:%20chunked/a.bin" 2
gets "$RAW/once/cut/300000/a.bin" 2
# (less than a chunk each time, but something: a try that brought some counts as the first one)
gets "$RAW/cut/100000/a.bin" 8
gets "$RAWS/cut/100000/nonotify/b.bin" 8
gets "$RAW/once/reset/300000/a.bin" 2
gets "$RAW/once/nolast/a.bin" 2
gets "$RAW/once/badchunk/300000/a.bin" 2

say "TLS that ends without its end: harmless only where the length is told"
gets "$RAWS/a.bin" 1
gets "$RAWS/nonotify/a.bin" 1
gets "$RAWS/nonotify/chunked/a.bin" 1
gets "$RAWS/untilclose/a.bin" 1
fails 3 'body cut: the connection broke off, and TLS' "$RAWS/untilclose/nonotify/a.bin" 2
fails 3 'body cut: the connection broke off, and TLS' "$RAWS/untilclose/cut/300000/nonotify/a.bin" 2
keeps 3 'body shorter than promised' "$RAWS/cut/1000/nonotify/a.bin" 2
keeps 3 'body shorter than promised' "$RAWS/cuttls/1000/a.bin" 2
gets "$RAWS/once/cuttls/300000/b.bin" 2
gets "$RAWS/once/cut/300000/b.bin" 2
gets "$RAWS/once/reset/300000/b.bin" 2

say "a certificate that nobody vouches for is told at once"
sed -i '/ca_file/d' "$CONFIG"
fails 1 '.*certificate' "$RAWS/e.bin" 0
echo "ca_file = $CA" >>"$CONFIG"

say "nothing of it harms the cache"
fetchfs fetch "$RAW/c.bin"
fetchfs cat "$RAW/c.bin" | cmp - "$RAWROOT/a.bin" || fail "afterwards: other bytes"
no_debris
