#!/bin/bash
# s3 in bulk: a gigabyte whose server goes away in the middle, and a folder of ten thousand names.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/seaweed.sh"
need_root
need_fuse
need_program rclone openssl

[ "$(df --output=avail -B1M "$WORK" | tail -n 1)" -gt 6000 ] || skip "needs 6 GB below ${TMPDIR:-/tmp}"
unset "${!AWS_@}"
export HOME=$WORK/home
mkdir "$HOME"
start_seaweed
keys_file "$WORK/keys" "$S3_KEY" "$S3_SECRET"
cat >"$CONFIG" <<-END
	[cache]
	size = 2G
	min_free = 0
	[fetch]
	retries = 40
	[s3 "s3://files/"]
	endpoint = $SEAWEED
	credentials = $WORK/keys
	list = yes
END

say "filling the bucket"
put=$WORK/put
mkdir "$put" "$put/many"
random_file 1G "$put/large.bin"
s3_client copy "$put/large.bin" s3:files || fail "$(<"$LOGS/rclone")"
python3 - "$put/many" <<-'END'
	import os, sys
	os.chdir(sys.argv[1])
	for i in range(10000):
	    with open("name %05d" % i, "w") as f:
	        f.write("%d\n" % i)
END
s3_client copy --transfers 32 --no-traverse "$put/many" s3:files/many || fail "$(<"$LOGS/rclone")"

say "ten thousand names"
start_mount
[ "$(find "$MNT/s3/files/many/" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -u | wc -l)" -eq 10000 ] ||
	fail "not all are listed"
[ "$(<"$MNT/s3/files/many/name%2009999")" = 9999 ] || fail "other bytes"

say "a gigabyte, whose server goes away and comes back"
dd if="$MNT/s3/files/large.bin" of="$WORK/got" bs=1M status=none &
reader=$!
children+=("$reader")
arrived() { [ -s "$WORK/got" ] && [ "$(stat -c %s "$WORK/got")" -gt $((100 << 20)) ]; }
wait_for 60 arrived || fail "nothing comes"
kill -KILL "$WEED_PID"
wait "$WEED_PID" 2>/dev/null || :
run_seaweed
wait $reader || fail "the reader saw it"
cmp "$WORK/got" "$put/large.bin" || fail "large.bin differs"
settle_mount
no_debris
stop_mount
