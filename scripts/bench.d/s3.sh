# shellcheck shell=bash disable=SC2034,SC2154 # variables are those of scripts/bench
# s3fs, which speaks S3 only, and a server for it: SeaweedFS, which has the same files and checks
# signatures. Without it everything else is measured all the same.
. "$source/scripts/weed.sh"

packages_s3=(s3fs rclone python3-venv)
weed=     # the server's program, once it is there
weed_pid= # of the running server
weed_sockets=()
s3_key=bench
s3_secret=only-for-the-bench
s3= # the bucket's URL
# Contestants, once the bucket has the files: the place, and those of the cold rows, where curl shows
# what of it is the server's.
s3fs=()
s3_cold_large=()
s3_cold_small=()

leave_out_s3fs() {
	s3fs=() s3_cold_large=() s3_cold_small=()
	note "s3fs is left out: $1"
}

# prepare_s3: the server's program is kept below build/
prepare_s3() {
	local dir=$source/build/seaweedfs-$weed_version
	need_packages "${packages_s3[@]}"
	[ -x "$dir/weed" ] || download_weed "$dir" ||
		{ leave_out_s3fs "its server, SeaweedFS, could not be installed"; return 0; }
	weed=$dir/weed
}

# start_s3: the server and its files, at the first call
start_s3() {
	[ -n "$weed" ] && [ -z "$weed_pid" ] || return 0
	note "starting SeaweedFS, and filling it"
	start_weed
	if waits_for 60 make_bucket && upload large.bin && upload small; then
		s3fs=(s3fs)
		s3_cold_large=(curl_s3_large s3fs_cold_large)
		s3_cold_small=(curl_s3_small s3fs_cold_small)
	else
		tail -n 3 "$work/weed.log" "$work/rclone-s3.log" >&2
		leave_out_s3fs "its server did not start, or did not take the files"
	fi
}

start_weed() {
	local name port=9000 options=()
	for name in master volume filer s3; do
		port=$(free_port $((port + 1)))
		options+=("-$name.port=$port")
		[ "$name" != s3 ] || s3=http://127.0.0.1:$port/files
		port=$(free_port $((port + 1)))
		options+=("-$name.port.grpc=$port")
		weed_sockets+=("/tmp/seaweedfs-$name-grpc-$port.sock") # it asks nobody where
	done
	mkdir "$work/weed"
	cat >"$work/weed.json" <<-END
		{ "identities": [{ "name": "bench", "actions": ["Admin", "Read", "List", "Write"],
		  "credentials": [{ "accessKey": "$s3_key", "secretKey": "$s3_secret" }] }] }
	END
	# by default it reports on itself to its makers
	HOME=$work "$weed" server -dir="$work/weed" -ip=127.0.0.1 -ip.bind=127.0.0.1 "${options[@]}" \
		-master.telemetry=false -volume.max=100 -filer.localSocket="$work/weed-filer" \
		-s3 -s3.config="$work/weed.json" -s3.localSocket="$work/weed-s3" \
		-s3.port.iceberg=0 -s3.port.lance=0 >"$work/weed.log" 2>&1 &
	weed_pid=$!
}

# It would take half a minute to say good-bye, and nothing of it is kept.
stop_s3() {
	[ -n "$weed_pid" ] || return 0
	stop KILL "$weed_pid"
	rm -f "${weed_sockets[@]}"
}

rclone_s3() {
	RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other RCLONE_CONFIG_S3_REGION=us-east-1 \
		RCLONE_CONFIG_S3_ENDPOINT=${s3%/files} RCLONE_CONFIG_S3_ACCESS_KEY_ID=$s3_key \
		RCLONE_CONFIG_S3_SECRET_ACCESS_KEY=$s3_secret rclone_ -q "$@" 2>>"$work/rclone-s3.log"
}

make_bucket() { rclone_s3 --retries 1 --low-level-retries 1 mkdir s3:files; }

# upload NAME: a file or folder of the server's, which must all be there then
upload() {
	local which=(--include "/$1" --include "/$1/**")
	rclone_s3 copy "${which[@]}" --transfers 16 --no-traverse "$work/www" s3:files &&
		rclone_s3 check "${which[@]}" --one-way --size-only "$work/www" s3:files
}

# As for a bucket that others fill, and that does not change: what was read is kept, by the kernel, too,
# names that are not there are remembered, and a folder is asked for in one way.
mount_s3fs() {
	unmount_ "$work/s3fs"
	discard "$work/s3fs-cache"
	mkdir -p "$work/s3fs" "$work/s3fs-cache"
	(umask 077 && echo "$s3_key:$s3_secret" >"$work/s3fs.passwd")
	serve "$work/s3fs" s3fs "${s3##*/}" "$work/s3fs" -f \
		-o "url=${s3%/files},use_path_request_style,ro,complement_stat" \
		-o "passwd_file=$work/s3fs.passwd,use_cache=$work/s3fs-cache,kernel_cache" \
		-o "multireq_max=50,parallel_count=16,enable_noobj_cache,notsup_compat_dir"
}

curl_s3() { curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user "$s3_key:$s3_secret" "$@"; }

label[curl_s3_large]="curl -o, from the S3 server"
before_curl_s3_large() { clean_out; }
run_curl_s3_large() { curl_s3 -o "$work/out/large.bin" "$s3/large.bin"; }
after_curl_s3_large() { expect_large; }

label[s3fs_cold_large]=s3fs
before_s3fs_cold_large() { mount_s3fs; }
run_s3fs_cold_large() { dd if="$work/s3fs/large.bin" bs=1M of=/dev/null; }

label[curl_s3_small]="curl, one connection to the S3 server"
before_curl_s3_small() {
	clean_out
	sed "s|^url = \"$http/|url = \"$s3/|" "$lists/curl" >"$work/lists/s3"
}
run_curl_s3_small() { curl_s3 -K "$work/lists/s3"; }
after_curl_s3_small() { expect_small "$work/curl"; }

label[s3fs_cold_small]="s3fs, cat"
before_s3fs_cold_small() { mount_s3fs; }
run_s3fs_cold_small() { cat_small "$work/s3fs/small"; }
