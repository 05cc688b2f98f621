#!/bin/bash
# mesos-fetcher: what it is given, what it says, how it ends.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/mesos.sh"

random_file 20K "$WWW/one" one
random_file 20K "$WWW/two" two

say "--help, and what is unknown"
"$FETCHER" --help >"$WORK/stdout" 2>"$WORK/stderr" || fail "--help: status $?"
grep -q '^Usage: mesos-fetcher' "$WORK/stdout" || fail "--help: $(<"$WORK/stdout")"
[ ! -s "$WORK/stderr" ] || fail "--help: $(<"$WORK/stderr")"
status=0
"$FETCHER" --frobnicate >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
[ $status -eq 1 ] || fail "unknown flag: status $status"
grep -q '^Usage: mesos-fetcher' "$WORK/stderr" || fail "unknown flag: $(<"$WORK/stderr")"
[ ! -s "$WORK/stdout" ] || fail "unknown flag: on stdout"

# aborts REGEX COMMAND…: it ends by SIGABRT, with a line of level F, and without a core
aborts() {
	local regex=$1
	shift
	status=0
	{ (cd "$WORK/core" && ulimit -c unlimited && exec "$@") >"$WORK/stdout" 2>"$WORK/stderr" ||
		status=$?; } 2>/dev/null
	[ $status -eq 134 ] || fail "$regex: status $status"
	grep -Eq "^F[0-9]{4} .*Check failed: .*$regex" "$WORK/stderr" ||
		fail "not /$regex/: $(<"$WORK/stderr")"
	[ -z "$(ls "$WORK/core")" ] || fail "$regex: a core"
}
mkdir "$WORK/core"

say "what is wrong with the agent ends it by SIGABRT, without a core"
aborts 'Missing MESOS_FETCHER_INFO' "$FETCHER"
for text in '' 'no JSON' '[]' '{}' '{"sandbox_directory":""}' '{"sandbox_directory":null}' \
	'{"sandbox_directory":"/x","items":[{"uri":{"value":"/y"}}]}' \
	'{"sandbox_directory":"/x","items":[{"action":"BYPASS","uri":{"value":"/y"}}]}' \
	'{"sandbox_directory":"/x","items":[{"action":"BYPASS_CACHE"}]}' \
	'{"sandbox_directory":"/x","items":[{"action":"BYPASS_CACHE","uri":{}}]}' \
	'{"sandbox_directory":"/x","items":[{"action":"BYPASS_CACHE","uri":{"value":7}}]}' \
	'{"sandbox_directory":"/x","items":[{"action":"BYPASS_CACHE","uri":{"value":"/y","cache":"perhaps"}}]}' \
	'{"sandbox_directory":"/x","items":[{"action":"BYPASS_CACHE","uri":{"value":"/y\u0000z"}}]}' \
	'{"sandbox_directory":"/x","items":{}}' \
	'{"sandbox_directory":"/x","stall_timeout":{}}' \
	'{"sandbox_directory":"/x","stall_timeout":{"nanoseconds":"soon"}}' \
	"{\"sandbox_directory\":\"/x\",\"items\":[$(printf '{"action":"BYPASS_CACHE","uri":{"value":"/y"}},%.0s' {1..2000})"; do
	aborts 'Failed to parse' env MESOS_FETCHER_INFO="$text" "$FETCHER"
done

say "nothing to fetch is done at once, wherever the sandbox is"
for items in '' ',"items":[]' ',"items":null'; do
	fetcher "{\"sandbox_directory\":\"/no/where\"$items}"
	[ $status -eq 0 ] || fail "'$items': status $status"
	said "Successfully fetched all URIs into '/no/where'"
done
[ ! -e "$CACHE" ] || fail "a cache was made for nothing"

say "the lines of a call"
new_box
fetched "$(item "file://$WWW/one" '{"extract": false}')" "$(item "$WWW/two")"
[ "$(contents)" = "./one ./two " ] || fail "there is $(contents)"
same one "$WWW/one"
same two "$WWW/two"
cut -d' ' -f1 "$WORK/stderr" | sort -u | grep -Evx "[IW]$(date +%m%d)" && fail "levels and days"
! grep -Ev '^[IWE][0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6} +[0-9]+ fetcher\.cpp:[0-9]+\] .' \
	"$WORK/stderr" || fail "not in the format of glog"
