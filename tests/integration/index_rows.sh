#!/bin/bash
# The index is a sound database that says what none of our statements can have said: a bit of a row
# is wrong. It is made anew, as one that SQLite finds damaged is, and nothing is downloaded again.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_program jq curl python3

printf '[fetch]\nttl = 1h\n' >"$CONFIG"
start_origin
for ((i = 0; i < 6; i++)); do
	random_file 100K "$ORIGINROOT/$i" "$i"
	echo "$ORIGIN/$i"
done >"$WORK/list"
fetchfs fetch -i "$WORK/list"
fetchfs pin "$ORIGIN/5"
mkdir "$WORK/box"
fetchfs prepare --method copy "$WORK/box" "$ORIGIN/4"
requests=$(origin_stat requests)

# What the cache knows, but for times of use.
known() {
	fetchfs ls --json | jq -cS 'del(.last_used, .cached_bytes)'
	fetchfs sandboxes --json | jq -cS .
	fetchfs status --json | jq -c '[.used, .pinned, .leased]'
}

# recovers SQL COMMAND…: the index is as SQL made it. The command finds out, and does its work, at the
# latest the next time; all is as before.
recovers() {
	local sql=$1 i
	shift
	in_index "$sql"
	"${fetchfs[@]}" "$@" >"$WORK/said" 2>&1 ||
		grep -q "index: .*it is made anew, try again" "$WORK/said" ||
		fail "$sql: $*: $(<"$WORK/said")"
	fetchfs "$@" >/dev/null || fail "$sql: $*: once more"
	known >"$WORK/now"
	diff "$WORK/before" "$WORK/now" || fail "$sql: $*: it knows something else"
	for ((i = 0; i < 6; i++)); do
		fetchfs cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" || fail "$sql: other bytes of $i"
	done
	[ "$(origin_stat requests)" -eq "$requests" ] || fail "$sql: $*: the origin was asked"
}
known >"$WORK/before"

say "an entry without a digest, with half of one, or in a state that there is not"
for what in "digest = NULL" "digest = x'00'" "state = 9"; do
	for command in ls "stat $ORIGIN/3" "fetch -i $WORK/list"; do
		# shellcheck disable=SC2086 # words
		recovers "UPDATE entry SET $what WHERE uri = '$ORIGIN/3'" $command
	done
done
recovers "UPDATE entry SET key = x'00' WHERE uri = '$ORIGIN/3'" ls

say "the journal is written anew all the same"
cp "$CACHE/journal" "$WORK/journal"
while [ "$(stat -c %s "$CACHE/journal")" -lt 3000000 ]; do
	cat "$WORK/journal" >>"$CACHE/journal"
done
recovers "UPDATE entry SET digest = NULL WHERE uri = '$ORIGIN/2'" gc
[ "$(stat -c %s "$CACHE/journal")" -lt 100000 ] || fail "it has $(stat -c %s "$CACHE/journal") bytes"

say "an object or a lease without its digest; no totals"
object="SELECT digest FROM entry WHERE uri = '$ORIGIN/3'"
for command in gc verify; do
	# shellcheck disable=SC2086
	recovers "UPDATE object SET digest = x'ff' WHERE digest = ($object)" $command
done
for command in gc sandboxes; do
	# shellcheck disable=SC2086
	recovers "UPDATE lease SET digest = x'00'" $command
done
for command in status gc "evict --to 10M"; do
	# shellcheck disable=SC2086
	recovers "DELETE FROM total" $command
done

say "an account that is wrong: gc counts anew, says so, and nothing goes for it"
printf '[fetch]\nttl = 1h\n[cache]\nsize = 20M\n' >"$CONFIG"
is_counted_anew() {
	in_index "$1"
	[ "$(fetchfs gc)" = "the account of what is there was wrong: counted anew" ] || fail "$1: it says nothing"
	fetchfs gc --json | jq -e '.recounted == false' >/dev/null || fail "$1: it is wrong still"
	known >"$WORK/now"
	diff "$WORK/before" "$WORK/now" || fail "$1: it knows something else"
}
is_counted_anew "UPDATE total SET objects = objects + 1000000000000"
is_counted_anew "UPDATE total SET objects = -5, object_count = 77"
is_counted_anew "UPDATE total SET reserved = 1000000000000, complete = 0"
is_counted_anew "INSERT INTO share VALUES (7, 1000000000000)"
in_index "UPDATE object SET uid = 7"
is_counted_anew "UPDATE share SET bytes = 1000000000000"
random_file 100K "$ORIGINROOT/new" new
fetchfs fetch "$ORIGIN/new"
[ "$(fetchfs ls --json | jq -c 'select(.state == "complete")' | wc -l)" -eq 7 ] || fail "something went"

say "what makes room finds the object that has lost its name"
in_index "UPDATE object SET digest = x'ff' WHERE digest = ($object)"
expect_failure 3 "index: .*it is made anew, try again" "${fetchfs[@]}" evict --to 300K
fetchfs evict --to 300K
[ "$(find "$CACHE/objects" -type f | wc -l)" -le 3 ] || fail "left: $(find "$CACHE/objects" -type f)"
fetchfs verify

say "a reservation without a name, when what it takes of the disk is summed up"
# (no statement makes one: its name is taken in the row itself, as a text of 8 bytes beside two zeros)
in_index "INSERT INTO reservation (partial, bytes, uid) VALUES ('nameless', 0, 0)"
python3 -c 'import sys
index = open(sys.argv[1], "rb").read()
assert index.count(b"\x04\x1d\x08\x08nameless") == 1
open(sys.argv[1], "wb").write(index.replace(b"\x04\x1d\x08\x08nameless", b"\x04\x00\x08\x08nameless"))' "$CACHE/index.db"
printf '[fetch]\nttl = 1h\n[cache]\nsize = 20M\nmin_free = 99%%\n' >"$CONFIG"
random_file 100K "$ORIGINROOT/newer" newer
expect_failure 3 "index: a damaged reservation.*it is made anew, try again" "${fetchfs[@]}" fetch "$ORIGIN/newer"
printf '[fetch]\nttl = 1h\n[cache]\nsize = 20M\n' >"$CONFIG"
fetchfs fetch "$ORIGIN/newer"
fetchfs cat "$ORIGIN/newer" | cmp - "$ORIGINROOT/newer"
