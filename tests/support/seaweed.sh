# shellcheck shell=bash disable=SC2034,SC2154 # variables are for the tests, and of lib.sh
# A server of S3 that checks signatures, for the tests of tests/registry: SeaweedFS. Sourced after lib.sh.

note() { echo "- $*"; }
# shellcheck source=scripts/weed.sh
. "$FETCHFS_SOURCE/scripts/weed.sh"

S3_KEY=AKIDTESTER
S3_SECRET=secret-$RANDOM-hunter2
S3_LESS_KEY=AKIDREADER # may read the bucket "files", and nothing else
S3_LESS_SECRET=less-$RANDOM-hunter2
weed_sockets=()
WEED_KEPT=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/fetchfs-tests # before a test has a home of its own

# Where the program is, brought from its registry when it is not there yet.
need_seaweed() {
	local kept=$WEED_KEPT
	weed=$kept/seaweedfs-$weed_version/weed
	mkdir -p "$kept"
	exec {weed_lock}>"$kept/lock"
	flock -w 900 $weed_lock || skip "another test does not finish to bring SeaweedFS"
	[ -x "$weed" ] || download_weed "${weed%/*}" >"$LOGS/seaweed-install" 2>&1 || {
		tail -n 5 "$LOGS/seaweed-install"
		skip "SeaweedFS IS NOT TO BE HAD: its registry is out of reach"
	}
	exec {weed_lock}>&-
}

# A file of keys as `aws configure` writes it: keys_file FILE ID SECRET
keys_file() {
	(umask 077 && printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
		"$2" "$3" >"$1")
}

# It serves S3 at $SEAWEED. Anybody may read the bucket "public".
start_seaweed() {
	need_seaweed
	local name port options=()
	for name in master volume filer s3; do
		port=$(free_port)
		options+=("-$name.port=$port")
		[ "$name" != s3 ] || SEAWEED=http://127.0.0.1:$port
		port=$(free_port)
		options+=("-$name.port.grpc=$port")
		weed_sockets+=("/tmp/seaweedfs-$name-grpc-$port.sock") # it asks nobody where
	done
	mkdir -p "$WORK/weed" "$WORK/weed-tmp"
	(umask 077 && cat >"$WORK/weed.json") <<-END
		{ "identities": [
		  { "name": "tester", "actions": ["Admin", "Read", "List", "Write"],
		    "credentials": [{ "accessKey": "$S3_KEY", "secretKey": "$S3_SECRET" }] },
		  { "name": "reader", "actions": ["Read:files", "List:files"],
		    "credentials": [{ "accessKey": "$S3_LESS_KEY", "secretKey": "$S3_LESS_SECRET" }] },
		  { "name": "anonymous", "actions": ["Read:public", "List:public"] } ] }
	END
	weed_command=("$weed" -logtostderr=true server -dir="$WORK/weed" -ip=127.0.0.1
		-ip.bind=127.0.0.1 "${options[@]}" -master.telemetry=false -volume.max=20
		-filer.localSocket="$WORK/weed-filer" -s3 -s3.config="$WORK/weed.json"
		-s3.localSocket="$WORK/weed-s3" -s3.port.iceberg=0 -s3.port.lance=0)
	trap end_seaweed EXIT
	run_seaweed
	wait_for 60 s3_client mkdir s3:files || fail "SeaweedFS does not start"
}

run_seaweed() {
	HOME=$WORK TMPDIR=$WORK/weed-tmp "${weed_command[@]}" >>"$LOGS/seaweed" 2>&1 &
	WEED_PID=$!
	children+=("$WEED_PID")
}

# It would take half a minute to say good-bye.
end_seaweed() {
	local status=$?
	set +e
	if is_ours "${WEED_PID-0}"; then
		kill -KILL "$WEED_PID"
		wait "$WEED_PID" 2>/dev/null
	fi
	rm -f "${weed_sockets[@]}"
	(exit $status)
	cleanup
}

# A client that is not ours: s3:BUCKET/KEY is what it calls an object.
s3_client() {
	env RCLONE_CONFIG="$WORK/rclone.conf" RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other \
		RCLONE_CONFIG_S3_REGION=us-east-1 RCLONE_CONFIG_S3_ENDPOINT="$SEAWEED" \
		RCLONE_CONFIG_S3_ACCESS_KEY_ID="$S3_KEY" \
		RCLONE_CONFIG_S3_SECRET_ACCESS_KEY="$S3_SECRET" \
		timeout 240 rclone -q --retries 1 "$@" 2>>"$LOGS/rclone"
}

# nginx, as start_nginx has it, hands what is asked of these buckets at $HTTP on to SeaweedFS, with the
# signature, and logs it: start_s3_log BUCKET…
start_s3_log() {
	local bucket
	NGINX_MORE=${NGINX_MORE-}
	for bucket; do
		NGINX_MORE+="location /$bucket/ { proxy_pass $SEAWEED; proxy_set_header Host \$http_host;
			proxy_buffering off; proxy_http_version 1.1; }
			location /$bucket/slow/ { proxy_pass $SEAWEED; proxy_set_header Host \$http_host;
			proxy_max_temp_file_size 0; proxy_http_version 1.1; limit_rate 20m; }
			location /$bucket/crawl/ { proxy_pass $SEAWEED; proxy_set_header Host \$http_host;
			proxy_max_temp_file_size 0; proxy_http_version 1.1; limit_rate 2m; }"
	done
	start_nginx
}
