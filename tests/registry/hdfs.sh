#!/bin/bash
# hdfs: at Hadoop's own namenodes and datanodes: what is asked, in each state that a file can be in, by
# who may and who may not; by commands and by the mount.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/hadoop.sh"
need_root
need_fuse
need_program jq python3 setpriv curl getfattr openssl
need_hadoop

unset "${!HADOOP_@}"
make_hdfs_tls
java+=(-Dorg.slf4j.simpleLogger.log.datanode.webhdfs=info) # the datanodes log what they are asked for
start_hdfs "${HDFS_TLS[@]}"

say "filling it"
put=$WORK/put
mkdir -p "$put/dir/sub"
random_file 3M "$put/a.bin" a
random_file 300M "$put/large.bin" large # of three blocks
random_file 40K "$put/small.bin" small
: >"$put/empty"
random_file 20K "$put/dir/sub/b.bin" b
names=("with space" "a+b" "100%" "what?" "sharp#" "Ünïcode→" "q=1&r=2" "semi;colon" "a@b" "(x)!*'" "%41"
	'~-_.' '[x]{y}' 'back\slash' '"quoted"')
for name in "${names[@]}"; do
	random_file 5K "$put/dir/$name" "$name"
done
hdfs fs -mkdir -p /files/private
hdfs fs -chmod 755 /files
uri_of() {
	python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe="/"))' "$1"
}
for file in a.bin large.bin small.bin empty dir/sub/b.bin; do
	hdfs fs -mkdir -p "/files/$(dirname "$file")"
	hdfs fs -put -f "$put/$file" "/files/$file"
done
for name in "${names[@]}"; do
	cp "$put/dir/$name" "$WORK/one"
	hdfs fs -put -f "$WORK/one" /files/dir/one
	hdfs fs -mv /files/dir/one "/files/dir/$(no_pattern "$name")"
done
hdfs fs -put "$put/small.bin" /files/private/x
hdfs fs -chown alice:staff /files/private/x
hdfs fs -chmod 600 /files/private/x
hdfs fs -put "$put/small.bin" /files/fresh.bin

