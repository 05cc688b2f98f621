#!/bin/bash
# Other schemes in bulk: a gigabyte by Hadoop's own client, a JVM and a pipe, at Hadoop's own HDFS.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/hadoop.sh"
need_root
need_fuse
need_program jq python3
[ "$(df --output=avail -B1M "$WORK" | tail -n 1)" -gt 5000 ] || skip "needs 5 GB below ${TMPDIR:-/tmp}"
need_hadoop

unset "${!HADOOP_@}"
start_hdfs dfs.replication=1
export HADOOP_HOME=$WORK/hadoop HADOOP_CONF_DIR=$HDFS_CONF
make_hadoop_client
cat >"$CONFIG" <<-END
	[cache]
	size = 2G
	min_free = 0
	[fetch]
	retries = 0
	ttl = 1d
	first_byte = 60s
	hadoop_schemes = viewfs
END

say "filling it"
random_file 1G "$WORK/large.bin"
hdfs fs -mkdir -p /files
hdfs fs -put "$WORK/large.bin" /files/large.bin

say "a gigabyte, read while it comes, and all there is is right"
start_mount
file=$MNT/viewfs/union/data/large.bin
wait_for 60 test -f "$file" || fail "it is not there" # LOOKUP does not wait for a JVM
[ "$(stat -c %s "$file")" -eq $((1 << 30)) ] || fail "$(stat "$file")"
cmp "$file" "$WORK/large.bin" || fail "large.bin differs"
settle_mount
no_debris
stop_mount

say "it is kept: nobody is asked for the bytes again"
rm "$HADOOP_HOME/bin/hadoop"
fetchfs cat viewfs://union/data/large.bin | cmp - "$WORK/large.bin" || fail "what is kept differs"
