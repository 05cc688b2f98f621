# shellcheck shell=bash disable=SC2034 # variables are for the tests
# What the shell tests share. A test is
#
#	#!/bin/bash
#	. "$(dirname "$0")/../support/lib.sh"
#	need_fuse
#	start_nginx
#	random_file 1M "$WWW/a.bin"
#	start_mount
#	cmp "$WWW/a.bin" "$MNT/uri/$(escape "$HTTP/a.bin")" || fail "bytes differ"
#
# Everything a test makes is below $WORK. When it ends, in whatever way, its own mounts are taken
# down, its own processes killed, and $WORK removed. Exit status 77 means skipped. A test that
# fails shows what its servers and daemons said.

set -euo pipefail
shopt -s nullglob
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin # where servers are
umask 022

FETCHFS_SOURCE=${FETCHFS_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
FETCHFS_BUILD=${FETCHFS_BUILD:-$FETCHFS_SOURCE/build/dev}
FETCHFS=${FETCHFS:-$FETCHFS_BUILD/cli/fetchfs}
export FETCHFS_SOURCE FETCHFS_BUILD FETCHFS
# gcc 12's AddressSanitizer now and then takes its own alternate stack for an overflow when a detached
# thread ends.
export ASAN_OPTIONS=${ASAN_OPTIONS:-use_sigaltstack=0}
unset FETCHFS_CACHE FETCHFS_CONFIG FETCHFS_MOUNT FETCHFS_FAULT

WORK=$(mktemp -d "${TMPDIR:-/tmp}/fetchfs-test.XXXXXX")
chmod 711 "$WORK" # servers and users without privileges look inside
WWW=$WORK/www
CACHE=$WORK/cache
MNT=$WORK/mnt
CONFIG=$WORK/fetchfs.conf
LOGS=$WORK/logs
mkdir "$WWW" "$MNT" "$LOGS"
: >"$CONFIG"

children=()
mounts=()

# ---- the end of a test ----

# What the kernel calls @1 now is a process of this test still. Numbers are used again, and soon
# where many processes come and go.
export FETCHFS_TEST=$WORK
is_ours() {
	local stat parent
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	read -r _ parent _ <<<"${stat##*) }"
	[ "$parent" -eq $$ ] ||
		grep -qzxF "FETCHFS_TEST=$WORK" "/proc/$1/environ" 2>/dev/null
}

# The mount points below a folder, in the order of mounting.
mounts_below() {
	awk -v folder="$1/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo
}

cleanup() {
	local status=$? pid dir log
	trap - EXIT
	# Not in a child that has yet to become its program: it still has our traps.
	[ "$BASHPID" -eq $$ ] || exit $status
	set +e
	# what a sandbox left mounted counts as the test's own
	while read -r dir; do
		mounts+=("$(printf %b "$dir")")
	done < <(mounts_below "$WORK" | tac)
	for dir in "${mounts[@]}"; do
		umount -l "$dir" 2>/dev/null || fusermount3 -uzq "$dir" 2>/dev/null
	done
	for pid in "${children[@]}"; do
		! is_ours "$pid" || kill "$pid" 2>/dev/null
	done
	for pid in "${children[@]}"; do
		! is_ours "$pid" || wait_for 5 gone "$pid" || kill -KILL "$pid" 2>/dev/null
	done
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		for log in "$LOGS"/*; do
			[ -s "$log" ] && echo "---- ${log##*/}" && tail -n 40 "$log"
		done
		[ $status -lt 128 ] || echo "FAIL: ended by signal $((status - 128))"
	fi
	give_back_ports
	rm -rf --one-file-system "$WORK"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

# A line of the test's story, so that a failure shows how far it came.
say() {
	echo "- $*"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

need_fuse() {
	[ -w /dev/fuse ] || skip "needs /dev/fuse"
	need_program fusermount3
}

need_program() {
	local name
	for name; do
		command -v "$name" >/dev/null || skip "needs $name"
	done
}

# ---- waiting ----

# wait_for SECONDS COMMAND…: until the command succeeds; its failure when it does not in time.
wait_for() {
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@" 2>/dev/null; do
		[ "${EPOCHREALTIME/[.,]/}" -lt $end ] || return 1
		sleep 0.05
	done
}

# A child that is killed before it has become its program is still a shell, with our traps: it may
# well live on.
became_program() {
	[ "$(readlink "/proc/$1/exe")" != "$(readlink "/proc/$$/exe")" ]
}

# (Not by $(<FILE): where there is no such file, bash 5.2 ends the script.)
gone() {
	local stat
	local -a fields
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
	# A child that ended stays a zombie until it is waited for. So does the first thread of one that
	# has threads left: they may still hold its locks.
	read -ra fields <<<"${stat##*) }"
	[ "${fields[0]}" = Z ] && [ "${fields[17]}" -le 1 ]
}

# The milliseconds that a command took; what it prints is dropped.
milliseconds() {
	local start=${EPOCHREALTIME/[.,]/}
	"$@" >/dev/null || fail "failed: $*"
	echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}

# quick MS COMMAND…: it takes no longer than that, but for what a loaded machine takes from it, which is
# seen by how long a program takes to start just before and after. Most of nine looks are within MS, and
# none is far beyond. {} is another number in each look, for a name that nobody has asked for. A look that
# fails counts as one that took too long: the mount has limits of its own.
looks=0
quick() {
	local limit=$1 before after took late=0 i
	shift
	after=$(milliseconds env true)
	for i in {1..9}; do
		looks=$((looks + 1))
		before=$after
		took=$(milliseconds timeout 20 "${@//"{}"/$looks}") || took=
		after=$(milliseconds env true)
		if [ -z "$took" ]; then
			late=$((late + 1))
			continue
		fi
		[ "$took" -le $((4 * limit + 1000 + 10 * (before + after))) ] || fail "look $i took $took ms: $*"
		[ "$took" -le $((limit + 5 * (before + after))) ] || late=$((late + 1))
	done
	[ $late -le 4 ] || fail "$late of 9 looks took more than $limit ms: $*"
}

listening() {
	local hex
	printf -v hex '%04X' "$1"
	grep -q "^ *[0-9]*: [0-9A-F]*:$hex 0*:0000 0A" /proc/net/tcp /proc/net/tcp6
}

# Ports that were given out, each a file with the pid of its test, as long as that runs.
PORTS=${TMPDIR:-/tmp}/fetchfs-ports

# claim_port PORT: true if it is this test's from now on, and was nobody's before.
claim_port() {
	local owner
	[ -w "$PORTS" ] || return 0
	(set -o noclobber && echo $$ >"$PORTS/$1") 2>/dev/null && return
	owner=$(cat "$PORTS/$1" 2>/dev/null) || return
	[ -n "$owner" ] && [ ! -d "/proc/$owner" ] && echo $$ 2>/dev/null >"$PORTS/$1"
}

give_back_ports() {
	grep -lxs $$ "$PORTS"/* | xargs -r rm -f
}

# A port of loopback where nobody listens, nor will one that another test was given, or this one before;
# below those that the kernel gives to clients.
free_port() {
	local port
	[ -d "$PORTS" ] || mkdir -m 1777 "$PORTS" 2>/dev/null || [ -d "$PORTS" ]
	while port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)); listening $port || ! claim_port $port; do :; done
	echo $port
}

# ---- files and names ----

# random_file SIZE FILE [SEED]: bytes that do not compress and are the same for the same seed.
random_file() {
	local key
	key=$(printf '%s' "${3:-fetchfs}" | sha256sum | cut -c1-32)
	head -c "$1" /dev/zero |
		openssl enc -aes-128-ctr -K "$key" -iv 00000000000000000000000000000000 >"$2"
}

sha256() {
	sha256sum "$@" | cut -c1-64
}

# The name of a URI below uri/.
escape() {
	local name=${1//%/%25}
	printf '%s' "${name//\//%2F}"
}

# The path of a URI in the mount.
at() {
	printf '%s/uri/%s' "$MNT" "$(escape "$1")"
}

# ---- what should go wrong ----

# expect_errno NAME FILE: opening FILE and reading a byte of it fails with just this errno.
expect_errno() {
	local got
	got=$(timeout 60 python3 - "$2" <<-'END'
		import errno, os, sys
		try:
		    fd = os.open(sys.argv[1], os.O_RDONLY)
		    os.read(fd, 1)
		    print("success")
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END
	) || fail "open $2: no answer in time"
	[ "$got" = "$1" ] || fail "open $2: $got instead of $1"
}

# expect_failure STATUS REGEX COMMAND…: the command ends with STATUS (a pattern: '[13]') and one
# line on stderr, which matches.
expect_failure() {
	local status=$1 regex=$2 got=0
	shift 2
	timeout 120 "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null || got=$?
	# shellcheck disable=SC2053
	[[ $got == $status ]] || fail "$*: status $got instead of $status: $(<"$WORK/stderr")"
	[ "$(wc -l <"$WORK/stderr")" -eq 1 ] || fail "$*: not one line: $(<"$WORK/stderr")"
	grep -Eq -- "$regex" "$WORK/stderr" || fail "$*: not /$regex/: $(<"$WORK/stderr")"
}

# ---- fetchfs ----

# The command on the test's own cache and configuration. (A function cannot be given to timeout
# and the like: those take "${fetchfs[@]}".)
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
fetchfs() {
	"${fetchfs[@]}" "$@"
}

# start_mount [OPTION…]: serves $CACHE at $MNT. $MOUNT_PID is the daemon's, whose words are in
# $LOGS/mount.
start_mount() {
	"${fetchfs[@]}" mount -f "$@" "$MNT" >>"$LOGS/mount" 2>&1 &
	MOUNT_PID=$!
	children+=("$MOUNT_PID")
	mounts+=("$MNT")
	wait_for 30 test -e "$MNT/.fetchfs/status" || fail "the mount does not answer"
}

# start_mount_in MODE: with passthrough, or with nopassthrough.
start_mount_in() {
	if [ "$1" = passthrough ]; then
		start_mount
	else
		start_mount -o "$1"
	fi
}

# A test that runs beside this one may have made a mount namespace, which holds all mounts there are.
held_by_nobody() {
	! grep -qsF " $MNT " /proc/[0-9]*/mountinfo
}

# A df elsewhere on the machine holds each mount for the moment in which it looks at it.
not_in_use() {
	unmounted=0
	fetchfs unmount "$MNT" 2>"$WORK/unmount" || unmounted=$?
	[ $unmounted -eq 0 ] || ! grep -q 'files in it are in use' "$WORK/unmount"
}

# Takes it down in good order and fails if the daemon, or a sanitizer in it, complained.
stop_mount() {
	local status=0 unmounted
	wait_for 5 not_in_use || fail "$(<"$WORK/unmount")"
	if [ "$unmounted" -ne 0 ]; then
		grep -q 'another mount namespace' "$WORK/unmount" || fail "$(<"$WORK/unmount")"
		wait_for 120 held_by_nobody || fail "somebody else has the mount"
	fi
	wait_for 30 gone "$MOUNT_PID" || fail "the daemon outlives its mount"
	wait "$MOUNT_PID" || status=$?
	[ $status -eq 0 ] || fail "the daemon ended with status $status"
	! grep -E 'ERROR: |runtime error:|WARNING: ThreadSanitizer' "$LOGS/mount" || exit 1
}

# Waits until all that was begun is published. (The last byte is read before its file is; a
# daemon that is stopped in between leaves the rest to its successor.)
settle_mount() {
	wait_for 30 nothing_in_flight || fail "in flight: $(<"$MNT/.fetchfs/status")"
}

nothing_in_flight() {
	jq -e '.in_flight == 0' "$MNT/.fetchfs/status" >/dev/null
}

# Nothing unfinished lies in the cache.
no_debris() {
	local left=("$CACHE"/partial/*)
	[ ${#left[@]} -eq 0 ] || fail "left in partial/: ${left[*]##*/}"
}

# ---- origins ----

# make_ca [NAME]: a certificate authority of the test's own, $CA, and a server certificate for loopback (and NAME).
make_ca() {
	local dir=$WORK/tls
	CA=$dir/ca.pem
	mkdir -p "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=fetchfs test CA" -keyout "$dir/ca.key" -out "$CA" \
		-addext keyUsage=critical,keyCertSign 2>"$LOGS/openssl"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
		-keyout "$dir/server.key" -out "$dir/server.csr" 2>>"$LOGS/openssl"
	openssl x509 -req -days 2 -in "$dir/server.csr" -CA "$CA" -CAkey "$dir/ca.key" \
		-CAcreateserial -out "$dir/server.pem" 2>>"$LOGS/openssl" \
		-extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1${1:+,DNS:$1}")
}

# nginx serves $WWW at $HTTP and $HTTPS (certified by $CA). The same files are below /slow/ at
# 10 MB/s and below /crawl/ at 1 MB/s; below /says/NAME/VALUE/ with one more header; /status/N
# answers N. $NGINX_MORE is put into the server's block; its TLS files are in $WORK/tls.
start_nginx() {
	need_program nginx openssl curl
	local http https code user=
	http=$(free_port)
	https=$(free_port)
	HTTP=http://127.0.0.1:$http
	HTTPS=https://localhost:$https
	NGINX_LOG=$LOGS/nginx-access
	: >"$NGINX_LOG"
	make_ca
	[ "$(id -u)" -ne 0 ] || user="user root;"
	cat >"$WORK/nginx.conf" <<-END
		daemon off; pid $WORK/nginx.pid; error_log $LOGS/nginx-error; $user
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			log_format one '\$request_method \$request_uri \$status \$body_bytes_sent \$http_range';
			access_log $NGINX_LOG one;
			client_body_temp_path $WORK/nginx; proxy_temp_path $WORK/nginx;
			fastcgi_temp_path $WORK/nginx; uwsgi_temp_path $WORK/nginx;
			scgi_temp_path $WORK/nginx;
			types { text/html html; text/plain txt; application/gzip gz; }
			default_type application/octet-stream;
			sendfile on; keepalive_requests 100000;
			server {
				listen 127.0.0.1:$http;
				listen 127.0.0.1:$https ssl;
				ssl_certificate $WORK/tls/server.pem;
				ssl_certificate_key $WORK/tls/server.key;
				location / { root $WWW; }
				location /slow/ { alias $WWW/; limit_rate 10m; }
				location /crawl/ { alias $WWW/; limit_rate 1m; }
				$(for name in Cache-Control Expires; do
					echo "location ~ ^/says/$name/(?<said>[^/]*)/(?<file>.*)\$ {" \
						"alias $WWW/\$file; add_header $name \$said; }"
				done)
				$(for code in 403 404 410 500 503; do
					echo "location = /status/$code { return $code; }"
				done)
				${NGINX_MORE-}
			}
		}
	END
	mkdir "$WORK/nginx"
	nginx -e "$LOGS/nginx-error" -c "$WORK/nginx.conf" >"$LOGS/nginx" 2>&1 &
	NGINX_PID=$!
	children+=("$NGINX_PID")
	wait_for 10 listening "$http" || fail "nginx does not start"
}

# What nginx logged: requests METHOD PATH counts lines, served PATH adds up the bytes of bodies.
# Both take an extended regular expression for PATH. A line appears when its answer has ended:
# settle_nginx waits until all that have are in the log (one worker writes it, in order).
requests() {
	grep -Ec "^$1 $2 " "$NGINX_LOG" || :
}

served() {
	awk -v path="^$1\$" '$1 == "GET" && $2 ~ path { sum += $4 } END { print sum + 0 }' "$NGINX_LOG"
}

settle_nginx() {
	local mark="/status/404?$BASHPID-$EPOCHREALTIME"
	curl -s -o /dev/null "$HTTP$mark"
	wait_for 10 grep -qF "$mark" "$NGINX_LOG" || fail "nginx writes no log"
}

requests_are() {
	[ "$(requests "$1" "$2")" -eq "$3" ]
}

# vsftpd serves $FTPROOT to anonymous users at $FTP.
start_vsftpd() {
	need_root
	need_program vsftpd
	local port pasv
	port=$(free_port)
	pasv=$(free_port)
	FTP=ftp://127.0.0.1:$port
	FTPROOT=$WORK/ftp
	VSFTPD_LOG=$LOGS/vsftpd
	mkdir "$FTPROOT" "$WORK/empty"
	cat >"$WORK/vsftpd.conf" <<-END
		listen=YES
		listen_address=127.0.0.1
		listen_port=$port
		background=NO
		anonymous_enable=YES
		local_enable=NO
		anon_root=$FTPROOT
		no_anon_password=YES
		secure_chroot_dir=$WORK/empty
		seccomp_sandbox=NO
		pasv_min_port=$pasv
		pasv_max_port=$((pasv + 50))
		pasv_address=127.0.0.1
		xferlog_enable=YES
		log_ftp_protocol=YES
		xferlog_std_format=NO
		vsftpd_log_file=$VSFTPD_LOG
	END
	vsftpd "$WORK/vsftpd.conf" >"$LOGS/vsftpd-stderr" 2>&1 &
	children+=($!)
	wait_for 10 listening "$port" || fail "vsftpd does not start"
}

# The same folder by implicit TLS, on $FTPS, after start_nginx (whose certificate it has) and
# start_vsftpd.
start_vsftpd_tls() {
	local port
	port=$(free_port)
	FTPS=ftps://localhost:$port
	sed "s/^listen_port=.*/listen_port=$port/" "$WORK/vsftpd.conf" >"$WORK/vsftpd-tls.conf"
	cat >>"$WORK/vsftpd-tls.conf" <<-END
		ssl_enable=YES
		implicit_ssl=YES
		allow_anon_ssl=YES
		require_ssl_reuse=NO
		rsa_cert_file=$WORK/tls/server.pem
		rsa_private_key_file=$WORK/tls/server.key
	END
	vsftpd "$WORK/vsftpd-tls.conf" >>"$LOGS/vsftpd-stderr" 2>&1 &
	children+=($!)
	wait_for 10 listening "$port" || fail "vsftpd with TLS does not start"
}

# How often vsftpd sent a file.
downloads() {
	grep -c "OK DOWNLOAD: .*\"$1\"" "$VSFTPD_LOG" || :
}

# The scripted server of tests/support/originserver.c serves $ORIGINROOT at $ORIGIN.
start_origin() {
	ORIGINROOT=$WORK/origin
	ORIGIN_LOG=$LOGS/origin
	mkdir -p "$ORIGINROOT"
	: >"$ORIGIN_LOG"
	rm -f "$WORK/origin.port"
	"$FETCHFS_BUILD/tests/support/originserver" --port-file "$WORK/origin.port" \
		--root "$ORIGINROOT" --log "$ORIGIN_LOG" "$@" >"$LOGS/origin-stderr" 2>&1 &
	ORIGIN_PID=$!
	children+=("$ORIGIN_PID")
	wait_for 10 test -s "$WORK/origin.port" || fail "the scripted origin does not start"
	ORIGIN=http://127.0.0.1:$(<"$WORK/origin.port")
}

# What it logged, as for nginx. A line appears when its answer has ended, or when the client has
# been gone for a moment: settle_origin waits until nobody is connected, so that all are there.
origin_requests() {
	grep -Ec "^$1 $2 " "$ORIGIN_LOG" || :
}

origin_sent() {
	awk -v path="^$1\$" '$1 == "GET" && $2 ~ path { sum += $5 } END { print sum + 0 }' "$ORIGIN_LOG"
}

# It has a thread for each connection, one that listens, and one that waits for its end.
origin_is_idle() {
	local threads=("/proc/$ORIGIN_PID/task"/*)
	[ ${#threads[@]} -le 2 ]
}

settle_origin() {
	wait_for 30 origin_is_idle || fail "somebody is still connected to the origin"
}

# A counter of the scripted origin, of this moment: requests, bytes, connections, running, most.
origin_stat() {
	curl -sS --max-time 20 "$ORIGIN/.stats" | jq ".$1"
}

# origin_stat_is COUNTER VALUE, for wait_for: an end is counted when it is seen.
origin_stat_is() {
	[ "$(origin_stat "$1")" -eq "$2" ]
}

# Until no request is under way, so that all are in the log, though somebody may be connected.
quiet_origin() {
	wait_for 20 origin_stat_is running 0 || fail "the origin is still asked for something"
}

is_stopped() {
	local task
	for task in "/proc/$1/task"/*/stat; do
		[[ $(<"$task") == *") "[TZX]" "* ]] || return 1
	done
}

# In both directions: "sl near far st tx:rx …", numbers in hexadecimal.
count_queued() {
	local port near far queues
	port=$(printf ':%04X' "${ORIGIN##*:}")
	while read -r _ near far _ queues _; do
		[[ $near == *"$port" || $far == *"$port" ]] || continue
		queued=$((queued + 16#${queues%:*} + 16#${queues#*:}))
	done </proc/net/tcp
}

# kill_counting PID: a child that downloads from $ORIGIN is killed, the origin stopped meanwhile.
# What lies in sockets then, as much as the child had been slow, is nobody's to keep: it is added to
# $queued. Answers the child's status.
queued=0
kill_counting() {
	local status=0
	kill -STOP "$1" "$ORIGIN_PID" 2>/dev/null || :
	if wait_for 30 is_stopped "$ORIGIN_PID" && wait_for 30 is_stopped "$1"; then
		count_queued
	fi
	kill -KILL "$1" 2>/dev/null || :
	{ wait "$1" || status=$?; } 2>/dev/null
	kill -CONT "$ORIGIN_PID"
	return $status
}

# The server of tests/support/rawserver.c, which breaks the protocol, serves $RAWROOT at $RAW and,
# certified by $CA, at $RAWS. Its log is like the origin's.
start_raw() {
	RAWROOT=$WORK/raw
	RAW_LOG=$LOGS/raw
	[ -n "${CA-}" ] || make_ca
	mkdir -p "$RAWROOT"
	: >"$RAW_LOG"
	"$FETCHFS_BUILD/tests/support/rawserver" --port-file "$WORK/raw.port" --root "$RAWROOT" \
		--log "$RAW_LOG" --cert "$WORK/tls/server.pem" --key "$WORK/tls/server.key" \
		>"$LOGS/raw-stderr" 2>&1 &
	children+=($!)
	wait_for 10 test -s "$WORK/raw.port" || fail "the raw server does not start"
	RAW=http://127.0.0.1:$(<"$WORK/raw.port")
	RAWS=https://localhost:$(<"$WORK/raw.port")
}
