#!/bin/bash
# Who looks sees the transfers of all processes: .fetchfs/status, fetchfs status.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program jq setpriv python3

start_origin
for name in one two three four; do random_file 10M "$ORIGINROOT/$name.bin" "$name"; done
size=$((10 << 20))
some=3000000 # bytes that come at once; then the origin is silent
start_mount

# has FILE FILTER: a transfer in the JSON of FILE fulfils the filter.
has() {
	jq -e "any(.transfers[]; $2)" "$1" >/dev/null
}

by_command() {
	fetchfs status --json >"$WORK/status.json" && has "$WORK/status.json" "$1"
}

arrived=".size == $size and .bytes >= $some and .bytes < .size and .state == \"active\""

say "the mount shows what a command fetches"
"${fetchfs[@]}" fetch "$ORIGIN/stall/$some/one.bin" 2>"$LOGS/fetch" &
fetch=$!
children+=("$fetch")
one=".uri == \"$ORIGIN/stall/$some/one.bin\" and .pid == $fetch"
wait_for 30 has "$MNT/.fetchfs/status" "$one and $arrived and .rate > 0 and .seconds >= 0" ||
	fail "status: $(<"$MNT/.fetchfs/status")"

say "a command shows what the mount fetches, and itself opens no transfer"
cat "$(at "$ORIGIN/stall/$some/two.bin")" >/dev/null 2>"$LOGS/cat" &
reader=$!
children+=("$reader")
two=".uri == \"$ORIGIN/stall/$some/two.bin\" and .pid == $MOUNT_PID"
wait_for 30 by_command "$two and $arrived" || fail "status: $(<"$WORK/status.json")"
by_command "$one" || fail "status: $(<"$WORK/status.json")"
[ "$(jq '.transfers | length' "$WORK/status.json")" -eq 2 ] || fail "$(<"$WORK/status.json")"
fetchfs status >"$WORK/status"
grep -Eq "^ +[0-9]+% +10\.0 MiB +[0-9.]+ [KM]?i?B/s +$ORIGIN/stall/$some/one.bin\$" "$WORK/status" ||
	fail "status: $(<"$WORK/status")"

say "a private one is its owner's and root's, and nobody sees the secret"
"${fetchfs[@]}" fetch "$ORIGIN/stall/$some/three.bin?token=s3cret" 2>>"$LOGS/fetch" &
children+=($!)
wait_for 30 has "$MNT/.fetchfs/status" ".uri == \"$ORIGIN/stall/$some/three.bin?…\" and $arrived" ||
	fail "status: $(<"$MNT/.fetchfs/status")"
! grep -q s3cret "$MNT/.fetchfs/status" || fail "the secret is shown"
if [ "$(id -u)" -eq 0 ]; then
	setpriv --reuid=65534 --regid=65534 --clear-groups cat "$MNT/.fetchfs/status" \
		>"$WORK/theirs"
	has "$WORK/theirs" "$one" || fail "others do not see what is public: $(<"$WORK/theirs")"
	! grep -q three "$WORK/theirs" || fail "others see what is private: $(<"$WORK/theirs")"
fi

say "killed it is interrupted: no transfer any more, but something to resume"
kill -KILL "$fetch"
wait_for 10 gone "$fetch" || fail "still there"
! has "$MNT/.fetchfs/status" ".uri | endswith(\"one.bin\")" || fail "$(<"$MNT/.fetchfs/status")"
by_command ".uri == \"$ORIGIN/stall/$some/one.bin\" and .state == \"interrupted\" and
	.bytes >= $some and .pid == null and .seconds == null" || fail "$(<"$WORK/status.json")"
fetchfs status | grep -Eq "interrupted +$ORIGIN/stall/$some/one.bin\$" || fail "no leftover"

say "bars by way of the mount, too, and Ctrl-C clears them"
status=0
TERM=xterm python3 "$FETCHFS_SOURCE/tests/support/terminal.py" --size 120x24 \
	--press-ctrl-c " 2.0 MiB of" "$WORK/screens" \
	"$FETCHFS" fetch --mount "$MNT" "$ORIGIN/stall/$some/four.bin" || status=$?
[ $status -eq 130 ] || fail "status $status: $(<"$WORK/screens")"
grep -Eq '/four\.bin +\[#+\.+\] +20%' "$WORK/screens" || fail "no bar: $(<"$WORK/screens")"
[ "$(tail -n 2 "$WORK/screens" | head -n 1)" = "" ] || fail "left: $(tail "$WORK/screens")"

say "the status stays what it was: one object, whatever the names"
random_file 10M "$ORIGINROOT/\"q\"\\uote.bin" quote
"${fetchfs[@]}" fetch "$ORIGIN/stall/$some/\"q\"\\uote.bin" 2>>"$LOGS/fetch" &
children+=($!)
wait_for 30 has "$MNT/.fetchfs/status" "(.uri | test(\"uote.bin\")) and $arrived" ||
	fail "status: $(<"$MNT/.fetchfs/status")"

kill "$reader"
wait "$reader" || :
stop_mount
