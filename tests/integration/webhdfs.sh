#!/bin/bash
# hdfs: at namenodes and datanodes that say what real ones do not: nobody gets a wrong byte, waits for
# ever, is led where he may not go, or finds a secret anywhere. The real ones are in tests/registry.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq python3 setpriv getfattr

unset "${!HADOOP_@}"
nodes=$WORK/nodes
mkdir "$nodes"
one=$(free_port)
while two=$(free_port); [ "$two" -eq "$one" ]; do :; done
python3 "$FETCHFS_SOURCE/tests/support/webhdfs.py" "$nodes" "$one" "$two" >"$LOGS/webhdfs" 2>&1 &
children+=($!)
wait_for 20 listening "$two" || fail "the namenodes do not start"

user=User-$RANDOM-hunter2
token=Token-$RANDOM-hunter2
(umask 077 && echo "$token" >"$WORK/token")
cat >"$CONFIG" <<-END
	[fetch]
	retries = 0
	ttl = 0
	negative_ttl = 0
	connect = 3s
	first_byte = 10s
	stall = 10s
	[hdfs "hdfs://one/"]
	endpoint = http://127.0.0.1:$one
	user = $user
	users = 65534
	list = yes
	[hdfs "hdfs://two/"]
	endpoint = http://127.0.0.1:$one, http://127.0.0.1:$two
	token_file = $WORK/token
	[hdfs "hdfs://public/"]
	endpoint = http://127.0.0.1:$one
	[hdfs "hdfs://open/"]
	endpoint = http://127.0.0.1:$one
	datanodes = 127.0.0.0/8
	[hdfs "hdfs://gone/"]
	endpoint = http://127.0.0.1:$(free_port)
END
chmod 600 "$CONFIG"
words=$WORK/words
: >"$words"

bytes() {
	python3 -c 'import sys; sys.stdout.buffer.write(bytes((i * 7 + i // 251) & 255 for i in range(int(sys.argv[1]))))' "$1"
}
get() {
	timeout 100 "${fetchfs[@]}" cat "$1" 2>>"$words"
}
refused() {
	expect_failure "$1" "$2" "${fetchfs[@]}" cat "$3"
	cat "$WORK/stderr" >>"$words"
}
asked() {
	grep -Ec -- "$1" "$nodes/log" || :
}

say "a file, by the number of its inode, from where the namenode leads to"
get hdfs://one/ok-500000 | cmp - <(bytes 500000) || fail "ok-500000 differs"
[ "$(asked "^$one /webhdfs/v1/.reserved/.inodes/[0-9]*\?op=OPEN.*datanode=1")" -eq 1 ] || fail "$(<"$nodes/log")"
[ "$(asked "user.name=$user")" -ge 2 ] || fail "it is not said who asks"
get hdfs://one/empty | cmp - /dev/null || fail "empty is not"
[ "$(asked 'empty.*op=OPEN')" -eq 0 ] || fail "nothing was to be opened"

say "what is unchanged is not sent again"
get hdfs://one/ok-500000 | cmp - <(bytes 500000) || fail "ok-500000 differs"
[ "$(asked 'op=OPEN.*datanode')" -eq 1 ] || fail "sent again"

say "a cluster that does not know inodes, or has no numbers"
get hdfs://one/noinodes-300000 | cmp - <(bytes 300000) || fail "noinodes"
get hdfs://one/noid-300000 | cmp - <(bytes 300000) || fail "noid"

say "what has got the name meanwhile is not taken for what was asked for"
for name in noinodes-swap noid-swap; do
	for size in 1000 3000000; do
		fetchfs fetch -q "hdfs://one/$name-$size" || fail "$name-$size"
		[ "$(asked "$name-$size.*op=OPEN.*datanode")" -eq 2 ] || fail "$name-$size: $(<"$nodes/log")"
		: >"$nodes/log"
		get "hdfs://one/$name-$size" | cmp - <(head -c "$size" /dev/zero | tr '\0' b) ||
			fail "$name-$size has the label of another"
		[ "$(asked op=OPEN)" -eq 0 ] || fail "sent again"
	done
done

say "another length than was said is another file"
refused '[13]' 'the file has changed' hdfs://one/short-300000
refused '[13]' 'longer than promised' hdfs://one/long-300000
refused 3 'shorter than promised|closed|broke' hdfs://one/cut-300000
refused 1 '404 no such file' hdfs://one/none
refused 1 '403 permission denied' hdfs://one/denied
refused 1 '401 .*delegation token' hdfs://one/kerberos
refused 1 'it is a folder' hdfs://one/folder
refused 1 'has no query' 'hdfs://one/ok-5?x'

say "second names lead around no section and no rule"
for path in /ok-5 a//ok-5 .reserved/.inodes/16400 .reserved/raw/ok-5 %2Ereserved/raw/ok-5 a/.snapshot/s/ok-5; do
	refused 1 'is empty|second names' "hdfs://one/$path"
done
refused 3 'cat hdfs://gone/x: ' hdfs://gone/x

say "what makes no sense, or has no end"
for what in text deep odd-negative odd-text odd-huge odd-time odd-kind; do
	refused 1 'no WebHDFS' "hdfs://one/$what"
