# shellcheck shell=bash disable=SC2034,SC2154 # variables are those of scripts/bench
# The files, the servers that have them, and mounts of those servers.
#
# nginx is the fast one. What is slow on purpose is the HTTP server of the tests, optimised: its
# latency comes before each answer, its rate holds for each connection from the first byte on
# (nginx lets a second's worth of each answer pass at once, which favours whoever asks for little).

declare -A url # of each server, without a slash at the end

# waits_for SECONDS COMMAND…: whether that came true in time
waits_for() {
	local end=$((SECONDS + $1))
	until "${@:2}"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

wait_until() {
	waits_for 10 "$@" || die "waited in vain for: $*"
}

runs() { jobs -pr | grep -qx "$1"; }
is_over() { ! runs "$1"; }

# stop SIGNAL PID, without a word: ends what was started here. Once it is over, its number may be
# another's.
stop() {
	! runs "$2" || kill -"$1" "$2" || : # it may have ended just now
	waits_for 10 is_over "$2" || kill -KILL "$2" || :
	wait "$2" || :
} 2>/dev/null

# The listing that rclone's mount needs of a server that makes none.
make_listing() {
	local name
	for name in "$1"/*; do
		printf '<a href="%s">%s</a>\n' "${name##*/}" "${name##*/}"
	done >"$work/listing"
	mv "$work/listing" "$1/index.html"
}

make_files() {
	local i www=$work/www
	mkdir -p "$www/small" "$www/medium" "$www/far" "$www/zip" "$work/tmp" "$work/lists"
	head -c "${large}M" /dev/urandom >"$www/large.bin"
	head -c "${medium}M" "$www/large.bin" >"$www/medium/medium.bin"
	for ((i = 0; i < files; i++)); do
		head -c 4096 /dev/urandom >"$www/small/$i.bin"
		echo "$i.bin"
	done >"$work/names"
	ln "$www/large.bin" "$www/far/large.bin"
	(cd "$www" && zip -0 -q -r zip/large.zip large.bin small)
	make_listing "$www/far"
	make_listing "$www/zip"
}

# make_lists SERVER: its small files, as fetchfs and aria2c, and as curl want them
make_lists() {
	local name base=${url[$1]}/small
	mkdir "$work/lists/$1"
	while read -r name; do
		echo "$base/$name" >&3
		printf 'url = "%s/%s"\noutput = "%s/curl/%s"\n' "$base" "$name" "$work" "$name" >&4
	done <"$work/names" 3>"$work/lists/$1/uris" 4>"$work/lists/$1/curl"
}

# free_port [FROM]
free_port() {
	local port=${1-8990}
	while (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null; do port=$((port + 1)); done
	echo "$port"
}

start_nginx() {
	local port
	port=$(free_port)
	url[fast]=http://127.0.0.1:$port
	cat >"$work/nginx.conf" <<-END
		daemon off; pid $work/nginx.pid; error_log $work/nginx.log; user root;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			access_log off; sendfile on; keepalive_requests 1000000;
			client_body_temp_path $work/tmp; proxy_temp_path $work/tmp;
			fastcgi_temp_path $work/tmp; uwsgi_temp_path $work/tmp;
			scgi_temp_path $work/tmp;
			default_type application/octet-stream;
			server { listen 127.0.0.1:$port; root $work/www; autoindex on; }
		}
	END
	nginx -e "$work/nginx.log" -c "$work/nginx.conf" &
	pids+=($!)
	wait_until curl -sf -o /dev/null "${url[fast]}/small/0.bin"
}

# start_slow SERVER OPTION…
start_slow() {
	local name=$1
	shift
	"$server" --port-file "$work/$name.port" --root "$work/www" --with-parent "$@" &
	pids+=($!)
	wait_until [ -s "$work/$name.port" ]
	url[$name]=http://127.0.0.1:$(<"$work/$name.port")
}

start_servers() {
	start_nginx
	start_slow latent --latency 30
	start_slow throttled --rate 5000000
	start_slow distant --rate 10000000 --latency 50
	make_lists fast
	make_lists latent
}

# on SERVER: what follows is measured on that one
on() {
	http=${url[$1]}
	lists=$work/lists/$1
}

# Out of the way. ext4 avoids inodes that were deleted in the last minutes, at a price for each new
# file that is many times that of making it: so thousands of small files are not deleted in between.
discard() {
	[ -e "$1" ] || return 0
	find "$1" -type f -size +1M -delete
	mv "$1" "$(mktemp -d "$work/discarded.XXXXXX")"
}

# ---- mounts: a cold cache and a fresh mount of it, for each of them ----

declare -A daemon # the process that serves each folder

# serve DIR COMMAND…: mounts there, and stays in the foreground
serve() {
	"${@:2}" >"$1.log" 2>&1 &
	daemon[$1]=$!
	mounts+=("$1")
	wait_until mountpoint -q "$1"
}

mount_fetchfs() {
	unmount_ "$work/fetchfs"
	discard "$work/cache"
	mkdir -p "$work/fetchfs"
	fetchfs mount "$work/fetchfs"
	mounts+=("$work/fetchfs")
}

# mount_rclone [/FOLDER]
mount_rclone() {
	unmount_ "$work/rclone"
	discard "$work/rclone-cache"
	mkdir -p "$work/rclone"
	serve "$work/rclone" rclone mount :http: "$work/rclone" --http-url "$http${1-}" --read-only \
		--vfs-cache-mode full --cache-dir "$work/rclone-cache" --config /dev/null
}

# Its process lives on where another mount namespace has a copy of the mount, and rclone's would at
# its end unmount whatever is mounted there by then.
unmount_() {
	! mountpoint -q "$1" || umount "$1"
	[ -z "${daemon[$1]-}" ] || stop TERM "${daemon[$1]}"
	sync
}

# Where the mount of fetchfs has the server's files.
tree() {
	echo "$work/fetchfs/http/${http#http://}"
}
