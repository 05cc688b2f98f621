#!/bin/bash
# docs/fleet.md: machines in network namespaces of their own behind its nginx, and its Varnish.
. "$(dirname "$0")/../support/namespace.sh" network
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/site.sh"
need_root
need_program nginx varnishd ip nsenter openssl

COUNT=6
LARGE=$((24 << 20))

start_cache_nginx() {
	local dir=$WORK/nginx
	mkdir "$dir"
	placed /etc/nginx/conf.d/artifacts.conf /var/cache/nginx "$dir" \
		https://releases.example.org "https://releases.example.org:$PORT" \
		/etc/ssl/certs/ca-certificates.crt "$CA" >"$dir/artifacts.conf"
	cat >"$dir/conf" <<-END
		daemon off; master_process off; pid $dir/pid; error_log $LOGS/nginx; user root;
		events { worker_connections 512; }
		http {
			access_log $LOGS/nginx-access;
			client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir;
			uwsgi_temp_path $dir; scgi_temp_path $dir;
			include $dir/artifacts.conf;
		}
	END
	nginx -e "$LOGS/nginx" -c "$dir/conf" >"$LOGS/nginx-out" 2>&1 &
	CACHE_PID=$!
	children+=("$CACHE_PID")
	wait_for 20 listening 8080 || fail "nginx does not start"
}

start_varnish() {
	local dir=$WORK/varnish command
	mkdir -m 777 "$dir"
	placed /etc/varnish/artifacts.vcl '"80"' "\"$PORT\"" >"$dir/artifacts.vcl"
	command=$(placed /etc/systemd/system/varnish.service.d/artifacts.conf /etc/varnish "$dir" \
		/var/lib/varnish "$dir" 500G 256M | sed -n 's/^ExecStart=\(.\)/\1/p')
	# shellcheck disable=SC2086 # words, as the service manager has them
	$command -n "$dir/run" >"$LOGS/varnish" 2>&1 &
	CACHE_PID=$!
	children+=("$CACHE_PID")
	wait_for 60 listening 6081 || fail "varnish does not start"
}

# fetched_once SCHEME: small ones, and a large one that is asked for in parts
fetched_once() {
	local base=$1://releases.example.org:$PORT name
	everywhere fetch "$base"/{a,b,c}.bin
	everywhere fetch --digest "sha256:$(sha256 "$ORIGINROOT/large.bin")" "$base/rate/4000000/large.bin"
	refreshed "$base/d.bin"
	settle_cache
	for name in a b c; do
		cmp "$ORIGINROOT/$name.bin" <(on 1 cat "$base/$name.bin") || fail "$name.bin differs"
		sent_once "/$name.bin" $((400 << 10))
	done
	sent_once /rate/4000000/large.bin $LARGE
}

sent_once() {
	[ "$(origin_sent "$1")" -eq "$2" ] || fail "the origin sent: $(grep " $1 " "$ORIGIN_LOG")"
}

# --refresh asks the origin, whatever the site's cache takes for fresh.
refreshed() {
	old_file 400K "$ORIGINROOT/d.bin"
	on 2 fetch "$1"
	random_file 400K "$WORK/new.bin" "new $1"
	mv "$WORK/new.bin" "$ORIGINROOT/d.bin"
	on 1 fetch "$1"
	! cmp -s "$ORIGINROOT/d.bin" <(on 1 cat "$1") || fail "the site's cache did not keep it"
	on 1 fetch --refresh "$1"
	cmp "$ORIGINROOT/d.bin" <(on 1 cat "$1") || fail "an old copy of the site's cache"
}

# The cache ends, and with it what it may still have under way.
settle_cache() {
	kill "$CACHE_PID"
	wait_for 30 gone "$CACHE_PID" || fail "the site's cache does not end"
	settle_origin
}

# origin_of_files OPTION…
origin_of_files() {
	start_origin "$@"
	PORT=${ORIGIN##*:}
}

start_site nginx.lan varnish.lan
add_machines $COUNT
mkdir "$WORK/origin"
for name in a b c; do
	old_file 400K "$WORK/origin/$name.bin"
done
old_file $LARGE "$WORK/origin/large.bin"
make_ca releases.example.org

say "nginx, of an origin by https: sent once"
origin_of_files --tls-cert "$WORK/tls/server.pem" --tls-key "$WORK/tls/server.key"
start_cache_nginx
placed "/etc/fetchfs/fetchfs.conf, by nginx" https://releases.example.org \
	"https://releases.example.org:$PORT" >"$CONFIG"
fetched_once https

say "Varnish: sent once"
rm -rf "$WORK"/cache[0-9]*
kill "$ORIGIN_PID"
wait_for 20 gone "$ORIGIN_PID"
origin_of_files
start_varnish
placed "/etc/fetchfs/fetchfs.conf, by Varnish" http://releases.example.org/ \
	"http://releases.example.org:$PORT/" >"$CONFIG"
fetched_once http
