#!/bin/bash
# Other schemes by Hadoop's client: what a real one cannot be made to do (that one is in tests/registry).
# Here it is a script, which fails, hangs, dies, talks without end and gives secrets away.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq setpriv

unset "${!HADOOP_@}"
export HADOOP_HOME=$WORK/hadoop
secret=Secret-$RANDOM-hunter2
export CLIENT_LOG=$WORK/client-log CLIENT_SECRET=$secret CLIENT_DATA=$WORK/data
words=$WORK/words
: >"$words"
mkdir -p "$HADOOP_HOME/bin"
cat >"$HADOOP_HOME/bin/hadoop" <<-'END'
	#!/bin/bash
	for argument; do printf '%s\n' "$argument"; done >>"$CLIENT_LOG"
	echo "$$" >>"$CLIENT_LOG.pids"
	echo "WARN util.NativeCodeLoader: password=$CLIENT_SECRET" >&2
	name=${*: -1}
	name=${name##*/}
	size=$(stat -c %s "$CLIENT_DATA")
	if [ "$2" = -stat ]; then
		case $name in
		none) echo "stat: \`$3': No such file or directory" >&2; exit 1 ;;
		denied) echo "stat: Permission denied: user=me, key=$CLIENT_SECRET" >&2; exit 1 ;;
		refused) echo "stat: Call failed: java.net.ConnectException: Connection refused" >&2; exit 1 ;;
		strange) echo "stat: $CLIENT_SECRET" >&2; exit 42 ;;
		folder) echo "0 1700000000000 directory"; exit ;;
		nonsense) echo "what?"; exit ;;
		endless) yes; exit ;;
		hang) exec sleep 1000 ;; # as the real one is the JVM in the end
		swap) [ ! -e "$CLIENT_LOG.swap" ] || { echo "$size 1700000000124 regular file"; exit; } ;;
		esac
		echo "SLF4J: a word on stdout"
		echo "$size 1700000000123 regular file"
		exit
	fi
	case $name in
	short) head -c 1000 "$CLIENT_DATA" ;;
	long) cat "$CLIENT_DATA" "$CLIENT_DATA" ;;
	die) head -c 1000 "$CLIENT_DATA"; kill -KILL $$ ;;
	midway) head -c 1000 "$CLIENT_DATA"; echo "cat: java.io.IOException: $CLIENT_SECRET" >&2; exit 1 ;;
	stall) head -c 1000 "$CLIENT_DATA"; sleep 1000 & echo $! >>"$CLIENT_LOG.pids"; wait ;;
	loud) head -c 50000000 /dev/zero | tr '\0' 'x' >&2; cat "$CLIENT_DATA" ;;
	swap) # another one has the name
		[ ! -e "$CLIENT_LOG.swap" ] || exec cat "$CLIENT_DATA"
		: >"$CLIENT_LOG.swap"
		head -c "$size" /dev/zero ;;
	wait.bin) # for a word
		for _ in {1..400}; do [ ! -e "$CLIENT_LOG.go" ] || break; sleep 0.05; done
		cat "$CLIENT_DATA" ;;
	left) cat "$CLIENT_DATA"; sleep 1000 & echo $! >>"$CLIENT_LOG.pids" ;;
	*) cat "$CLIENT_DATA" ;;
	esac
END
chmod +x "$HADOOP_HOME/bin/hadoop"
random_file 3M "$CLIENT_DATA"
cat >"$CONFIG" <<-END
	[fetch]
	retries = 0
	ttl = 0
	negative_ttl = 0
	first_byte = 20s
	stall = 3s
END

get() {
	timeout 100 "${fetchfs[@]}" cat "$1" 2>>"$words"
}
refused() {
	expect_failure "$1" "$2" "${fetchfs[@]}" cat "$3"
	cat "$WORK/stderr" >>"$words"
}
all_gone() {
	local pid
	while read -r pid; do
		gone "$pid" || return 1
	done <"$CLIENT_LOG.pids"
}

say "size, time, bytes; unchanged they are not sent again"
stat="fs -stat %b %Y %F gs://bucket/a/b.bin"
get gs://bucket/a/b.bin | cmp - "$CLIENT_DATA" || fail "differs"
[ "$(paste -sd ' ' "$CLIENT_LOG")" = "$stat fs -cat gs://bucket/a/b.bin $stat" ] ||
	fail "$(<"$CLIENT_LOG")"
