#!/bin/bash
# An origin that refuses, is silent or sends elsewhere: what is tried again, how often and when, and
# what is not.
. "$(dirname "$0")/../support/lib.sh"
need_program curl jq python3
. "$(dirname "$0")/../support/misbehaviour.sh"

settings 2
say "what is not tried again is asked once"
fails 1 '404 not found' /status/404/a.bin 1
fails 1 '410 gone' /status/410/a.bin 1
fails 1 '401 unauthorized' /status/401/a.bin 1
fails 1 '403 forbidden' /status/403/a.bin 1
fails 1 '400 bad request' /status/400/a.bin 1
fails 1 '501 not implemented' /status/501/a.bin 1
no_debris

say "what is, as often as the configuration says"
fails 3 '500 internal' /status/500/a.bin 3
fails 3 '502 bad gateway' /status/502/a.bin 3
works /first/2/status/500/a.bin 3
settings 0
fails 3 '500 internal' /status/500/a.bin 1
fails 3 '503 service' /status/503/a.bin 1
settings 2

# The milliseconds between the first two requests of the trace.
pause() {
	awk -F '\t' 'NR == 1 { t = $1 } NR == 2 { print $1 - t; exit }' "$WORK/trace"
}

say "Retry-After: not earlier than told, as seconds and as a date; too long a time is told"
works /retryafter/2/1/503/a.bin 2
[ "$(pause)" -ge 2000 ] || fail "asked again after $(pause) ms"
works /retryafter/2/1/429/a.bin 2
[ "$(pause)" -ge 2000 ] || fail "asked again after $(pause) ms"
works /retryafter/d3/1/503/a.bin 2
[ "$(pause)" -ge 1900 ] || fail "asked again after $(pause) ms"
fails 3 '503 service unavailable, retry after 86400 s' /retryafter/86400/9/503/a.bin 1
fails 3 '503 service unavailable, retry after 604800 s' /retryafter/99999999999999999999/9/503/a.bin 1
fails 3 '429 too many requests, retry after (599|600) s' /retryafter/d600/9/429/a.bin 1
no_debris
"${fetchfs[@]}" fetch --json "$ORIGIN/retryafter/3600/9/503/a.bin" >"$WORK/events" 2>/dev/null && fail "success"
jq -se 'any(.[]; .event == "failed" and .error.retry and .error.retry_after == 3600)' "$WORK/events" >/dev/null ||
	fail "events: $(<"$WORK/events")"

say "pauses grow, and not all come back at the same moment"
settings 3
fails 3 '500 internal' /status/500/a.bin 4
awk -F '\t' 'NR > 1 && $1 - t < 125 * 2 ^ (NR - 2) { exit 1 } { t = $1 }' "$WORK/trace" ||
	fail "too early: $(cut -f 1 "$WORK/trace")"
settings 1
anew
printf "$ORIGIN/status/500/%s\n" {1..8} | fetchfs fetch -i - 2>"$WORK/said" && fail "success"
[ "$(wc -l <"$WORK/said")" -eq 8 ] || fail "not 8 lines: $(<"$WORK/said")"
gets_were 16
spread=$(awk -F '\t' '$3 in t { print $1 - t[$3] } { t[$3] = $1 }' "$WORK/trace" | sort -n |
	sed -n '1p;$p' | paste -sd ' ' | awk '{ print $2 - $1 }')
[ "$spread" -ge 15 ] || fail "all paused for as long as the others, to $spread ms"
settings 2

say "redirects: a limit, and what is never followed"
fails 1 'more than 10 redirects' /loop 11
fails 1 'more than 10 redirects' /redirect/11/a.bin 11
works /redirect/10/a.bin 11
fails 1 'redirect to file is never followed' /goto/file:%2F%2F%2Fetc%2Fpasswd 1
fails 1 'redirect to ftp is never followed' /goto/ftp:%2F%2F127.0.0.1%2Fa.bin 1
fails 1 'redirect to a malformed location' /goto/http:%2F%2F 1
fails 1 '302 without a location' /status/302/a.bin 1

say "redirects: relative, without a scheme, with a user, to another host, whose word is told as its"
elsewhere=localhost:${ORIGIN##*:}
works /goto/..%2Fa.bin 2
works "/goto/%2F%2F$elsewhere%2Fa.bin" 2
works "/goto/http:%2F%2Fu:p@$elsewhere%2Fa.bin" 2
grep -q $'GET\t/a.bin\t.*Authorization: Basic dTpw' "$WORK/trace" || fail "the user of the redirect is not used"
works "/goto/http:%2F%2F$elsewhere%2Fa.bin" 2
fails 1 "redirected to http://$elsewhere/status/404/a.bin: 404 not found" \
	"/goto/http:%2F%2F$elsewhere%2Fstatus%2F404%2Fa.bin" 2
fails 3 "redirected to http://$elsewhere/retryafter/99/9/503/a.bin: 503 service unavailable" \
	"/goto/http:%2F%2F$elsewhere%2Fretryafter%2F99%2F9%2F503%2Fa.bin" 2

say "no cookie comes back, no encoding is undone"
works /header/Set-Cookie/k=v/redirect/1/unless/Cookie/a.bin 2
works /unless/Accept-Encoding/header/Content-Encoding/gzip/a.bin 1

say "silence has a limit, and what came before it counts"
start=$SECONDS
fails 3 'no answer|first byte|not one byte' /hang/a.bin 3
fails 3 'stalled|bytes' /stall/1000/a.bin 3
[ $((SECONDS - start)) -lt 40 ] || fail "it took $((SECONDS - start)) s"
printf '[fetch]\nstall = 1s\nstall_rate = 20000\nretries = 0\n' >"$CONFIG"
fails 3 'stalled: [0-9]+ bytes in 1 s' /rate/5000/a.bin 1
settings 2
works /once/stall/600000/a.bin 2
sent_at_most $((size + chunk))
