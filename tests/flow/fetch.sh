#!/bin/bash
# fetch: many URIs, from arguments, files and pipes; what it prints, and how it is interrupted.
. "$(dirname "$0")/../support/lib.sh"
need_program jq python3

for i in {1..40}; do random_file 10K "$WWW/$i" "$i"; done
own=file://$WWW

say "a digest is checked, by option and by fragment"
digest=$(sha256 "$WWW/1")
fetchfs fetch --digest "sha256:$digest" "$own/1"
fetchfs fetch "$own/1#sha256=$digest"
expect_failure 1 'digest|sha' "${fetchfs[@]}" fetch --digest "sha256:${digest//[0-7]/8}" "$own/2"

say "silence in a pipe"
fetchfs fetch "$own/1" "$own/2" >"$WORK/out" 2>&1
[ ! -s "$WORK/out" ] || fail "printed: $(<"$WORK/out")"
fetchfs fetch -v "$own/1" 2>&1 | grep -qF "$CACHE" || fail "-v does not say which cache"

say "--json: the end of each, with what there is to say"
fetchfs fetch --json "$own/1" "$own/3" "$own/none" >"$WORK/json" 2>"$WORK/stderr" && fail "status 0"
jq -c 'select(.event == "done" or .event == "failed")' "$WORK/json" >"$WORK/ends"
[ "$(jq -s length "$WORK/ends")" -eq 3 ] || fail "not three: $(<"$WORK/json")"
one=$(jq -r 'select(.uri | endswith("/3")) | "\(.state) \(.size) \(.sha256) \(.error)"' "$WORK/ends")
[ "$one" = "complete 10240 $(sha256 "$WWW/3") null" ] || fail "said: $one"
[ "$(jq -r 'select(.uri | endswith("/1")) | .cached' "$WORK/ends")" = true ] || fail "1: not cached"
[ "$(jq -r 'select(.uri | endswith("/3")) | .cached' "$WORK/ends")" = false ] || fail "3: cached"
[ "$(jq -r 'select(.error) | .error.errno' "$WORK/json")" = ENOENT ] || fail "$(<"$WORK/json")"
grep -Eq "^fetchfs: fetch $own/none: " "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"

say "a list: comments, blank lines, lines that are wrong"
{
	echo "# comment"
	echo
	echo "  $own/4	"
	head -c 9000 /dev/zero | tr '\0' x
	echo
	printf '%s' "$own/5"
} >"$WORK/list"
expect_failure 1 'list:4: longer than 8192' "${fetchfs[@]}" fetch -i "$WORK/list"
[ "$(fetchfs ls "$own/" | grep -c '/[45]$')" -eq 2 ] || fail "the others: $(fetchfs ls)"
expect_failure 1 'none' "${fetchfs[@]}" fetch -i "$WORK/none"
for i in {1..3000}; do echo "$own/$((i % 40 + 1))"; done |
	fetchfs fetch -i - -j 8 --json | jq -s '[.[] | select(.state == "complete")] | length' |
	grep -qx 3000 || fail "not all of 3000"

say "a list is worked on while it is written"
mkfifo "$WORK/fifo"
fetchfs fetch --json -i - <"$WORK/fifo" >"$WORK/live" &
children+=($!)
exec {feed}>"$WORK/fifo"
echo "$own/7" >&$feed
wait_for 20 grep -q '"done"' "$WORK/live" || fail "it waits for the end of the list"
exec {feed}>&-
wait $! || fail "the list's end"

say "a secret in a URI is not shown"
fetchfs fetch 'nosuch://me:s3cret@host/x?token=s3cret' 'http://me:s3cret@/x?s3cret' 2>"$WORK/stderr" &&
	fail "status 0"
! grep -q s3cret "$WORK/stderr" || fail "shown: $(<"$WORK/stderr")"

say "Ctrl-C ends it by the signal, at once, without a word for each URI"
start_nginx
random_file 30M "$WWW/long"
status=0
python3 - "${fetchfs[@]}" fetch "$HTTP/crawl/long" 2>"$WORK/stderr" <<-'END' || status=$?
	import os, signal, subprocess, sys, time
	p = subprocess.Popen(sys.argv[1:])
	cache = sys.argv[sys.argv.index("--cache") + 1]
	end = time.monotonic() + 20
	while not os.listdir(os.path.join(cache, "partial")) and time.monotonic() < end:
	    time.sleep(0.05)
	p.send_signal(signal.SIGINT)
	sys.exit(0 if p.wait(10) == -signal.SIGINT else 1)
END
[ $status -eq 0 ] || fail "not ended by SIGINT"
[ ! -s "$WORK/stderr" ] || fail "said: $(<"$WORK/stderr")"
