#!/bin/bash
# A server that dies, is restarted or sleeps in the middle of a body, over HTTP/1.1 and HTTP/2: the
# download goes on where it was, or ends in time with a reason.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program nginx openssl jq pgrep

make_ca
port=$(free_port)
plain=$(free_port)
mkdir "$WORK/nginx"
cat >"$WORK/nginx.conf" <<-END
	daemon off; pid $WORK/nginx.pid; error_log $LOGS/nginx-error; user root; worker_processes 1;
	events { worker_connections 1024; }
	http {
		log_format one '\$request_method \$request_uri \$status \$body_bytes_sent \$server_protocol';
		access_log $LOGS/nginx-access one;
		client_body_temp_path $WORK/nginx; proxy_temp_path $WORK/nginx;
		fastcgi_temp_path $WORK/nginx; uwsgi_temp_path $WORK/nginx; scgi_temp_path $WORK/nginx;
		server {
			listen 127.0.0.1:$plain;
			listen 127.0.0.1:$port ssl http2;
			ssl_certificate $WORK/tls/server.pem; ssl_certificate_key $WORK/tls/server.key;
			location / { alias $WWW/; limit_rate 2m; }
		}
	}
END
cat >"$CONFIG" <<-END
	[fetch]
	connect = 2s
	first_byte = 2s
	stall = 2s
	retries = 4
	per_host = 1
	ca_file = $CA
END

serve() {
	nginx -e "$LOGS/nginx-error" -c "$WORK/nginx.conf" >>"$LOGS/nginx" 2>&1 &
	nginx=$!
	children+=("$nginx")
	disown "$nginx" # its death is no news
	wait_for 10 listening "$port" || fail "nginx does not start"
}

# The master, and who serves.
servers() {
	echo "$nginx $(pgrep -P "$nginx")"
}

die() {
	local pid pids
	pids=$(servers)
	# shellcheck disable=SC2086 # several
	kill -KILL $pids
	for pid in $pids; do wait_for 10 gone "$pid" || fail "nginx outlives its death"; done
}

restart() {
	die
	serve
}

# The connections to a port, by their other ends.
connected() {
	awk -v port="$(printf ':%04X$' "$1")" '$3 ~ port && $4 == "01" { print $2 }' /proc/net/tcp
}

asks_again() {
	local now
	now=$(connected "$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}

# Until a new connection shows that the old one was given up.
sleep_long() {
	local worker before to=${base##*:}
	worker=$(pgrep -P "$nginx")
	before=$(connected "$to")
	[ -n "$before" ] || fail "nobody is connected"
	kill -STOP "$worker"
	wait_for 30 asks_again "$to" "$before" || fail "the silence is not noticed"
	kill -CONT "$worker"
}

arrived() {
	fetchfs status --json | jq '[.transfers[]?.bytes] | add // 0'
}

came() {
	[ "$(arrived)" -ge "$1" ]
}

size=$((8 << 20))
random_file 8M "$WWW/a.bin" a
for name in {b..k}; do cp "$WWW/a.bin" "$WWW/$name.bin"; done

# sent FILE: bytes of it that nginx knows to have sent, and logged; of who was killed nothing is
sent() {
	awk -v path="/$1" '$2 == path { sum += $4 } END { print sum + 0 }' "$LOGS/nginx-access"
}

# through BASE FILE HOW: a command, and what happens when a part of the file is here
through() {
	local uri=$1/$2
	"${fetchfs[@]}" cat "$uri" >"$WORK/got" 2>"$WORK/err" &
	local pid=$!
	children+=("$pid")
	wait_for 20 came 2000000 || fail "$uri: no bytes"
	"$3"
	wait "$pid" || fail "$uri: status $?: $(<"$WORK/err")"
	cmp "$WORK/got" "$WWW/a.bin" || fail "$uri: other bytes"
	no_debris
}

serve
for base in "http://127.0.0.1:$plain" "https://localhost:$port"; do
	[ "$base" = "https://localhost:$port" ] && files=(b c d e) || files=(f g h i)
	say "$base: killed and restarted"
	through "$base" "${files[0]}.bin" restart
	grep -q "^GET /${files[0]}.bin 206 " "$LOGS/nginx-access" || fail "from the beginning"

	say "$base: asleep for longer than the limit"
	through "$base" "${files[1]}.bin" sleep_long
	[ "$(sent "${files[1]}.bin")" -le $((size + (2 << 20))) ] || fail "$(sent "${files[1]}.bin") bytes"

	say "$base: dead for good; kept, and completed later"
	before=$SECONDS
	"${fetchfs[@]}" fetch "$base/${files[2]}.bin" 2>"$WORK/err" &
	pid=$!
	children+=("$pid")
	wait_for 20 came 2000000 || fail "no bytes"
	die
	status=0
	wait $pid || status=$?
	[ $status -eq 3 ] || fail "status $status"
	grep -q "^fetchfs: fetch $base/.*onnect" "$WORK/err" || fail "said: $(<"$WORK/err")"
	[ $((SECONDS - before)) -le 30 ] || fail "after $((SECONDS - before)) s"
	serve
	fetchfs cat "$base/${files[2]}.bin" | cmp - "$WWW/a.bin" || fail "other bytes"
	[ "$(sent "${files[2]}.bin")" -le $((size - 1500000)) ] || fail "$(sent "${files[2]}.bin") bytes"
	no_debris
done
! grep -v "HTTP/2.0$" "$LOGS/nginx-access" | grep -E "^GET /[bcde]" || fail "not over HTTP/2"

say "a reader at the mount does not notice"
start_mount
cat "$(at "$base/k.bin")" >"$WORK/got" &
reader=$!
children+=("$reader")
some_read() {
	[ "$(stat -c %s "$WORK/got")" -ge 1500000 ]
}
wait_for 20 some_read || fail "no bytes"
restart
wait "$reader" || fail "it did"
cmp "$WORK/got" "$WWW/a.bin" || fail "other bytes"
settle_mount
stop_mount
no_debris
