#!/bin/bash
# Proxies: a shared Squid spares the origin; groups, fail-over, and directly when none is left.
. "$(dirname "$0")/../support/lib.sh"
need_program squid python3

# start_squid: at http://127.0.0.1:$SQUID, with a memory cache
start_squid() {
	local dir=$WORK/squid
	SQUID=$(free_port)
	mkdir "$dir"
	chmod 777 "$dir"
	cat >"$dir/conf" <<-END
		http_port 127.0.0.1:$SQUID
		pid_filename none
		visible_hostname localhost
		cache_mem 64 MB
		maximum_object_size_in_memory 8 MB
		cache_log $dir/cache.log
		access_log stdio:$dir/access.log
		coredump_dir $dir
		pinger_enable off
		netdb_filename none
		shutdown_lifetime 0 seconds
		max_filedescriptors 256
		http_access allow all
	END
	squid -N -f "$dir/conf" </dev/null >"$LOGS/squid" 2>&1 &
	SQUID_PID=$!
	children+=("$SQUID_PID")
	wait_for 30 listening "$SQUID" || fail "squid does not start"
}

# through OPTIONS…: the configuration
through() {
	printf '%s\n' '[fetch]' 'connect = 2s' 'retries = 1' "$@" >"$CONFIG"
}

proxied() {
	grep -c "$1" "$WORK/squid/access.log" || :
}

unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
start_origin
start_squid
for name in one two three four five six seven eight nine; do
	random_file 1M "$ORIGINROOT/$name.bin" $name
	touch -d '10 days ago' "$ORIGINROOT/$name.bin" # a proxy takes what is old for lasting
done
dead=$(free_port)

say "two caches behind one proxy: the origin is asked once"
through "proxy = http://127.0.0.1:$SQUID"
fetchfs fetch "$ORIGIN/one.bin"
"$FETCHFS" --cache "$WORK/second" --config "$CONFIG" fetch "$ORIGIN/one.bin"
"$FETCHFS" --cache "$WORK/second" --config "$CONFIG" cat "$ORIGIN/one.bin" |
	cmp - "$ORIGINROOT/one.bin" || fail "one.bin differs"
quiet_origin
[ "$(origin_requests GET /one.bin)" -eq 1 ] || fail "the origin was asked more than once"
[ "$(proxied one.bin)" -ge 2 ] || fail "the proxy was not used"

say "--refresh asks the origin, not what a proxy remembers of it"
uri=$ORIGIN/header/Cache-Control/max-age=600/nine.bin
fetchfs fetch "$uri"
random_file 1M "$ORIGINROOT/nine.new" new
mv "$ORIGINROOT/nine.new" "$ORIGINROOT/nine.bin"
fetchfs fetch --refresh "$uri"
fetchfs cat "$uri" | cmp - "$ORIGINROOT/nine.bin" || fail "an old copy of the proxy's"

say "by the environment's variables, which a command obeys, and no_proxy"
through
http_proxy=http://127.0.0.1:$SQUID fetchfs fetch "$ORIGIN/two.bin"
[ "$(proxied two.bin)" -ge 1 ] || fail "http_proxy was not used"
http_proxy=http://127.0.0.1:$SQUID no_proxy=127.0.0.1 fetchfs fetch "$ORIGIN/three.bin"
[ "$(proxied three.bin)" -eq 0 ] || fail "no_proxy was not obeyed"
HTTP_PROXY=http://127.0.0.1:$SQUID fetchfs fetch --refresh "$ORIGIN/three.bin"
[ "$(proxied three.bin)" -eq 0 ] || fail "HTTP_PROXY in upper case was used"

