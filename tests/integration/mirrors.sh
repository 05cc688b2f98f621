#!/bin/bash
# Mirrors: tried in their order, given up in the middle of a file, left out for a while.
. "$(dirname "$0")/../support/lib.sh"

need_program nginx openssl curl
SIZE=$((24 << 20))
random_file $SIZE "$WWW/big.bin"
random_file 100k "$WWW/only-origin.bin"

# one_nginx NAME ROOT RATE: an nginx of its own; its URL is in the variable NAME, its pid in NAME_PID
one_nginx() {
	local name=$1 port dir=$WORK/nginx-$1
	port=$(free_port)
	mkdir "$dir"
	cat >"$dir/conf" <<-END
		daemon off; pid $dir/pid; error_log $LOGS/$name-error; master_process off; user root;
		events { worker_connections 256; }
		http {
			log_format one '\$request_method \$request_uri \$status \$body_bytes_sent \$http_range';
			access_log $LOGS/$name one;
			client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir;
			uwsgi_temp_path $dir; scgi_temp_path $dir;
			server { listen 127.0.0.1:$port; root $2; limit_rate $3; }
		}
	END
	: >"$LOGS/$name"
	nginx -e "$LOGS/$name-error" -c "$dir/conf" >"$LOGS/$name-out" 2>&1 &
	declare -g "${name}_PID=$!" "$name=http://127.0.0.1:$port"
	children+=($!)
	wait_for 10 listening "$port" || fail "nginx $name does not start"
}

# asked NAME REGEX: requests that this nginx logged; a log is complete once its nginx has ended
asked() {
	grep -Ec "$2" "$LOGS/$1" || :
}

configure() {
	{
		printf '[fetch]\nconnect = 2s\nretries = 2\n'
		printf '[origin "%s/"]\nmirrors = %s\n' "$ORIGIN" "$1"
		printf '%s\n' "${@:2}"
	} >"$CONFIG"
}

mkdir "$WORK/mirror" "$WORK/third"
cp -p "$WWW/big.bin" "$WORK/mirror/"
cp -p "$WWW/big.bin" "$WORK/third/"
one_nginx ORIGIN "$WWW" 0
one_nginx FIRST "$WORK/mirror" 4m
one_nginx SECOND "$WORK/third" 0

say "the first mirror that works brings the file; what it lacks comes from the origin"
configure "$FIRST/, $SECOND/"
fetchfs -vv fetch "$ORIGIN/big.bin" "$ORIGIN/only-origin.bin" 2>"$WORK/said"
for mirror in "$FIRST" "$SECOND"; do
	grep -qxF "fetchfs: $mirror/only-origin.bin: 404 not found" "$WORK/said" ||
		fail "it is not said why the mirror is not used: $(<"$WORK/said")"
done
fetchfs cat "$ORIGIN/big.bin" | cmp - "$WWW/big.bin" || fail "big.bin differs"
fetchfs cat "$ORIGIN/only-origin.bin" | cmp - "$WWW/only-origin.bin" || fail "only-origin.bin differs"
[ "$(asked ORIGIN 'GET /big.bin')" -eq 0 ] || fail "the origin was asked for big.bin"
[ "$(asked SECOND 'GET /big.bin')" -eq 0 ] || fail "the second mirror was asked for big.bin"

say "a query that is a secret is told to the origin only; one that is none, to mirrors, too"
fetchfs fetch "$ORIGIN/only-origin.bin?token=hunter2"
wait_for 10 grep -q 'GET /only-origin.bin?token=hunter2 200' "$LOGS/ORIGIN" || fail "origin not asked"
[ "$(asked FIRST hunter2)" -eq 0 ] || fail "the mirror knows the secret"
configure "$FIRST/, $SECOND/" "public_query = yes"
fetchfs fetch "$ORIGIN/big.bin?version=1"
wait_for 10 grep -q 'GET /big.bin?version=1 200' "$LOGS/FIRST" || fail "the mirror was not asked"
configure "$FIRST/, $SECOND/"

if [ "$(id -u)" -eq 0 ] && [ -w /dev/fuse ]; then
	say "a mirror that dies in the middle of a file: the reader does not notice"
	rm -rf "$CACHE"
	start_mount
	file=$(at "$ORIGIN/big.bin")
	(exec 8<"$file"; head -c $((4 << 20)) <&8; touch "$WORK/read"; cat <&8) >"$WORK/got" &
	reader=$!
	wait_for 60 test -e "$WORK/read" || fail "the first megabytes do not come"
	kill -9 "$FIRST_PID"
	wait $reader || fail "the reader saw an error"
	cmp "$WORK/got" "$WWW/big.bin" || fail "the reader got other bytes"
	grep -Eq 'GET /big.bin 206 [0-9]+ bytes=[1-9]' "$LOGS/SECOND" ||
		fail "the second mirror was not asked for the rest"
	[ "$(asked SECOND 'GET /big.bin 200')" -eq 0 ] || fail "the second mirror sent all of it"

	say "the dead mirror is left out for a while"
	start=${EPOCHREALTIME/[.,]/}
	cp -p "$WWW/only-origin.bin" "$WORK/third/again.bin"
	cp -p "$WWW/only-origin.bin" "$WWW/again.bin"
	cmp "$(at "$ORIGIN/again.bin")" "$WWW/only-origin.bin" || fail "again.bin differs"
	[ "$(asked SECOND 'GET /again.bin')" -eq 1 ] || fail "the second mirror was not used"
	say "$(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"
	stop_mount
