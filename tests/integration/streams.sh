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
	# what is in the sockets when the first request is broken off is sent in vain: more on a busy machine
	[ "$(served)" -le $((SIZE * 102 / 100)) ] || fail "$name: too many bytes"
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
say "nor than all that are allowed, less one for what is small"
printf '[fetch]\nconnections = 3\n' >"$CONFIG"
fetch_from "bounded in all" --rate 8000000
[ "$(connections)" -le 3 ] || fail "bounded in all: more than three connections"
: >"$CONFIG"

say "as fast as the machine, or without ranges: one request"
fetch_from quick
[ "$(grep -c GET "$ORIGIN_LOG")" -eq 1 ] || fail "quick: more than one request"
fetch_from without --rate 30000000 --no-ranges
[ "$(grep -c GET "$ORIGIN_LOG")" -eq 1 ] || fail "without ranges: more than one request"

say "beside an HTTP/2 stream, connections of their own"
need_program nginx openssl
make_ca
port=$(free_port)
mkdir "$WORK/h2"
cat >"$WORK/h2/conf" <<-END
	daemon off; pid $WORK/h2/pid; error_log $LOGS/h2-error; user root; master_process off;
	events { worker_connections 256; }
	http {
		log_format one '\$request_method \$request_uri \$status \$server_protocol \$body_bytes_sent \$connection';
		access_log $LOGS/h2 one;
		client_body_temp_path $WORK/h2; proxy_temp_path $WORK/h2; fastcgi_temp_path $WORK/h2;
		uwsgi_temp_path $WORK/h2; scgi_temp_path $WORK/h2;
		server {
			listen 127.0.0.1:$port ssl http2;
			ssl_certificate $WORK/tls/server.pem;
			ssl_certificate_key $WORK/tls/server.key;
			root $WWW;
			limit_rate 4m;
		}
	}
END
nginx -e "$LOGS/h2-error" -c "$WORK/h2/conf" >"$LOGS/h2-out" 2>&1 &
children+=($!)
wait_for 10 listening "$port" || fail "nginx does not start"
printf '[fetch]\nca_file = %s\n' "$CA" >"$CONFIG"
rm -rf "$CACHE"
fetchfs fetch "https://localhost:$port/big.bin"
fetchfs cat "https://localhost:$port/big.bin" | cmp - "$WWW/big.bin" || fail "h2: other bytes"
kill "${children[-1]}"
wait_for 10 gone "${children[-1]}" || fail "nginx does not end"
grep -q "GET /big.bin 200 HTTP/2.0" "$LOGS/h2" || fail "the first request is not HTTP/2"
ORIGIN_LOG=$LOGS/h2
[ "$(connections)" -ge 2 ] || fail "h2: hardly any connections"