done
refused 1 'more than 64 KiB' hdfs://one/endless
refused 1 'more than 10 redirects' hdfs://one/loop

say "to whom a namenode may lead"
echo "http://127.0.0.1:$two/webhdfs/v1/ok-9?op=OPEN&datanode=1" >"$nodes/elsewhere"
as() {
	setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
start_mount
bytes 1000 >"$WORK/1000"
as 65534 cmp "$MNT/hdfs/one/a/ok-1000" "$WORK/1000" || fail "its own datanode is beside it"
refused_by_mount() {
	! as 65534 timeout 60 cat "$1" >/dev/null 2>"$WORK/stderr" || fail "$1 is served"
	grep -q "$2" "$WORK/stderr" || fail "$1: $(<"$WORK/stderr")"
}
: >"$nodes/log"
refused_by_mount "$MNT/hdfs/public/elsewhere" 'Permission denied'
[ "$(asked "^$two ")" -eq 0 ] || fail "it was asked"
for where in http://169.254.169.254/latest ftp://127.0.0.1/x file:///etc/shadow http://10.255.0.1:9/; do
	echo "$where" >"$nodes/elsewhere"
	refused_by_mount "$MNT/hdfs/public/elsewhere" 'Permission denied'
done
echo http://169.254.169.254/latest >"$nodes/elsewhere"
refused_by_mount "$MNT/hdfs/open/elsewhere" 'Permission denied'
as 65534 cmp "$MNT/hdfs/open/ok-1000" "$WORK/1000" || fail "a datanode that the section names"
! as 12345 cat "$MNT/hdfs/one/ok-1000" >/dev/null 2>&1 || fail "whom the section does not name is served"
! as 12345 cat "$MNT/hdfs/other/ok-1000.x" >/dev/null 2>&1 || fail "without a section"
! as 65534 cat "$(at "hdfs://$user@one/ok-1000")" >/dev/null 2>&1 || fail "who says that he is another is believed"

say "folders, page by page"
names_in() {
	# without asking for what each of them is
	local names
	mapfile -t names < <(ls -A -U "$1")
	echo ${#names[@]}
}
[ "$(names_in "$MNT/hdfs/one/d/pages-105")" -eq 105 ] || fail "$(ls "$MNT/hdfs/one/d/pages-105")"
[ "$(asked 'LISTSTATUS_BATCH&startAfter=')" -ge 10 ] || fail "not by pages"
[ "$(names_in "$MNT/hdfs/one/d/old-25")" -eq 25 ] || fail "LISTSTATUS"
# 600 KB, of which no status may have more than 64
[ "$(names_in "$MNT/hdfs/one/d/old-4000")" -eq 4000 ] || fail "a large LISTSTATUS"
for name in uri etag error state; do
	getfattr -n "user.fetchfs.$name" "$MNT/hdfs/one/a/ok-1000" >>"$words" 2>&1 || :
done
cat "$MNT/.fetchfs/status" "$MNT/.fetchfs/log" "$MNT/.fetchfs/metrics" >>"$words"
stop_mount

say "the namenode that serves, whichever it is"
: >"$nodes/log"
get hdfs://two/ok-1001 | cmp - <(bytes 1001) || fail "two serve"
[ "$(asked "delegation=$token")" -ge 2 ] || fail "the token is not sent"
[ "$(asked user.name)" -eq 0 ] || fail "somebody else is named"
for mode in standby starting closed; do
	: >"$nodes/log"
	echo $mode >"$nodes/mode-$one"
	get "hdfs://two/$mode/ok-1003" | cmp - <(bytes 1003) || fail "the first is $mode"
	[ "$(asked "^$one ")" -le 2 ] || fail "it is asked again and again: $(<"$nodes/log")"
	rm "$nodes/mode-$one"
	echo $mode >"$nodes/mode-$two"
	get "hdfs://two/$mode/ok-1004" | cmp - <(bytes 1004) || fail "the second is $mode"
	rm "$nodes/mode-$two"
done
echo standby | tee "$nodes/mode-$one" >"$nodes/mode-$two"
: >"$nodes/log"
refused 3 'none of 2 namenodes serves.*standby' hdfs://two/ok-1005
[ "$(asked ok-1005)" -eq 2 ] || fail "more than once each: $(<"$nodes/log")"
rm "$nodes"/mode-*

say "an answer that drips ends with who asked"
"${fetchfs[@]}" cat hdfs://one/drip >/dev/null 2>>"$words" &
drip=$!
children+=("$drip")
wait_for 20 grep -q /drip "$nodes/log" || fail "it is not asked for"
kill -TERM "$drip"
wait_for 10 gone "$drip" || fail "it is waited for"

say "no secret is written anywhere"
fetchfs -vv cat hdfs://one/denied >/dev/null 2>>"$words" || :
fetchfs -vv cat hdfs://two/none >/dev/null 2>>"$words" || :
for secret in "$token" "$user"; do
	! grep -rlF -- "$secret" "$CACHE" "$words" "$LOGS/mount" || fail "written: $secret"
done