say "a dead proxy: the next one of its group, the next group, then directly"
through "proxy = http://127.0.0.1:$dead | http://127.0.0.1:$SQUID ; direct"
fetchfs fetch "$ORIGIN/four.bin"
[ "$(proxied four.bin)" -ge 1 ] || fail "the living member of the group was not used"
through "proxy = http://127.0.0.1:$dead ; direct"
fetchfs fetch "$ORIGIN/five.bin"
[ "$(proxied five.bin)" -eq 0 ] || fail "where does it come from?"
through "proxy = http://127.0.0.1:$dead"
expect_failure 3 "proxy|connect" "${fetchfs[@]}" fetch "$ORIGIN/six.bin"
[ "$(origin_requests GET /six.bin)" -eq 0 ] || fail "the origin was asked behind the proxy's back"

say "what the next proxy has is good enough: a dead one before it does not send it to the origin"
through "proxy = http://127.0.0.1:$SQUID"
fetchfs fetch "$ORIGIN/eight.bin"
through "proxy = http://127.0.0.1:$dead ; http://127.0.0.1:$SQUID"
"$FETCHFS" --cache "$WORK/second" --config "$CONFIG" fetch "$ORIGIN/eight.bin"
quiet_origin
[ "$(origin_requests GET /eight.bin)" -eq 1 ] || fail "the origin was asked again"

say "a proxy that cannot reach the origin: directly, with the origin's own failure at the end"
through "proxy = http://127.0.0.1:$SQUID ; direct"
expect_failure 3 "connect" "${fetchfs[@]}" fetch "http://127.0.0.1:$dead/nobody.bin"
[ "$(proxied nobody.bin)" -ge 1 ] || fail "the proxy was not asked"

say "an origin that says no is not the proxy's fault"
through "proxy = http://127.0.0.1:$SQUID ; direct"
expect_failure 1 "404" "${fetchfs[@]}" fetch "$ORIGIN/missing.bin"
quiet_origin
[ "$(origin_requests '(GET|HEAD)' /missing.bin)" -eq 1 ] || fail "it was asked again directly"

if [ "$(id -u)" -eq 0 ] && [ -w /dev/fuse ]; then
	say "a daemon obeys the environment only when told to"
	through
	export http_proxy=http://127.0.0.1:$SQUID
	start_mount
	cmp "$(at "$ORIGIN/six.bin")" "$ORIGINROOT/six.bin" || fail "six.bin differs"
	stop_mount
	[ "$(proxied six.bin)" -eq 0 ] || fail "the daemon used http_proxy"
	through "proxy = environment"
	start_mount
	cmp "$(at "$ORIGIN/seven.bin")" "$ORIGINROOT/seven.bin" || fail "seven.bin differs"
	stop_mount
	[ "$(proxied seven.bin)" -ge 1 ] || fail "the daemon did not use http_proxy"
	unset http_proxy
fi

say "a proxy with a bad copy is asked again, past its cache"
python3 "$FETCHFS_SOURCE/tests/support/badproxy.py" "$WORK/badproxy.port" "$LOGS/badproxy" &
children+=($!)
wait_for 20 test -s "$WORK/badproxy.port" || fail "the bad proxy does not start"
through "proxy = http://127.0.0.1:$(<"$WORK/badproxy.port")"
rm -rf "$CACHE"
fetchfs fetch --digest "sha256:$(sha256 "$ORIGINROOT/one.bin")" "$ORIGIN/one.bin"
[ "$(grep -c 'GET /one.bin bad' "$LOGS/badproxy")" -eq 1 ] || fail "asked $(<"$LOGS/badproxy")"
[ "$(grep -c 'GET /one.bin fresh' "$LOGS/badproxy")" -eq 1 ] || fail "asked $(<"$LOGS/badproxy")"

say "the proxy dies in the middle of a file: the rest comes directly"
through "proxy = http://127.0.0.1:$SQUID ; direct"
random_file 12M "$ORIGINROOT/long.bin"
fetchfs cat "$ORIGIN/rate/2000000/long.bin" >"$WORK/long" &
reader=$!
wait_for 60 test -s "$WORK/long" || fail "nothing comes"
kill -9 "$SQUID_PID"
wait $reader || fail "the reader saw an error"
cmp "$WORK/long" "$ORIGINROOT/long.bin" || fail "long.bin differs"
