#!/bin/bash
# The index is lost, or damaged in any way, also while others use it: it is made anew from the journal
# and the objects, and nothing is downloaded again.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_program jq curl

printf '[fetch]\nttl = 1h\n[cache]\nhardlink = yes\n' >"$CONFIG"
start_origin
for ((i = 0; i < 20; i++)); do
	random_file $((1 + i * 60000)) "$ORIGINROOT/$i" "$i"
	echo "$ORIGIN/$i"
done >"$WORK/list"
fetchfs fetch -i "$WORK/list"
fetchfs fetch "$ORIGIN/3?version=1"
fetchfs fetch --executable "$ORIGIN/4"
fetchfs pin "$ORIGIN/5" "$ORIGIN/6"
fetchfs unpin "$ORIGIN/6"
cp "$ORIGINROOT/8" "$WORK/8"
rm "$ORIGINROOT/8"
expect_failure 1 "404" "${fetchfs[@]}" fetch --refresh "$ORIGIN/8"
fetchfs evict "$ORIGIN/9"
mkdir "$WORK/box"
fetchfs prepare --method copy "$WORK/box" "$ORIGIN/10" "$ORIGIN/11"

# What the cache knows, but for times of use.
known() {
	fetchfs ls --json | jq -cS 'select(.state == "complete") | del(.last_used, .cached_bytes)'
	fetchfs sandboxes --json | jq -cS .
}

lose_index() {
	rm -f "$CACHE"/index.db "$CACHE"/index.db-wal "$CACHE"/index.db-shm
}

# Nothing was lost, nothing is asked, and all bytes are right.
all_there() {
	local i requests
	requests=$(origin_stat requests)
	known >"$WORK/now"
	diff "$WORK/before" "$WORK/now" || fail "$1: it knows something else"
	for ((i = 0; i < 20; i++)); do
		[ $i -eq 8 ] || [ $i -eq 9 ] || fetchfs cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" ||
			fail "$1: other bytes"
	done
	[ "$(origin_stat requests)" -eq "$requests" ] || fail "$1: the origin was asked"
	fetchfs verify >"$WORK/said" || fail "$1: $(<"$WORK/said")"
}
known >"$WORK/before"
used=$(fetchfs status --json | jq .used)

say "removed"
lose_index
all_there "removed"
[ "$(fetchfs status --json | jq .used)" -eq "$used" ] || fail "it counts otherwise"

say "emptied, cut off, overwritten"
: >"$CACHE/index.db"
rm -f "$CACHE"/index.db-*
all_there "emptied"
truncate -s 5000 "$CACHE/index.db"
rm -f "$CACHE"/index.db-*
all_there "cut off"
head -c 4096 /dev/urandom | dd of="$CACHE/index.db" conv=notrunc status=none
rm -f "$CACHE"/index.db-*
all_there "overwritten"
[ -s "$CACHE/index.damaged" ] || fail "the damaged one was not kept"

if FETCHFS_FAULT=: fetchfs --version >/dev/null 2>&1; then
	say "removed while it is being opened (left out: built without fault points)"
else
	say "removed while it is being opened"
	FETCHFS_FAULT=index.opened:1:3000ms "${fetchfs[@]}" cat "$ORIGIN/1" >"$WORK/bytes" &
	child=$!
	has_index_open() { find "/proc/$child/fd" -lname '*/index.db' 2>/dev/null | grep -q .; }
	wait_for 20 has_index_open || fail "it does not open the index"
	lose_index
	wait "$child" || fail "it failed"
	cmp "$WORK/bytes" "$ORIGINROOT/1" || fail "other bytes"
	all_there "removed while it is being opened"
fi

say "bytes changed somewhere in it, or in its log"
for ((n = 0; n < 30; n++)); do
	file=$CACHE/index.db
	[ $((n % 3)) -gt 0 ] || file=$CACHE/index.db-wal
	fetchfs pin "$ORIGIN/$((n % 7 + 10))" # so that there is a log
	fetchfs unpin "$ORIGIN/$((n % 7 + 10))"
	size=$(stat -c %s "$file")
	for ((k = 0; k < 40; k++)); do
		head -c 8 /dev/urandom |
			dd of="$file" bs=1 seek=$(((RANDOM * 32768 + RANDOM) % size)) conv=notrunc status=none
	done
	for ((i = 0; i < 20; i++)); do
		[ $i -ne 8 ] || continue
		# what it says of itself may be wrong once; never the bytes
		fetchfs cat "$ORIGIN/$i" >"$WORK/bytes" 2>"$WORK/stderr" ||
			fetchfs cat "$ORIGIN/$i" >"$WORK/bytes" || fail "$n: $i cannot be read"
		cmp "$WORK/bytes" "$ORIGINROOT/$i" || fail "$n: other bytes of $i"
	done