token=$(webhdfs "$NN0" / "op=GETDELEGATIONTOKEN&user.name=alice" | jq -r .Token.urlString)
[ ${#token} -gt 20 ] || fail "no token: $token"
wrong=${token:0:24}AAAA${token:28} # of another one, and its password is that of this one
(umask 077 && echo "$token" >"$WORK/token" && echo "$wrong" >"$WORK/wrong")
config() {
	cat <<-END
		[fetch]
		retries = 0
		ttl = 1d
		negative_ttl = 0
		ca_file = $CA
		[hdfs "hdfs://prod/"]
		conf_dir = $HDFS_CONF
		datanodes = 127.0.0.0/8
		list = yes
		[hdfs "hdfs://prod/files/private/"]
		conf_dir = $HDFS_CONF
		datanodes = 127.0.0.0/8
		user = alice
		users = 65534
		[hdfs "hdfs://prod/files/fresh.bin"]
		conf_dir = $HDFS_CONF
		ttl = 0
		[hdfs "hdfs://token/"]
		endpoint = http://$NN1, http://$NN0
		token_file = $WORK/token
		[hdfs "hdfs://one/"]
		endpoint = http://$NN0
		[hdfs "hdfs://wrong/"]
		endpoint = http://$NN0
		token_file = $WORK/wrong
		[hdfs "hdfs://bob/"]
		endpoint = http://$NN0
		user = bob
		[hdfs "hdfs://gone/"]
		endpoint = http://127.0.0.1:$(free_port)
	END
}
config >"$CONFIG"
chmod 600 "$CONFIG"
words=$WORK/words
: >"$words"
get() {
	timeout 200 "${fetchfs[@]}" cat "$1" 2>>"$words"
}
refused() {
	expect_failure "$1" "$2" "${fetchfs[@]}" cat "$3"
	cat "$WORK/stderr" >>"$words"
}

say "size without the bytes; whole, small, empty, of several blocks"
[ "$(fetchfs stat --json hdfs://prod/files/a.bin | jq .size)" -eq $((3 << 20)) ] || fail "stat"
for file in a.bin small.bin empty large.bin; do
	get "hdfs://prod/files/$file" | cmp - "$put/$file" || fail "$file differs"
done
get "webhdfs://$NN0/files/a.bin" | cmp - "$put/a.bin" || fail "webhdfs differs"
secure=$(hdfs_setting dfs.namenode.https-address.prod.nn1)
get "swebhdfs://$secure/files/a.bin" | cmp - "$put/a.bin" || fail "swebhdfs differs"
sed -i '/^ca_file/d' "$CONFIG"
refused '[13]' 'certificate' "swebhdfs://$secure/files/small.bin"
config >"$CONFIG"

say "any name"
for name in "${names[@]}"; do
	get "hdfs://prod/files/dir/$(uri_of "$name")" | cmp - "$put/dir/$name" || fail "$name"
done
get "hdfs://prod/files/dir/a+b" | cmp - "$put/dir/a+b" || fail "a + is a +"
get "hdfs://prod/files/dir%2Fsub%2Fb.bin" | cmp - "$put/dir/sub/b.bin" || fail "an escaped slash is one"
refused 1 'no name in HDFS is empty' hdfs://prod//files//small.bin
refused 1 '(no such file|no file can have)' hdfs://prod/files/a:b

say "what is not to be had, and why"
refused 1 '404 no such file' hdfs://prod/files/none
refused 1 'no such file|permission denied' hdfs://prod/files/a.bin/x
refused 1 'it is a folder' hdfs://prod/files/dir
refused 1 '403 permission denied' hdfs://bob/files/private/x
refused 3 'cat hdfs://gone/x: ' hdfs://gone/x
get hdfs://prod/files/private/x | cmp - "$put/small.bin" || fail "alice may"

say "a changed file is a new one, an unchanged one is not sent again"
get hdfs://prod/files/fresh.bin | cmp - "$put/small.bin" || fail "fresh.bin differs"
get hdfs://prod/files/fresh.bin | cmp - "$put/small.bin" || fail "fresh.bin differs"
hdfs fs -appendToFile "$put/empty" /files/fresh.bin
random_file 40K "$put/other.bin" other
hdfs fs -put -f "$put/other.bin" /files/fresh.bin
get hdfs://prod/files/fresh.bin | cmp - "$put/other.bin" || fail "the new one is not seen"
hdfs fs -appendToFile "$put/small.bin" /files/fresh.bin
get hdfs://prod/files/fresh.bin | cmp - <(cat "$put/other.bin" "$put/small.bin") || fail "the longer one is not seen"

say "the owner is who he is, by Hadoop's own files"
: >"$WORK/empty.conf"
HADOOP_CONF_DIR=$HDFS_CONF HADOOP_USER_NAME=alice timeout 60 "$FETCHFS" --cache "$WORK/cache2" \
	--config "$WORK/empty.conf" cat hdfs://prod/files/private/x 2>>"$words" | cmp - "$put/small.bin" ||
	fail "HADOOP_USER_NAME"
timeout 60 "$FETCHFS" --cache "$WORK/cache3" --config "$WORK/empty.conf" \
	cat "webhdfs://alice@$NN0/files/private/x" 2>>"$words" | cmp - "$put/small.bin" || fail "a user in the URI"
! HADOOP_CONF_DIR=$HDFS_CONF HADOOP_USER_NAME=bob timeout 60 "$FETCHFS" --cache "$WORK/cache4" \
	--config "$WORK/empty.conf" cat hdfs://prod/files/private/x 2>>"$words" >"$WORK/out" || fail "bob may"

say "the mount: parts, folders, whom the section serves"
rm -rf "$CACHE"
start_mount
python3 - "$MNT/hdfs/prod/files/large.bin" "$put/large.bin" <<-'END' || fail "a part differs"
	import os, sys
	mine, right = (os.open(name, os.O_RDONLY) for name in sys.argv[1:])
	for offset in (299 << 20, 130 << 20, 5, (128 << 20) - 7):
	    if os.pread(mine, 100000, offset) != os.pread(right, 100000, offset):
	        sys.exit(1)
END
cmp "$MNT/hdfs/prod/files/large.bin" "$put/large.bin" || fail "large.bin differs"
cmp "$MNT/hdfs/prod/files/dir/sub/b.bin" "$put/dir/sub/b.bin" || fail "b.bin differs"
[ "$(find "$MNT/hdfs/prod/files/dir" -mindepth 1 -maxdepth 1 -printf . | wc -c)" -eq $((${#names[@]} + 1)) ] ||
	fail "$(ls "$MNT/hdfs/prod/files/dir")"
hdfs many /files/many 10000
[ "$(find "$MNT/hdfs/prod/files/many" -mindepth 1 -maxdepth 1 -printf . | wc -c)" -eq 10000 ] || fail "10,000 names"
expect_errno ENOENT "$MNT/hdfs/prod/files/none.bin"
expect_errno EACCES "$MNT/hdfs/bob/files/private/x"
as() {
	setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
as 65534 cmp "$MNT/hdfs/prod/files/private/x" "$put/small.bin" || fail "whom the section names is not served"
! as 12345 cat "$MNT/hdfs/prod/files/private/x" >/dev/null 2>>"$words" || fail "whom it does not name is served"
as 12345 cmp "$MNT/hdfs/prod/files/small.bin" "$put/small.bin" || fail "what is public is not"
for name in uri etag error state; do
	for file in a.bin private/x; do
		getfattr -n "user.fetchfs.$name" "$MNT/hdfs/prod/files/$file" >>"$words" 2>&1 || :
	done
done
cat "$MNT/.fetchfs/status" "$MNT/.fetchfs/log" "$MNT/.fetchfs/metrics" >>"$words"
stop_mount

say "what was broken off goes on where it was"
rm -rf "$CACHE"
# the first and the last byte of each part that a datanode was asked for
parts() {
	sed -n 's/.*datanode\.webhdfs.*?op=OPEN&.*length=\([0-9]*\)&offset=\([0-9]*\).*/\1 \2/p' "$LOGS/hdfs" |
		while read -r length offset; do echo "$offset $((offset + length - 1))"; done
}
# (What was broken off, a datanode tells when it notices.)
whole_parts() {
	parts | grep -cx "0 $(((300 << 20) - 1))"
}
is_told() {
	[ "$(whole_parts)" -gt "$whole" ]
}
whole=$(whole_parts) || :
(set +o pipefail; get hdfs://prod/files/large.bin | head -c 50M >/dev/null) || :
wait_for 60 is_told || fail "no datanode tells of it"
parts >"$WORK/before"
get hdfs://prod/files/large.bin | cmp - "$put/large.bin" || fail "large.bin differs"
parts | tail -n "+$(($(wc -l <"$WORK/before") + 1))" | sort -n >"$WORK/again"
awk -v here=$((50 << 20)) -v end=$(((300 << 20) - 1)) '$1 < here || $2 > end { exit 1 } $2 == end { whole = 1 }
	END { exit !whole }' "$WORK/again" || fail "asked for again: $(<"$WORK/again")"

say "the namenodes change places"
hdfs active 1
random_file 50K "$put/later.bin" later
hdfs fs -put "$put/later.bin" /files/later.bin
get hdfs://prod/files/later.bin | cmp - "$put/later.bin" || fail "by the second one"
hdfs fs -put "$put/later.bin" /files/last.bin

say "a token opens, and says who asks; the first namenode that is asked is on standby"
hdfs active 0
hdfs secure
get hdfs://token/files/private/x | cmp - "$put/small.bin" || fail "alice's token does not open"
refused 1 'delegation token is wrong' hdfs://wrong/files/private/x

say "a namenode is gone"
hdfs stop 0
refused 3 'cat hdfs://one/files/a.bin: ' hdfs://one/files/a.bin

say "no secret is written anywhere"
fetchfs -vv cat hdfs://wrong/none >/dev/null 2>>"$words" || :
for secret in "$token" "$wrong" user.name; do
	! grep -rlF -- "$secret" "$CACHE" "$WORK/cache2" "$words" "$LOGS/mount" || fail "written: $secret"
done