else
	kill -9 "$FIRST_PID"
fi

say "by measured speed the fast one wins"
one_nginx SLOW "$WORK/mirror" 1m
for i in 1 2 3 4; do
	random_file 600k "$WORK/mirror/n$i.bin" "$i"
	cp -p "$WORK/mirror/n$i.bin" "$WORK/third/"
	cp -p "$WORK/mirror/n$i.bin" "$WWW/"
done
configure "$SLOW/, $SECOND/" "mirror_order = fastest"
rm -rf "$CACHE"
fetchfs fetch -j 1 "$ORIGIN/n1.bin" "$ORIGIN/n2.bin" "$ORIGIN/n3.bin" "$ORIGIN/n4.bin"
[ "$(asked SLOW 'GET /n')" -eq 1 ] || fail "the slow mirror was used $(asked SLOW 'GET /n') times"
[ "$(asked SECOND 'GET /n')" -eq 3 ] || fail "the fast mirror was used too rarely"

say "a mirror with another version is not mixed in, and does no harm"
# a scripted server, as a mirror that breaks off
start_scripted() {
	local ORIGIN ORIGIN_PID ORIGIN_LOG
	start_origin
	SCRIPTED=$ORIGIN SCRIPTED_LOG=$ORIGIN_LOG
}
# comes_as FILE: v.bin, afresh
comes_as() {
	rm -rf "$CACHE"
	fetchfs fetch "$ORIGIN/v.bin"
	fetchfs cat "$ORIGIN/v.bin" | cmp - "$1" || fail "v.bin is not as it is in ${1%/*}"
}
start_scripted
random_file 4M "$WWW/v.bin" one
random_file 4M "$WORK/third/v.bin" two
cp "$WORK/third/v.bin" "$ORIGINROOT/v.bin"
touch -d @1000000 "$WWW/v.bin"
configure "$SECOND/"
comes_as "$WORK/third/v.bin"
say "… when it breaks off, and then lacks the file: all of it is as the origin has it"
configure "$SCRIPTED/statusafter/1/404/short/1500000/"
comes_as "$WWW/v.bin"
grep -q '^GET /statusafter/[^ ]* - 200 1500000 ' "$SCRIPTED_LOG" || fail "it did not break off: $(<"$SCRIPTED_LOG")"
say "… when it breaks off once: all of it is as the mirror has it"
configure "$SCRIPTED/first/1/short/1500000/"
comes_as "$WORK/third/v.bin"
grep -q '^GET /first/[^ ]* bytes=[1-9][0-9]*- 206 ' "$SCRIPTED_LOG" || fail "it was not asked for the rest: $(<"$SCRIPTED_LOG")"

say "with a digest, a mirror with wrong bytes is left aside"
configure "$SECOND/"
random_file 1M "$WORK/third/d.bin" wrong
random_file 1M "$WWW/d.bin" right
for name in e f; do
	random_file 1M "$WORK/third/$name.bin" "$name"
	cp -p "$WORK/third/$name.bin" "$WWW/"
done
(cd "$WWW" && sha256sum d.bin e.bin f.bin) >"$WORK/sums"
fetchfs -vv fetch -j 1 --digests "file://$WORK/sums" "$ORIGIN"/{d,e,f}.bin 2>"$WORK/said"
grep -Eq "^fetchfs: $SECOND/d.bin: sha256 is [0-9a-f]{64}, expected" "$WORK/said" ||
	fail "it is not said who had wrong bytes: $(<"$WORK/said")"
fetchfs cat "$ORIGIN/d.bin" | cmp - "$WWW/d.bin" || fail "d.bin differs"
[ "$(asked SECOND 'GET /d.bin')" -eq 1 ] || fail "the mirror was asked $(asked SECOND 'GET /d.bin') times"
say "… also for what else it may have, for a while"
[ "$(asked SECOND 'GET /[ef].bin')" -eq 0 ] || fail "the mirror was asked on"

say "nobody left: the origin's failure is told"
kill "$ORIGIN_PID" "$SECOND_PID" "$SLOW_PID"
wait_for 10 gone "$ORIGIN_PID"
wait_for 10 gone "$SECOND_PID"
expect_failure '[13]' "connect" "${fetchfs[@]}" fetch "$ORIGIN/none.bin"
