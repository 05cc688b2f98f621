#!/bin/bash
# Bytes that have changed on the disk are found by verify, whatever was done to them; what is wrong is
# fetched again by whoever needs it, or at once.
. "$(dirname "$0")/../support/lib.sh"
need_program jq curl
need_root

printf '[fetch]\nttl = 1h\nnegative_ttl = 0\n' >"$CONFIG"
start_origin
for ((i = 0; i < 12; i++)); do
	random_file $((1 + i * 70000)) "$ORIGINROOT/$i" "$i"
	echo "$ORIGIN/$i"
done >"$WORK/list"
fetchfs fetch -i "$WORK/list"
# what links lead to
random_file 2K "$WORK/decoy" decoy
cp "$WORK/decoy" "$WORK/decoy.right"

object_of() {
	local hash
	hash=$(sha256 "$ORIGINROOT/$1")
	echo "$CACHE/objects/${hash:0:2}/$hash"
}

# In the middle, and nobody sees it by its size or its times.
flip_byte() {
	local byte stamp=$WORK/stamp
	touch -r "$1" "$stamp"
	byte=$(od -An -tu1 -j 60000 -N 1 "$1")
	printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek=60000 conv=notrunc status=none
	touch -r "$stamp" "$1"
}

say "all is well"
fetchfs verify >"$WORK/said" || fail "$(<"$WORK/said")"
grep -Eq '^12 objects, .*: 0 damaged, 0 missing$' "$WORK/said" || fail "$(<"$WORK/said")"
fetchfs verify --full --json | jq -e '.objects == 12 and .damaged == 0' >/dev/null || fail "--full"

say "a bit, a length, an owner, a mode; nothing, a folder, a link, a pipe where the file was"
flip_byte "$(object_of 3)"
truncate -s 1000 "$(object_of 4)"
chown nobody "$(object_of 5)"
chmod u+w "$(object_of 6)"
rm "$(object_of 7)"
rm "$(object_of 8)" && mkdir -p "$(object_of 8)/with/something"
rm "$(object_of 9)" && ln -s "$WORK/decoy" "$(object_of 9)"
rm "$(object_of 10)" && mkfifo "$(object_of 10)"
fetchfs pin "$ORIGIN/3"
status=0
fetchfs verify >"$WORK/said" 2>"$WORK/stderr" || status=$?
[ $status -eq 1 ] || fail "status $status"
grep -Eq ': 4 damaged, 4 missing$' "$WORK/said" || fail "$(<"$WORK/said")"
for i in 3 4 5 6; do
	grep -qF "fetchfs: verify $ORIGIN/$i: damaged: removed, and fetched again by who needs it" \
		"$WORK/stderr" || fail "$i: $(<"$WORK/stderr")"
done
for i in 7 8 9 10; do
	grep -qF "fetchfs: verify $ORIGIN/$i: missing: removed" "$WORK/stderr" || fail "$i: $(<"$WORK/stderr")"
done
fetchfs log | grep -q "$ORIGIN/3.*damaged on its disk" || fail "not in the log: $(fetchfs log)"
fetchfs verify >/dev/null || fail "still something"
for ((i = 0; i < 12; i++)); do
	fetchfs cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" || fail "other bytes"
done
fetchfs stat "$ORIGIN/3" | grep -Eq '^pinned +yes' || fail "the pin is gone"
fetchfs gc
[ -z "$(find "$CACHE/trees" -mindepth 1)" ] || fail "left: $(find "$CACHE/trees" -mindepth 1)"

say "what is no file is not served, nor followed, whether verified or not"
rm "$(object_of 8)" && mkdir -p "$(object_of 8)/with/something"
rm "$(object_of 9)" && ln -s "$WORK/decoy" "$(object_of 9)"
rm "$(object_of 10)" && mkfifo "$(object_of 10)"
truncate -s 1000 "$(object_of 4)"
for i in 4 8 9 10; do
	timeout 60 "${fetchfs[@]}" cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" || fail "$i: other bytes"
done

cmp "$WORK/decoy" "$WORK/decoy.right" || fail "what a link led to was changed"

say "--repair fetches at once"
flip_byte "$(object_of 3)"
rm "$(object_of 7)"
fetchfs verify --repair >"$WORK/said" || fail "$(<"$WORK/said")"
grep -qx "$ORIGIN/3: fetched again" "$WORK/said" || fail "$(<"$WORK/said")"
grep -qx "$ORIGIN/7: fetched again" "$WORK/said" || fail "$(<"$WORK/said")"
cmp "$(object_of 3)" "$ORIGINROOT/3" || fail "3 was not repaired"
flip_byte "$(object_of 3)"
mv "$ORIGINROOT/3" "$WORK/3"
expect_failure 1 "verify $ORIGIN/3: 404 not found" "${fetchfs[@]}" verify --repair
mv "$WORK/3" "$ORIGINROOT/3"

say "one content with two names, one of them executable: both go, both come back"
cp "$ORIGINROOT/5" "$ORIGINROOT/5.copy"
fetchfs fetch "$ORIGIN/5.copy"
fetchfs fetch --executable "$ORIGIN/5"
flip_byte "$(object_of 5).x"
! fetchfs verify >/dev/null 2>"$WORK/stderr" || fail "not found"
[ "$(grep -c "^fetchfs: verify $ORIGIN/5\(.copy\)\?: damaged" "$WORK/stderr")" -eq 2 ] ||
	fail "$(<"$WORK/stderr")"
fetchfs fetch --executable "$ORIGIN/5"
cmp "$(object_of 5).x" "$ORIGINROOT/5" || fail "5"

say "while others read, evict and fetch"
churn() {
	while :; do
		fetchfs -q fetch -i "$WORK/list" || return
		fetchfs -q evict --to 1M || return
	done
}
fetchfs fetch -i "$WORK/list"
churn 2>"$LOGS/churn" &
children+=($!)
for ((n = 0; n < 30; n++)); do
	fetchfs -q verify || fail "run $n found damage"
done
[ ! -s "$LOGS/churn" ] || fail "$(<"$LOGS/churn")"