get gs://bucket/a/b.bin | cmp - "$CLIENT_DATA" || fail "differs"
[ "$(grep -c '^-cat' "$CLIENT_LOG")" -eq 1 ] || fail "sent again"
[ "$(fetchfs stat --json gs://bucket/a/b.bin | jq .size)" -eq $((3 << 20)) ] || fail "stat"

say "what was another file before the end of -cat is fetched anew"
fetchfs fetch -q gs://bucket/swap 2>>"$words" || fail "it is not"
[ "$(grep -c '^-cat' "$CLIENT_LOG")" -eq 3 ] || fail "$(<"$CLIENT_LOG")"
get gs://bucket/swap | cmp - "$CLIENT_DATA" || fail "it has the label of another"
[ "$(grep -c '^-cat' "$CLIENT_LOG")" -eq 3 ] || fail "sent again"

say "second names lead around no section"
for path in /a/b.bin a//b.bin a%2Fb.bin a%2fb.bin; do
	refused 1 'is empty, or has a slash' "gs://bucket/$path"
done

say "names are no patterns, and nothing is an option or a command"
: >"$CLIENT_LOG"
# shellcheck disable=SC2016 # a name
get 'gs://bucket/-x/a*b%3F%5Bc%5D%7Bd%7D%5Ce$(touch%20f)%25%23;%20g' | cmp - "$CLIENT_DATA" || fail "differs"
# shellcheck disable=SC2016
[ "$(tail -n 1 "$CLIENT_LOG")" = 'gs://bucket/-x/a\*b\?\[c\]\{d\}\\e$(touch f)%#; g' ] || fail "$(<"$CLIENT_LOG")"
: >"$CLIENT_LOG"
get wasb://box@account/a | cmp - "$CLIENT_DATA" || fail "differs"
[ "$(tail -n 1 "$CLIENT_LOG")" = wasb://box@account/a ] || fail "$(<"$CLIENT_LOG")"
: >"$CLIENT_LOG"
refused 1 'control characters' gs://bucket/a%0Ab
refused 1 'has no query' 'gs://bucket/a?b'
refused 1 'it is a folder' gs://bucket/a/
refused 1 'no password' "wasb://box:$secret@account/a"
[ ! -s "$CLIENT_LOG" ] || fail "it was asked: $(<"$CLIENT_LOG")"

say "what goes wrong, in our words"
refused 1 'no such file' gs://bucket/none
refused 1 'permission denied' gs://bucket/denied
refused 3 'connection refused' gs://bucket/refused
refused 3 'failed \(status 42\)' gs://bucket/strange
refused 1 'it is a folder' gs://bucket/folder
refused 1 'answers something else' gs://bucket/nonsense
refused 1 'answers something else' gs://bucket/endless
refused '[13]' 'fewer bytes|changed' gs://bucket/short
refused '[13]' 'more bytes|changed' gs://bucket/long
refused 3 'died: Killed' gs://bucket/die
refused 3 'failed' gs://bucket/midway
refused 3 'too little in 3 s' gs://bucket/stall
wait_for 10 all_gone || fail "somebody is left"

say "whatever it says, and whatever it leaves behind"
get gs://bucket/loud | cmp - "$CLIENT_DATA" || fail "differs"
get gs://bucket/left | cmp - "$CLIENT_DATA" || fail "differs"
wait_for 10 all_gone || fail "somebody is left"

say "who is killed takes it along"
: >"$CLIENT_LOG.pids"
"${fetchfs[@]}" cat gs://bucket/hang >/dev/null 2>>"$words" &
asking=$!
children+=("$asking")
wait_for 20 grep -q . "$CLIENT_LOG.pids" || fail "it does not run"
! all_gone || fail "it does not hang"
kill -KILL "$asking"
wait_for 10 gone "$asking" || fail "it is waited for"
wait_for 10 all_gone || fail "somebody is left"

say "who is killed before it has begun takes it along, too"
: >"$CLIENT_LOG"
FETCHFS_FAULT=spawn.become:1:2000ms "${fetchfs[@]}" cat gs://bucket/early >/dev/null 2>>"$words" &
asking=$!
children+=("$asking")
has_child() {
	child=$(pgrep -P "$asking")
}
wait_for 20 has_child || fail "it does not begin"
kill -KILL "$asking"
wait_for 10 gone "$asking" || fail "it is waited for"
wait_for 10 gone "$child" || fail "it goes on"
[ ! -s "$CLIENT_LOG" ] || fail "it was run: $(<"$CLIENT_LOG")"

say "no more at once than may be, and a question finds a turn; who waits can leave"
sed -i '/^retries/a hadoop_clients = 3' "$CONFIG"
: >"$CLIENT_LOG"
start_mount
for i in 1 2 3; do
	cat "$MNT/gs/bucket/$i/wait.bin" >"$WORK/got$i" 2>>"$words" &
	readers[i]=$!
	children+=($!)
done
brought() {
	grep -A1 -- '^-cat' "$CLIENT_LOG" | grep -o '[123]/wait.bin' | cut -c 1 || :
}
two_run() {
	[ "$(brought | wc -l)" -eq 2 ]
}
in_flight_are() {
	jq -e ".in_flight == $1" "$MNT/.fetchfs/status" >/dev/null
}
wait_for 20 in_flight_are 3 || fail "not three are asked for"
wait_for 20 two_run || fail "$(<"$CLIENT_LOG")"
[ "$(stat -c %s "$MNT/gs/bucket/a/question.bin")" -eq $((3 << 20)) ] || fail "no turn for a question"
two_run || fail "more than two run"
third=$(seq 3 | grep -vxF "$(brought)")
kill -KILL "${readers[third]}"
wait_for 10 gone "${readers[third]}" || fail "a reader is stuck"
wait_for 20 in_flight_are 2 || fail "$(<"$MNT/.fetchfs/status")"
: >"$CLIENT_LOG.go"
for i in $(brought); do
	wait "${readers[i]}" || fail "it fails"
	cmp "$WORK/got$i" "$CLIENT_DATA" || fail "differs"
done
settle_mount
two_run || fail "one ran that nobody waited for"
cmp "$MNT/gs/bucket/a/after.bin" "$CLIENT_DATA" || fail "no turn is left"
stop_mount
sed -i '/^hadoop_clients/d' "$CONFIG"

say "the mount: for the owner, and whom a section names"
cp "$CONFIG" "$WORK/before.conf"
printf '[hadoop "gs://shared/"]\nusers = 65534\n' >>"$CONFIG"
start_mount
cmp "$MNT/gs/bucket/a/m.bin" "$CLIENT_DATA" || fail "differs"
expect_errno ENOENT "$MNT/gs/bucket/none"
expect_errno EACCES "$MNT/gs/bucket/denied"
as() {
	setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
! as 65534 cat "$MNT/gs/bucket/a/m.bin" >/dev/null 2>>"$words" || fail "the owner's is not everybody's"
as 65534 cmp "$MNT/gs/shared/a/m.bin" "$CLIENT_DATA" || fail "whom the section names is not served"
! as 12345 cat "$MNT/gs/shared/a/m.bin" >/dev/null 2>>"$words" || fail "whom it does not name is served"
cat "$MNT/.fetchfs/status" "$MNT/.fetchfs/log" >>"$words"
stop_mount
mv "$WORK/before.conf" "$CONFIG"

say "where it is looked for"
mkdir "$WORK/bin"
mv "$HADOOP_HOME/bin/hadoop" "$WORK/bin/hadoop"
refused 1 'needs Hadoop.s client.*HADOOP_HOME.*hadoop = ' gs://bucket/c
(PATH=$WORK/bin:$PATH get gs://bucket/d) | cmp - "$CLIENT_DATA" || fail "not in PATH"
printf 'hadoop = %s\nhadoop_schemes = xyz, hdfs\n' "$WORK/bin/hadoop" >>"$CONFIG"
get xyz://bucket/d | cmp - "$CLIENT_DATA" || fail "not as configured"
get hdfs://nn/d | cmp - "$CLIENT_DATA" || fail "a scheme is not taken over"
refused 1 'unknown scheme gs' gs://bucket/d
sed -i 's,^hadoop = .*,hadoop = /none,' "$CONFIG"
refused 1 "'hadoop = /none' in .fetch. is none" xyz://bucket/e

say "no secret is written anywhere"
! grep -rlF -- "$secret" "$CACHE" "$words" "$LOGS" || fail "written: $secret"
