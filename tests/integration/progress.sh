#!/bin/bash
# What fetch shows of its progress: bars on a terminal, events in JSON.
. "$(dirname "$0")/../support/lib.sh"
need_program jq python3

export TERM=xterm
start_origin
for i in {1..14}; do random_file 600K "$ORIGINROOT/$i.bin" "$i"; done
slow=$ORIGIN/rate/800000

# on_terminal OPTION… SCREENS COMMAND…: its stderr is a terminal
on_terminal() {
	local status=0
	python3 "$FETCHFS_SOURCE/tests/support/terminal.py" "$@" || status=$?
	[ $status -lt 98 ] || [ $status -gt 99 ] || fail "terminal.py: $status: $(tail -30 "$WORK/screens")"
	return $status
}

# last: the screen at the end
last() {
	awk -v RS='----\n' '{ last = $0 } END { printf "%s", last }' "$WORK/screens"
}

uris() {
	local i
	for i; do echo "$slow/$i.bin"; done
}

say "a bar for each file, how many more, and the whole; nothing is left of it"
mapfile -t all < <(uris {1..14})
on_terminal --size 100x24 "$WORK/screens" "${fetchfs[@]}" fetch "${all[@]}" "$ORIGIN/none" ||
	[ $? -eq 1 ] || fail "status $?"
bar='^\S+/1\.bin +\[#+\.+\] +[0-9]+% +[0-9.]+ [KM]?i?B +[0-9.]+ [KM]?i?B/s$'
grep -Eq "$bar" "$WORK/screens" || fail "no bar: $(tail -60 "$WORK/screens")"
grep -Eq '^\+[0-9]+ more$' "$WORK/screens" || fail "not all have a bar: $(tail -60 "$WORK/screens")"
grep -Eq '[0-9]+/15  .*/s +left ' "$WORK/screens" || fail "no total: $(tail -60 "$WORK/screens")"
[ "$(last)" = "fetchfs: fetch $ORIGIN/none: 404 not found" ] || fail "left: $(last)"
! grep -E '^----$' -A30 "$WORK/screens" | grep -q 'fetchfs:.*\[#' || fail "a failure within a bar"

say "80 columns have room for a bar, too"
fetchfs evict --all >/dev/null
on_terminal "$WORK/screens" "${fetchfs[@]}" fetch "${all[@]:0:2}" || fail "status $?"
grep -Eq '/1\.bin +\[#+\.+\] +[0-9]+% ' "$WORK/screens" || fail "no bar: $(tail -60 "$WORK/screens")"

say "no more rows and columns than there are, however small"
for size in 2x5 1x1 30x8 300x80; do
	fetchfs evict --all >/dev/null
	on_terminal --size $size "$WORK/screens" "${fetchfs[@]}" fetch "${all[@]:0:2}" ||
		fail "$size: status $?"
	[ -z "$(last)" ] || fail "$size: left: $(last)"
done
grep -q '[0-2]/2  ' "$WORK/screens" || fail "300x80: $(tail -60 "$WORK/screens")"

say "the terminal changes its size"
fetchfs evict --all >/dev/null
on_terminal --size 100x24 --resize "/2" 30x6 "$WORK/screens" "${fetchfs[@]}" fetch "${all[@]:0:2}" ||
	fail "narrower: status $?"
fetchfs evict --all >/dev/null
on_terminal --size 30x6 --resize "/2" 100x24 "$WORK/screens" "${fetchfs[@]}" fetch "${all[@]:0:2}" ||
	fail "wider: status $?"
[ -z "$(last)" ] || fail "wider: left: $(last)"

say "200 files: of a list, too, it is known how many there are, and about how long they take"
for i in {1..200}; do random_file 2K "$ORIGINROOT/small$i" "$i"; done
for i in {1..200}; do echo "$ORIGIN/latency/500/small$i"; done >"$WORK/list"
on_terminal "$WORK/screens" "${fetchfs[@]}" fetch -j 40 -i "$WORK/list" || fail "status $?"
[ -z "$(last)" ] || fail "left: $(last)"
grep -Eq '^\[#+\.+\] (40|80|120)/200  .* left [0-9.]+ s$' "$WORK/screens" ||
	fail "no total: $(tail -60 "$WORK/screens")"
fetchfs evict --all >/dev/null
# shellcheck disable=SC2016 # $0 is bash -c's
on_terminal "$WORK/screens" bash -c 'cat "$0" | "$@" fetch -j 40 -i -' "$WORK/list" "${fetchfs[@]}" ||
	fail "status $?"
grep -Eq '^[0-9]+/[0-9]+\+  ' "$WORK/screens" || fail "from a pipe: $(tail -60 "$WORK/screens")"

say "-v tells each that is done, above the bars"
on_terminal --size 120x24 "$WORK/screens" "${fetchfs[@]}" -v fetch "$ORIGIN/small1" "${all[@]:0:2}" ||
	fail "status $?"
last | grep -qx "fetchfs: $ORIGIN/small1: 2.0 KiB" || fail "said: $(last)"

