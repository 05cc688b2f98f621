#!/bin/bash
# A leader dies when all bytes are there, but no entry says so. Whoever asks next, perhaps long after,
# is given that only once the origin has said that it still holds.
. "$(dirname "$0")/../support/lib.sh"
need_program jq

! FETCHFS_FAULT=:: "$FETCHFS" --version >/dev/null 2>&1 || skip "built without fault points"

printf '[fetch]\nconnect = 2s\nretries = 0\n' >"$CONFIG"
start_origin
random_file 2M "$WORK/new.bin"

# die_at POINT NAME: a fetch of NAME, as $WORK/old.bin is now, that has everything but the entry.
die_at() {
	local status=0 pid
	random_file 2M "$WORK/old.bin" "$2"
	cp "$WORK/old.bin" "$ORIGINROOT/$2"
	FETCHFS_FAULT=$1:1:kill "${fetchfs[@]}" fetch "$ORIGIN/$2" 2>"$LOGS/fetch" &
	pid=$!
	children+=("$pid")
	wait $pid 2>/dev/null || status=$?
	[ $status -eq 137 ] || fail "$1: it was not killed: $status"
	settle_origin
	[ "$(origin_sent "/$2")" -eq $((2 << 20)) ] || fail "$1: not all of $2 came"
}

# before the object has its name, and after
for point in store.rename store.placed; do
	say "$point: it still holds"
	die_at $point "$point.same"
	fetchfs cat "$ORIGIN/$point.same" | cmp - "$WORK/old.bin" || fail "other bytes"
	settle_origin
	# what had become an object comes again: there is nothing to read along meanwhile
	[ $point = store.placed ] || [ "$(origin_sent "/$point.same")" -eq $((2 << 20)) ] ||
		fail "bytes came twice"
	no_debris

	say "$point: it has changed"
	die_at $point "$point.changed"
	cp "$WORK/new.bin" "$ORIGINROOT/$point.changed"
	fetchfs cat "$ORIGIN/$point.changed" | cmp - "$WORK/new.bin" || fail "what died is fresh"
	no_debris

	say "$point: it is gone"
	die_at $point "$point.gone"
	rm "$ORIGINROOT/$point.gone"
	expect_failure 1 "404 not found" "${fetchfs[@]}" cat "$ORIGIN/$point.gone"
	no_debris

	say "$point: it is wanted executable"
	die_at $point "$point.run"
	mkdir "$WORK/$point"
	echo '[{"value": "'"$ORIGIN/$point.run"'", "executable": true}]' |
		fetchfs prepare --method copy --spec - "$WORK/$point" || fail "prepare"
	cmp "$WORK/$point/$point.run" "$WORK/old.bin" || fail "other bytes"
	[ -x "$WORK/$point/$point.run" ] || fail "not executable"
	no_debris

	say "$point: a digest vouches for it, and nobody asks"
	die_at $point "$point.known"
	requests=$(origin_stat requests)
	fetchfs cat "$ORIGIN/$point.known#sha256=$(sha256 "$WORK/old.bin")" |
		cmp - "$WORK/old.bin" || fail "other bytes"
	settle_origin
	[ "$(origin_stat requests)" -eq "$requests" ] || fail "the origin was asked"
	no_debris

	[ "$(find "$CACHE/objects" -type f ! -name '*.x' | wc -l)" -eq "$(fetchfs status --json | jq .objects)" ] ||
		fail "a file without a row: $(find "$CACHE/objects" -type f)"

	if [ $point = store.placed ]; then
		say "$point: nobody comes: one gc takes all of it away"
		die_at $point "$point.forgotten"
		fetchfs gc --json | jq -e '.orphans == 1' >/dev/null || fail "it was no orphan"
		no_debris
		[ "$(fetchfs status --json | jq .reserved)" -eq 0 ] || fail "room is reserved for nobody"
	fi

	say "$point: nobody can be asked: nobody knows whether it holds"
	die_at $point "$point.alone"
	kill "$ORIGIN_PID"
	wait_for 10 gone "$ORIGIN_PID"
	expect_failure 3 "connect" "${fetchfs[@]}" cat "$ORIGIN/$point.alone"
	rm -rf "$CACHE"
	start_origin
done
