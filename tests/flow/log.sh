#!/bin/bash
# fetchfs log: what happened lately, whoever did it.
. "$(dirname "$0")/../support/lib.sh"
need_program jq

start_origin
printf one >"$ORIGINROOT/one.bin"
printf '[fetch]\nnegative_ttl = 0\n' >"$CONFIG"

[ -z "$(fetchfs log)" ] || fail "an empty cache has a history: $(fetchfs log)"
fetchfs fetch "$ORIGIN/one.bin"
! fetchfs fetch "$ORIGIN/none.bin" 2>/dev/null || fail "none.bin is there"
fetchfs evict "$ORIGIN/one.bin"

fetchfs log >"$WORK/log"
[ "$(wc -l <"$WORK/log")" -eq 3 ] || fail "$(<"$WORK/log")"
grep -Eqx "20[0-9-]{8}T[0-9:.]{12}Z fetched   $ORIGIN/one\.bin \(3 B in [0-9.]+ s\)" "$WORK/log" || fail "$(<"$WORK/log")"
grep -Eqx "[^ ]+ failed    $ORIGIN/none\.bin: 404 not found" "$WORK/log" || fail "$(<"$WORK/log")"
grep -Eqx "[^ ]+ evicted   $ORIGIN/one\.bin \([0-9.]+ KiB\)" "$WORK/log" || fail "$(<"$WORK/log")"

[ "$(fetchfs log -n 1)" = "$(tail -n 1 "$WORK/log")" ] || fail "-n 1: $(fetchfs log -n 1)"
fetchfs log --json | jq -es 'length == 3 and .[0].event == "fetched" and .[0].bytes == 3 and
	.[0].seconds >= 0 and .[0].error == null and .[0].time > 1e9 and .[0].pid > 1 and
	.[1].error == "404 not found" and .[2].seconds == null' >/dev/null || fail "$(fetchfs log --json)"

say "what the policy refuses, without its secrets"
! fetchfs fetch "http://me:hidden@169.254.169.254/key?token=hidden" 2>/dev/null || fail "not refused"
fetchfs log -n 1 | grep -Eq ' failed    http://169\.254\.169\.254/key\?…: .*policy' || fail "$(fetchfs log)"
! grep -q hidden "$CACHE/events" || fail "$(<"$CACHE/events")"
fetchfs log >"$WORK/log"

say "what is no event of ours is passed over"
printf 'nonsense\n\n12\tfetched\t1\n99\tfuture\t0\t0\t1\t\tx\ty\n\t\t\t\t\t\t\t\n77\tfetched\t1' >>"$CACHE/events"
cmp <(fetchfs log) "$WORK/log" || fail "$(fetchfs log)"
printf '\0\0\0' >"$CACHE/events"
[ -z "$(fetchfs log)" ] || fail "$(fetchfs log)"
fetchfs fetch "$ORIGIN/one.bin"
[ "$(fetchfs log | wc -l)" -eq 1 ] || fail "nothing behind the zeros: $(fetchfs log)"
fetchfs evict "$ORIGIN/one.bin"

say "followed: what is there, then each one as it happens, also in the next file"
"${fetchfs[@]}" log -f -n 1 >"$WORK/follow" &
follower=$!
children+=("$follower")
shows() { grep -q "$1" "$WORK/follow"; }
wait_for 20 shows "evicted .*/one.bin" || fail "not followed: $(<"$WORK/follow")"
fetchfs fetch "$ORIGIN/one.bin"
wait_for 20 shows "fetched .*/one.bin" || fail "not followed: $(<"$WORK/follow")"
mv "$CACHE/events" "$CACHE/events.old"
! fetchfs fetch "$ORIGIN/two.bin" 2>/dev/null || fail "two.bin is there"
wait_for 20 shows "failed .*/two.bin" || fail "not followed: $(<"$WORK/follow")"
fetchfs evict "$ORIGIN/one.bin"
is_long() { [ "$(wc -l <"$WORK/follow")" -eq 4 ]; }
wait_for 20 is_long || fail "$(<"$WORK/follow")"
tail -n 1 "$WORK/follow" | grep -q "evicted .*/one.bin" || fail "$(<"$WORK/follow")"
kill "$follower"
wait "$follower" && fail "it ended by itself" || [ $? -eq 143 ] || fail "status $?"
timeout 20 "${fetchfs[@]}" log -f | head -n 1 >/dev/null || [ "${PIPESTATUS[0]}" -eq 141 ] || fail "it goes on without a reader"

say "followed from now on: none of those that are there"
fetchfs fetch "$ORIGIN/one.bin"
"${fetchfs[@]}" log -f -n 0 >"$WORK/follow" &
follower=$!
children+=("$follower")
is_watching() { [ -n "$(find -L "/proc/$follower/fd" -samefile "$CACHE/events" 2>/dev/null)" ]; }
wait_for 20 is_watching || fail "log -f -n 0 does not have the file open"
follows_on() { # one that comes while the file is read the first time is not shown
	fetchfs evict "$ORIGIN/one.bin"
	fetchfs fetch "$ORIGIN/one.bin"
	[ -s "$WORK/follow" ]
}
wait_for 20 follows_on || fail "-n 0 follows nothing"
! grep -q "/two.bin" "$WORK/follow" || fail "-n 0 shows what was there: $(<"$WORK/follow")"
kill "$follower"
wait "$follower" && fail "it ended by itself" || [ $? -eq 143 ] || fail "status $?"

say "a log that cannot be written keeps nobody from fetching"
rm "$CACHE/events"
mkdir "$CACHE/events"
fetchfs fetch "$ORIGIN/one.bin" || fail "no fetch without a log"
expect_failure 1 "read .*/events: Is a directory" "${fetchfs[@]}" log

for n in 0 -1 x '' 999999999; do
	status=0
	fetchfs log -n "$n" 2>"$WORK/stderr" || status=$?
	[ $status -eq 2 ] || fail "-n '$n': status $status"
	grep -q "takes a number" "$WORK/stderr" || fail "-n '$n': $(<"$WORK/stderr")"
done
