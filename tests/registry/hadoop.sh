#!/bin/bash
# Other schemes by Hadoop's own client, a JVM for each word: at Hadoop's own HDFS, by viewfs, which knows
# only the client, and by hdfs, where the configuration wants that.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/hadoop.sh"
need_root
need_program jq python3
need_hadoop

unset "${!HADOOP_@}"
start_hdfs
export HADOOP_HOME=$WORK/hadoop HADOOP_CONF_DIR=$HDFS_CONF
make_hadoop_client
put=$WORK/put
mkdir "$put"
random_file 3M "$put/a.bin" a
random_file 40K "$put/small.bin" small
: >"$put/empty"
hdfs fs -mkdir -p /files/dir
hdfs fs -put "$put/a.bin" "$put/small.bin" "$put/empty" /files/
names=("with space" "a+b" "100%" "what?" "sharp#" "Ünïcode→" "a*b" "[x]{y}")
for name in "${names[@]}"; do
	hdfs fs -put "$put/small.bin" /files/dir/one
	hdfs fs -mv /files/dir/one "/files/dir/$(no_pattern "$name")"
done
# what they would mean as patterns
hdfs fs -put "$put/a.bin" /files/dir/whatX
hdfs fs -put "$put/a.bin" /files/dir/aXb
hdfs fs -put "$put/small.bin" /files/denied
hdfs fs -chmod 600 /files/denied
cat >"$CONFIG" <<-END
	[fetch]
	retries = 0
	ttl = 0
	negative_ttl = 0
	hadoop_schemes = viewfs, hdfs, nosuch
END
words=$WORK/words
: >"$words"
get() {
	timeout 200 "${fetchfs[@]}" cat "$1" 2>>"$words"
}
refused() {
	expect_failure "$1" "$2" "${fetchfs[@]}" cat "$3"
	cat "$WORK/stderr" >>"$words"
}
uri_of() {
	python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe="/"))' "$1"
}

say "size, whole, empty"
[ "$(fetchfs stat --json viewfs://union/data/a.bin | jq .size)" -eq $((3 << 20)) ] || fail "stat"
get viewfs://union/data/a.bin | cmp - "$put/a.bin" || fail "a.bin differs"
get viewfs://union/data/a.bin | cmp - "$put/a.bin" || fail "a.bin differs"
get viewfs://union/data/empty | cmp - /dev/null || fail "empty is not"
get hdfs://prod/files/a.bin | cmp - "$put/a.bin" || fail "hdfs differs"

say "any name"
for name in "${names[@]}"; do
	get "viewfs://union/data/dir/$(uri_of "$name")" | cmp - "$put/small.bin" || fail "$name"
done

say "what is not to be had, and why"
refused 1 'no such file' viewfs://union/data/none
refused 1 'it is a folder' viewfs://union/data/dir
HADOOP_USER_NAME=bob refused 1 'permission denied' viewfs://union/data/denied
refused 1 'does not know this scheme' nosuch://x/a
refused 3 'connection refused' "hdfs://127.0.0.1:$(free_port)/a"

say "a changed file is a new one"
hdfs fs -put -f "$put/small.bin" /files/a.bin
get viewfs://union/data/a.bin | cmp - "$put/small.bin" || fail "the new one is not seen"