sed 's/^.*\] //' "$WORK/stderr" >"$WORK/said"
cat >"$WORK/wanted" <<-END
	Fetching URI 'file://$WWW/one'
	Fetching 'file://$WWW/one' directly into the sandbox directory
	Copying resource from 'file://$WWW/one' to '$box/one'
	Fetched 'file://$WWW/one' to '$box/one'
	Fetching URI '$WWW/two'
	Fetching '$WWW/two' directly into the sandbox directory
	Copying resource from '$WWW/two' to '$box/two'
	Copying instead of extracting resource from URI with 'extract' flag, because it does not seem to be an archive: $WWW/two
	Fetched '$WWW/two' to '$box/two'
	Successfully fetched all URIs into '$box'
END
tail -n +2 "$WORK/said" | diff - "$WORK/wanted" || fail "other lines"
sed -n '1s/^Fetcher Info: //p' "$WORK/said" | jq -e --arg box "$box" '.sandbox_directory == $box and
	(.items | length) == 2 and .items[0].action == "BYPASS_CACHE"' >/dev/null || fail "Fetcher Info"

say "as other agents write it: strings for numbers, nulls, escaped slashes, what nobody knows"
new_box
fetcher "$(printf '%s' "{\"zzz\":[1,{\"a\":null}],\"user\":null,\"frameworks_home\":null,
	\"stall_timeout\":{\"nanoseconds\":\"60000000000\"},\"sandbox_directory\":\"${box//\//\\/}\",
	\"items\":[{\"cache_filename\":null,\"future\":true,\"action\":\"BYPASS_CACHE\",
	\"uri\":{\"value\":\" \t\\n${WWW//\//\\/}/one\",\"executable\":\"true\",\"extract\":\"false\",
	\"cache\":\"false\",\"output_file\":null,\"new\":7}}]}")"
[ $status -eq 0 ] || fail "status $status: $(<"$WORK/stderr")"
same one "$WWW/one"
mode_is "$box/one" 755
fetcher "{\"sandbox_directory\":\"$box\",\"stall_timeout\":{\"nanoseconds\":6e10},\"items\":[{\"action\":
	\"BYPASS_CACHE\",\"uri\":{\"value\":\"$WWW/one\"}}]}"
[ $status -eq 0 ] || fail "a number with an exponent: $(<"$WORK/stderr")"

say "a failure is told once, as the last line"
new_box
refused "Failed to fetch 'file://$WWW/none': .*no such file" "$(item "file://$WWW/one")" \
	"$(item "file://$WWW/none")" "$(item "file://$WWW/two")"
[ "$(contents)" = "./one " ] || fail "what comes after the failure: $(contents)"

say "the environment decides what is said"

call() { # call VARIABLE=VALUE…: one good item and one bad
	status=0
	env "$@" MESOS_FETCHER_INFO="$(info "$(item "$WWW/one")" "$(item "$WWW/none")")" \
		"$FETCHER" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
	[ $status -eq 1 ] || fail "$*: status $status"
	cut -c1 "$WORK/stderr" | sort -u | tr -d '\n'
}

[ "$(call A=b)" = EIW ] || fail "by default: $(call A=b)"
[ "$(call MESOS_LOGGING_LEVEL=WARNING)" = EW ] || fail "WARNING"
[ "$(call MESOS_LOGGING_LEVEL=ERROR)" = E ] || fail "ERROR"
[ -z "$(call MESOS_QUIET=true)" ] || fail "quiet"
[ "$(call MESOS_QUIET=false)" = EIW ] || fail "not quiet"
call MESOS_LOGGING_LEVEL=LOUD >/dev/null
grep -q "'LOUD' is not a valid logging level" "$WORK/stderr" || fail "a level that is none"

say "no line is broken, whatever is in a URI"
new_box
refused 'no such file' "$(item "file://$WWW/a
F0101 00:00:00.000000 1 fetcher.cpp:1] forged")"
! grep -q '^F' "$WORK/stderr" || fail "a forged line"
