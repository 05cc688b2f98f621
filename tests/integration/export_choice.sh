#!/bin/bash
# What export lets out: what everybody may have, whole and right, under a name that has all of it or
# nothing.
. "$(dirname "$0")/../support/lib.sh"
need_program jq curl tar python3

printf '[fetch]\nttl = 1h\n' >"$CONFIG"
start_origin
for ((i = 0; i < 6; i++)); do
	random_file $((1000 + i * 300000)) "$ORIGINROOT/$i" "$i"
	echo "$ORIGIN/$i"
done >"$WORK/list"
fetchfs fetch -i "$WORK/list"
OUT=$WORK/out
mkdir "$OUT"

exported() {
	tar xOf "$1" manifest.jsonl | jq -r '.uri // empty' | sed 's,.*/,,' | paste -sd' '
}

object_of() {
	local hash
	hash=$(sha256 "$ORIGINROOT/$1")
	echo "$CACHE/objects/${hash:0:2}/$hash"
}

say "a URI with a query is its user's, a local file is this machine's: both stay"
fetchfs fetch "$ORIGIN/1?token=secret" "file://$ORIGINROOT/2"
fetchfs export --json "$OUT/all.tar" >"$WORK/said"
jq -e '.entries == 6 and .private == 1 and .local == 1 and .failed == 0' "$WORK/said" >/dev/null || fail "$(<"$WORK/said")"
[ "$(exported "$OUT/all.tar")" = "0 1 2 3 4 5" ] || fail "exported: $(exported "$OUT/all.tar")"
! tar xOf "$OUT/all.tar" manifest.jsonl | grep -q secret || fail "the secret is out"
[ "$(fetchfs export "$OUT/all.tar" | grep -c 'left out: 1 ')" -eq 2 ] || fail "it does not say what it leaves"
fetchfs export - 2>"$WORK/stderr" | cmp - "$OUT/all.tar" || fail "stdout has something else"
grep -q 'left out: 1 that are not' "$WORK/stderr" || fail "not told: $(<"$WORK/stderr")"
[ -z "$(fetchfs -q export - 2>&1 >/dev/null)" ] || fail "told when quiet"
expect_failure 1 "it is private to whom it was fetched for" "${fetchfs[@]}" export "$OUT/x.tar" "$ORIGIN/1?token=secret"
! grep -q secret "$WORK/stderr" || fail "it shows the query"
expect_failure 1 "a file of this machine" "${fetchfs[@]}" export "$OUT/x.tar" "file://$ORIGINROOT/2"
fetchfs export "$OUT/some.tar" "$ORIGIN/1*" "$ORIGIN/3" "$ORIGIN/3" >"$WORK/said"
[ "$(exported "$OUT/some.tar")" = "1 3" ] || fail "exported: $(exported "$OUT/some.tar")"
fetchfs evict "$ORIGIN/5"
expect_failure 1 "export $ORIGIN/5: not in the cache" "${fetchfs[@]}" export "$OUT/x.tar" "$ORIGIN/5"
[ ! -e "$OUT/x.tar" ] || fail "an archive of nothing"
fetchfs fetch "$ORIGIN/5"

say "what is public by configuration goes with its query"
printf '[fetch]\nttl = 1h\n[origin "%s/"]\npublic_query = yes\n' "$ORIGIN" >"$CONFIG"
fetchfs fetch "$ORIGIN/1?v=2"
fetchfs export "$OUT/query.tar" "$ORIGIN/1?v=2" >/dev/null
[ "$(exported "$OUT/query.tar")" = "1?v=2" ] || fail "exported: $(exported "$OUT/query.tar")"
"$FETCHFS" --cache "$WORK/there" --config "$CONFIG" import "$OUT/query.tar" >/dev/null
"$FETCHFS" --cache "$WORK/there" --config "$CONFIG" stat --json "$ORIGIN/1?v=2" |
	jq -e '.public and .state == "complete"' >/dev/null || fail "it is not there"
printf '[fetch]\nttl = 1h\n' >"$CONFIG"

say "bytes that changed on the disk do not go out"
name=$(object_of 4)
byte=$(od -An -tu1 -j 300000 -N 1 "$name")
printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$name" bs=1 seek=300000 conv=notrunc status=none
expect_failure 1 "export $ORIGIN/4: damaged: removed, and not exported" "${fetchfs[@]}" export "$OUT/damaged.tar" "$ORIGIN"/{3,4}
tar tf "$OUT/damaged.tar" | grep -q "$(sha256 "$ORIGINROOT/3")" || fail "the other one is not there"
! tar tf "$OUT/damaged.tar" | grep -q "$(sha256 "$ORIGINROOT/4")" || fail "it is there"
[ ! -e "$name" ] || fail "it stays in the cache"
expect_failure 1 "$ORIGIN/4: its bytes are not in the archive" "$FETCHFS" --cache "$WORK/there" --config "$CONFIG" \
	import "$OUT/damaged.tar"