done
lose_index
fetchfs evict "$ORIGIN/9"
# a digest with a wrong bit was a miss, and came again
known >"$WORK/before"
all_there "changed"

say "a journal with half lines, and lines of nothing"
cp "$CACHE/journal" "$WORK/journal"
{
	head -c 100 "$WORK/journal"
	echo
	head -c 5000 /dev/zero
	echo
	echo "0123456789abcdef {\"key\": \"00000000000000000000000000000000\", \"gone\": true}"
	cat "$WORK/journal"
	tail -n 1 "$WORK/journal" | head -c 50
} >"$CACHE/journal"
lose_index
all_there "half lines"
cp "$WORK/journal" "$CACHE/journal"

say "a longer journal becomes short, and says the same"
for ((n = 0; n < 40; n++)); do
	cat "$WORK/journal"
done >"$CACHE/journal"
while [ "$(stat -c %s "$CACHE/journal")" -lt 3000000 ]; do
	cat "$WORK/journal" >>"$CACHE/journal"
done
fetchfs gc
[ "$(stat -c %s "$CACHE/journal")" -lt 100000 ] || fail "it has $(stat -c %s "$CACHE/journal") bytes"
[ ! -e "$CACHE/journal.new" ] || fail "a draft is left"
lose_index
all_there "short"

say "without a journal, as older caches are: gc writes one"
rm "$CACHE/journal"
fetchfs gc
lose_index
all_there "written anew"

say "a sandbox is released as ever"
lose_index
fetchfs release "$WORK/box"
[ -z "$(ls "$WORK/box")" ] || fail "left: $(ls "$WORK/box")"

say "neither index nor journal: bytes are kept until their room is needed"
lose_index
rm "$CACHE/journal"
[ "$(fetchfs status --json | jq .used)" -gt 1000000 ] || fail "the objects do not count"
fetchfs evict --all >/dev/null
[ -z "$(find "$CACHE/objects" -type f)" ] || fail "left: $(find "$CACHE/objects" -type f)"
fetchfs fetch "$ORIGIN/5"

say "while a mount serves, and others fetch"
need_root
need_fuse
start_mount
rm "$WORK/list"
for i in 0 1 2 3 4 5 6 7 10 11 12 13; do
	echo "$ORIGIN/$i" >>"$WORK/list"
done
churn() {
	while :; do
		# (it is damaged again while it is being made)
		fetchfs -q fetch -i "$WORK/list" || :
		fetchfs -q evict --to 1M || :
	done
}
churn 2>"$LOGS/churn" &
children+=($!)
# An index that is damaged all the time is not made anew all the time.
cat_mounted() {
	cat "$(at "$ORIGIN/$1")" >"$WORK/bytes"
}
for ((n = 0; n < 25; n++)); do
	case $((n % 4)) in
	0) lose_index ;;
	1) dd if=/dev/urandom of="$CACHE/index.db" bs=4096 count=3 conv=notrunc status=none ;;
	2) : >"$CACHE/index.db" ;;
	3) rm -f "$CACHE/index.db" ;;
	esac
	for i in 1 5 13; do
		wait_for 20 cat_mounted $i || fail "$n: $i cannot be read through the mount"
		cmp "$WORK/bytes" "$ORIGINROOT/$i" || fail "$n: other bytes of $i"
	done
done
! grep -v "index: \|make the index anew" "$LOGS/churn" || fail "something failed"
kill "${children[-1]}"
wait "${children[-1]}" 2>/dev/null || :
random_file 100k "$ORIGINROOT/last" last
fetchfs fetch "$ORIGIN/last"
listed() {
	[ -n "$(find "$MNT/http/${ORIGIN#http://}" -name last)" ]
}
wait_for 10 listed || fail "the mount does not see what came last"
stop_mount