say "what a URI holds cannot command the terminal"
on_terminal --size 200x24 "$WORK/screens" "${fetchfs[@]}" fetch "$slow/"$'\033[2Jé.bin' "$slow/1.bin" ||
	[ $? -eq 1 ] || fail "status $?"

on_terminal --size 200x24 "$WORK/screens" "${fetchfs[@]}" fetch $'\xc2\x9b31m\x9b32m' || [ $? -eq 1 ] || fail "status $?"

say "stopped and continued it leaves alone what others wrote; in the background it draws nothing"
fetchfs evict --all >/dev/null
on_terminal --size 100x24 --stop "/3  " "others' words" "$WORK/screens" "${fetchfs[@]}" fetch "${all[@]:0:3}" ||
	fail "status $?"
last | grep -qx "others' words" || fail "overwritten: $(last)"
fetchfs evict --all >/dev/null
# shellcheck disable=SC2016 # $@ is bash -c's
on_terminal "$WORK/screens" bash -mc '"$@" & wait $!' - "${fetchfs[@]}" fetch "${all[@]:0:2}" ||
	fail "status $?"
! grep -q "/s" "$WORK/screens" || fail "drawn in the background: $(<"$WORK/screens")"

say "nothing on a dumb terminal, nothing when quiet"
fetchfs evict --all >/dev/null
TERM=dumb on_terminal "$WORK/screens" "${fetchfs[@]}" fetch "$slow/1.bin" || fail "status $?"
[ ! -s "$WORK/screens" ] || fail "drawn: $(<"$WORK/screens")"
on_terminal "$WORK/screens" "${fetchfs[@]}" -q fetch "$slow/2.bin" || fail "status $?"
[ ! -s "$WORK/screens" ] || fail "drawn: $(<"$WORK/screens")"

say "Ctrl-C clears the screen and ends it by the signal"
fetchfs evict --all >/dev/null
status=0
on_terminal --press-ctrl-c 1.bin "$WORK/screens" "${fetchfs[@]}" fetch "${all[@]}" || status=$?
[ $status -eq 130 ] || fail "status $status"
[ -z "$(last)" ] || fail "left: $(last)"

say "--json on the terminal itself: no bars among the events"
fetchfs evict --all >/dev/null
on_terminal --stdout --size 300x24 "$WORK/screens" "${fetchfs[@]}" fetch --json "$slow/1.bin" ||
	fail "status $?"
last | jq -es 'last.event == "summary"' >/dev/null || fail "said: $(last)"

say "--json: who cannot tell any more stops"
fetchfs evict --all >/dev/null
status=0
"${fetchfs[@]}" fetch --json "$ORIGIN/stall/1000/1.bin" | head -n 1 >"$WORK/json" || status=$?
[ $status -eq 141 ] || fail "nobody reads: status $status"
jq -e '.event == "start"' "$WORK/json" >/dev/null || fail "said: $(<"$WORK/json")"
"${fetchfs[@]}" fetch --json "$ORIGIN/stall/1000/1.bin" >/dev/full 2>"$WORK/stderr" && fail "status 0"
[ "$(<"$WORK/stderr")" = "fetchfs: fetch: write to stdout: No space left on device" ] ||
	fail "said: $(<"$WORK/stderr")"

say "--json: events from start to summary"
fetchfs evict --all >/dev/null
fetchfs fetch "$ORIGIN/3.bin"
slow=$ORIGIN/rate/250000
fetchfs fetch --json "$slow/1.bin" "$slow/2.bin" "$ORIGIN/3.bin" "$ORIGIN/none" >"$WORK/json" \
	2>/dev/null && fail "status 0"
jq -es --arg slow "$slow" --arg sha "$(sha256 "$ORIGINROOT/1.bin")" '
	def of(uri): map(select(.uri == uri));
	def rising: . == sort;
	(map(.event) | first == "start" and last == "summary")
	and (map(.time) | rising and first > 1600000000)
	and (map(select(.event == "start")) | length == 4)
	and (of($slow + "/1.bin") | (map(.event) | first == "start" and last == "done")
		and (map(select(.event == "progress")) | length >= 1 and all(.size == 614400 and .rate >= 0))
		and (map(.bytes // 0) | rising and last == 614400)
		and (last | .sha256 == $sha and .cached == false and .error == null))
	and (map(select(.uri != null and (.uri | endswith("/3.bin")))) | last | .event == "done" and .cached)
	and (map(select(.event == "failed")) | length == 1 and (.[0].error | .errno == "ENOENT"
		and .kind == "remote" and .retry == false and (.message | length > 0)))
	and (last | .done == 3 and .failed == 1 and .bytes == 3 * 614400 and .seconds > 0)
' "$WORK/json" >/dev/null || fail "said: $(<"$WORK/json")"
[ "$(jq -s 'map(select(.event == "progress" and (.uri | endswith("/1.bin")))) | length' "$WORK/json")" -le 20 ] ||
	fail "more often than once a second"