fetchfs fetch "$ORIGIN/4"

say "an object that is gone"
rm "$(object_of 3)"
expect_failure 1 "export $ORIGIN/3: it has left the cache" "${fetchfs[@]}" export "$OUT/gone.tar" "$ORIGIN"/{2,3}
fetchfs fetch "$ORIGIN/3"

say "a file that was there stays until the new one is whole"
echo old >"$OUT/kept.tar"
expect_failure 1 "nothing in the cache is called so" "${fetchfs[@]}" export "$OUT/kept.tar" "x*"
[ "$(<"$OUT/kept.tar")" = old ] || fail "it is gone"
fetchfs export "$OUT/kept.tar" >/dev/null
cmp "$OUT/kept.tar" <(fetchfs -q export -) || fail "not the new one"
[ "$(stat -c %a "$OUT/kept.tar")" = 644 ] || fail "mode $(stat -c %a "$OUT/kept.tar")"
expect_failure 1 "$OUT/none/x.tar: No such file" "${fetchfs[@]}" export "$OUT/none/x.tar"
expect_failure 1 "write the archive: No space left" "${fetchfs[@]}" export /dev/full
[ -c /dev/full ] || fail "/dev/full is no device any more"
fetchfs export /dev/null >/dev/null || fail "no device can be written to"

say "ended in the middle: no file, also of another name"
rm "$OUT"/*
# At its third object, in whose place it sleeps for a while.
in_the_middle() {
	local fd
	for fd in "/proc/$pid/fd"/*; do
		[[ $(readlink "$fd") != "$OUT/"* ]] || [ "$(stat -Lc %s "$fd")" -eq 0 ] || return 0
	done
	return 1
}
# The last time there are no files without a name.
for signal in TERM KILL TERM; do
	# (what is drawn after the first pause stays on the screen during the second)
FETCHFS_FAULT=export.object:3:3000ms${named-} "${fetchfs[@]}" export "$OUT/cut.tar" >"$WORK/said" 2>&1 &
	pid=$!
	children+=("$pid")
	wait_for 20 in_the_middle || fail "SIG$signal: it writes nothing: $(<"$WORK/said")"
	kill -$signal $pid
	status=0
	{ wait $pid || status=$?; } 2>/dev/null
	[ $status -gt 128 ] || fail "SIG$signal: status $status: $(<"$WORK/said")"
	[ ! -s "$WORK/said" ] || fail "SIG$signal: said $(<"$WORK/said")"
	left=("$OUT"/*)
	[ ${#left[@]} -eq 0 ] || fail "SIG$signal: left ${left[*]}"
	[ $signal = TERM ] || named=,newfile.unnamed
done
FETCHFS_FAULT=newfile.unnamed "${fetchfs[@]}" export "$OUT/named.tar" >/dev/null
cmp "$OUT/named.tar" <(fetchfs -q export -) || fail "not the same where files must have names"
[ "$(ls "$OUT")" = named.tar ] || fail "left: $(ls "$OUT")"

say "who reads a part and goes: no message, no error but that"
status=0
{ fetchfs export - 2>"$WORK/stderr" || echo $? >"$WORK/status"; } | head -c 1000 >/dev/null
[ "$(<"$WORK/status")" -eq 141 ] || fail "status $(<"$WORK/status"): $(<"$WORK/stderr")"
[ ! -s "$WORK/stderr" ] || fail "said: $(<"$WORK/stderr")"

say "a terminal gets no archive, and shows how far it is"
export TERM=xterm
on_terminal() {
	python3 "$FETCHFS_SOURCE/tests/support/terminal.py" "$@"
}
status=0
on_terminal --stdout "$WORK/screens" "${fetchfs[@]}" export - || status=$?
[ $status -eq 2 ] || fail "status $status"
grep -q 'stdout is a terminal' "$WORK/screens" || fail "not told: $(<"$WORK/screens")"
FETCHFS_FAULT=export.object:4:1000ms,export.object:6:1000ms on_terminal "$WORK/screens" "${fetchfs[@]}" export "$OUT/t.tar" >/dev/null ||
	fail "status $?"
grep -Eq '[1-6]/6  .*B' "$WORK/screens" || fail "no progress: $(<"$WORK/screens")"
FETCHFS_FAULT=import.object:4:1000ms,import.object:6:1000ms on_terminal "$WORK/screens" "$FETCHFS" --cache "$WORK/elsewhere" --config "$CONFIG" \
	import "$OUT/t.tar" >/dev/null || fail "status $?"
grep -Eq '[1-7]/7  .*B' "$WORK/screens" || fail "no progress: $(<"$WORK/screens")"
