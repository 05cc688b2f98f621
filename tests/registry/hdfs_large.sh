#!/bin/bash
# hdfs in bulk: a gigabyte, of which the far end comes first for who reads there, and whose namenode changes
# in the middle.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/hadoop.sh"
need_root
need_fuse
need_program java jq python3 openssl
[ "$(df --output=avail -B1M "$WORK" | tail -n 1)" -gt 6000 ] || skip "needs 6 GB below ${TMPDIR:-/tmp}"
need_hadoop

unset "${!HADOOP_@}"
start_hdfs dfs.replication=1
cat >"$CONFIG" <<-END
	[cache]
	size = 2G
	min_free = 0
	[fetch]
	retries = 40
	[hdfs "hdfs://prod/"]
	conf_dir = $HDFS_CONF
	datanodes = 127.0.0.0/8
END

say "filling it"
random_file 1G "$WORK/large.bin"
hdfs fs -mkdir -p /files
hdfs fs -put "$WORK/large.bin" /files/large.bin

say "a gigabyte, whose end is read while the beginning comes"
start_mount
file=$MNT/hdfs/prod/files/large.bin
arrived() {
	[ "$(jq '[.transfers[].bytes] | add // 0' "$MNT/.fetchfs/status")" -ge "$1" ]
}
wait_for 60 test -f "$file" || fail "it is not there" # LOOKUP does not wait for a namenode's first answer
dd if="$file" of="$WORK/got" bs=1M status=none &
reader=$!
children+=("$reader")
wait_for 60 arrived 1 || fail "nothing comes"
python3 - "$file" "$WORK/large.bin" <<-'END' || fail "the end differs"
	import os, sys
	mine, right = (os.open(name, os.O_RDONLY) for name in sys.argv[1:])
	for offset in ((1 << 30) - 70000, 900 << 20):
	    if os.pread(mine, 70000, offset) != os.pread(right, 70000, offset):
	        sys.exit(1)
END
if nothing_in_flight || arrived $((900 << 20)); then
	fail "the end came last"
fi

say "the namenodes change places meanwhile"
hdfs active 1
wait $reader || fail "the reader saw it"
cmp "$WORK/got" "$WORK/large.bin" || fail "large.bin differs"
settle_mount
no_debris
stop_mount
fetchfs cat hdfs://prod/files/large.bin | cmp - "$WORK/large.bin" || fail "what is kept differs"
