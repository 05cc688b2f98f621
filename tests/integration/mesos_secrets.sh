#!/bin/bash
# mesos-fetcher: what is secret in a URI is in no line, whatever happens, nor in what others see.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/mesos.sh"
start_nginx

random_file 20K "$WWW/tool" tool
mkdir "$WWW/hidden" "$WWW/d"
cp "$WWW/tool" "$WWW/hidden/secret5"
tar czf "$WWW/a.tgz" -C "$WWW" tool
host=${HTTP#http://}

# clean: no secret was said
clean() {
	! grep -Ei 'secret|hush' "$WORK/stderr" || fail "a secret was said"
}

say "user, password and query, also where the query is the name"
new_box
fetched "$(item "http://hush:secret1@$host/tool" '{"output_file": "a"}')" \
	"$(item "$HTTP/tool?sig=secret2" '{"extract": false}')" \
	"$(item "$HTTP/tool?sig=x/secret3")" \
	"$(item "$HTTP/a.tgz?sig=secret4" '{"output_file": "b.tgz"}')" \
	"$(item "$HTTP/tool?sig=secret6" '{"cache": true}' DOWNLOAD_AND_CACHE 'c1-tool?sig=secret6')" \
	"$(item "$HTTP/tool?sig=x/secret7" '{"cache": true}' DOWNLOAD_AND_CACHE 'c2-secret7')"
clean
[ "$(contents)" = "./a ./b.tgz ./secret3 ./secret7 ./tool ./tool?sig=secret2 ./tool?sig=secret6 " ] ||
	fail "there is $(contents)"
said "Fetched '$HTTP/tool?…' to '$box/tool?…'"
said "to '$box/…'"
[ "$(grep -c "Fetching URI 'http://$host/tool'" "$WORK/stderr")" -eq 1 ] || fail "user is not cut off"

say "in failures: no such thing, no name, no such scheme, malformed, in the way"
for uri in "http://hush:secret@$host/none?sig=secret" "http://hush:secret@$host?sig=secret" \
	"http://hush:secret@$host/?a=b/" "http://h:1:secret@[x/a?secret" \
	"other://hush:secret@h/a?secret"; do
	refused . "$(item "$uri")"
	clean
done
mkdir "$box/full?secret"
cp "$WWW/tool" "$WWW/full"
refused 'directory' "$(item "$HTTP/full?secret")"
clean

say "text that is not understood is not repeated"
fetcher '{"sandbox_directory": "/x", "items": [{"action": "secret"}], "user": {"secret": 1}}'
[ $status -eq 134 ] || fail "status $status"
clean
fetcher 'secret'
clean

say "neither in the environment of the process, once it has begun, nor in what the cache says"
MESOS_FETCHER_INFO=$(info "$(item "$HTTP/crawl/big?sig=secret8")")
random_file 8M "$WWW/big"
MESOS_FETCHER_INFO=$MESOS_FETCHER_INFO "$FETCHER" 2>"$WORK/stderr" &
pid=$!
children+=("$pid")
begun() { grep -q 'Fetching URI' "$WORK/stderr"; }
wait_for 20 begun || fail "it does not begin"
! tr '\0' '\n' <"/proc/$pid/environ" | grep -a secret8 || fail "it is in its environment"
fetchfs status --json >"$WORK/status"
! grep secret8 "$WORK/status" || fail "it is in the status"
kill -KILL "$pid"
wait "$pid" 2>/dev/null || :
fetchfs log >"$WORK/log"
fetchfs ls -l >>"$WORK/log"
! grep -E 'secret|hush' "$WORK/log" || fail "it is in the log or the list"
