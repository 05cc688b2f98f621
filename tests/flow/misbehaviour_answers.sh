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
fails 3 '503 service unavailable' /retryafter/86400/9/503/a.bin 1
no_debris

say "redirects: a loop ends, another host is asked"
fails 1 'more than 10 redirects' /loop 11
works /redirect/3/a.bin 4
works "/goto/http:%2F%2Flocalhost:${ORIGIN##*:}%2Fa.bin" 2

say "silence has a limit, and what came before it counts"
start=$SECONDS
fails 3 'no answer|first byte|not one byte' /hang/a.bin 3
fails 3 'stalled|bytes' /stall/1000/a.bin 3
[ $((SECONDS - start)) -lt 40 ] || fail "it took $((SECONDS - start)) s"
works /once/stall/600000/a.bin 2
sent_at_most $((size + chunk))
