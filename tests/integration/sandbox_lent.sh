#!/bin/bash
# Bytes that were changed by way of a hardlink, which the operator forced, are noticed before they
# are handed out again: they are fetched anew, and nobody sees the others.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_fuse
need_program jq python3

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
artifacts small run
random_file 5M "$WWW/large" large
artifacts small large run

gets() {
	settle_nginx
	requests GET "/$1"
}

# object NAME: its file in the cache
object() {
	echo "$CACHE"/objects/*/"$(sha256 "$WWW/$1")"
}

# Changed without a trace in size and time of modification.
tamper() {
	local when
	when=$(stat -c %y "$1")
	printf x | dd of="$1" bs=1 seek=7 conv=notrunc status=none
	touch -d "$when" "$1"
}

lend() {
	rm -rf "$WORK/box"
	make_box box
	fetchfs prepare --method hardlink --user nobody "$box" "$HTTP/$1"
	[ "$box/$1" -ef "$(object "$1")" ] || fail "$1 is no hardlink"
}

# is_known NAME: linking and unlinking it has left no doubt that all would have to be read for
is_known() {
	local want got
	want=$(python3 -c 'import os, sys; print(os.stat(sys.argv[1]).st_ctime_ns)' "$(object "$1")")
	got=$(python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT lent FROM object WHERE digest = ?",
	[bytes.fromhex(sys.argv[2])]).fetchone()[0])' "$CACHE/index.db" "$(sha256 "$WWW/$1")")
	[ "$got" = "$want" ] || fail "$1: changed at $want, noted was $got"
}

give_back() {
	fetchfs release "$box"
	contents_are ""
	leases_are 0
}

# noticed NAME COMMAND…: the command meets the right bytes, which come once more
noticed() {
	local name=$1 before
	shift
	before=$(gets "$name")
	"$@"
	[ "$(gets "$name")" -eq $((before + 1)) ] || fail "$name: $(gets "$name") requests, after $before"
	fetchfs log --json | jq -es --arg uri "$HTTP/$name" 'any(.event == "evicted" and .uri == $uri and
		(.error // "" | contains("hardlink")))' >/dev/null || fail "$name: nobody is told: $(fetchfs log)"
}

cat_is() {
	fetchfs cat "$HTTP/$1" | cmp - "$WWW/$1" || fail "$1: cat has other bytes"
}

prepared_is() {
	mkdir "$WORK/another"
	fetchfs prepare --method copy "$WORK/another" "$HTTP/$1"
	cmp "$WORK/another/$1" "$WWW/$1" || fail "$1: prepare has other bytes"
	fetchfs release "$WORK/another"
	rmdir "$WORK/another"
}

for name in small large; do
	say "$name: what nobody changed is not read again, nor fetched"
	lend $name
	give_back
	lend $name
	cached_is "$HTTP/$name" $name
	is_known $name
	give_back
	is_known $name
	lend $name
	is_known $name

	say "$name: changed under another name"
	tamper "$box/$name"
	noticed $name cat_is $name
	cached_is "$HTTP/$name" $name
	! cmp -s "$box/$name" "$WWW/$name" || fail "the task's own file changed"

	say "$name: the task's file is not the cache's any more"
	tamper "$box/$name"
	cached_is "$HTTP/$name" $name
	give_back

	say "$name: changed, and the name is gone"
	lend $name
	tamper "$box/$name"
	rm "$box/$name"
	[ "$(stat -c %h "$(object $name)")" -eq 1 ] || fail "it has another name still"
	noticed $name prepared_is $name
	give_back

	say "$name: given away"
	lend $name
	chown -R 65534 "$box"
	noticed $name cat_is $name
	give_back

	say "$name: opened for all"
	lend $name
	chmod 666 "$box/$name"
	noticed $name prepared_is $name
	give_back

	say "$name: cut off"
	lend $name
	truncate -s 5 "$box/$name"
	noticed $name prepared_is $name
	give_back
done

say "what the same prepare has fetched"
for size in 16 100000 300000; do
	random_file $size "$WWW/cold$size" cold
	lend cold$size
	is_known cold$size
	tamper "$box/cold$size"
	rm "$box/cold$size"
	noticed cold$size cat_is cold$size
	give_back
done

say "the same bytes under another URI are not found changed"
cp "$WWW/small" "$WWW/twin"
lend small
tamper "$box/small"
fetchfs cat "$HTTP/twin" | cmp - "$WWW/small" || fail "twin: other bytes"
cat_is small
give_back

say "an executable, and its file that is none"
rm -rf "$WORK/box"
make_box box
jq -n --arg uri "$HTTP/run" '[{value: $uri, executable: true, method: "hardlink"}]' |
	fetchfs prepare --spec - --user nobody "$box"
[ -x "$box/run" ] || fail "run cannot be executed"
tamper "$box/run"
noticed run cat_is run
give_back

say "a mount does not show it either"
start_mount
lend large
cmp "$MNT/${HTTP/:\/\///}/large" "$WWW/large" || fail "other bytes"
tamper "$box/large"
noticed large cmp "$MNT/${HTTP/:\/\///}/large" "$WWW/large"
stop_mount
give_back
no_debris
