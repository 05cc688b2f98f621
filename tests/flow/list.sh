#!/bin/bash
# ls tells what it reads as it reads it, of however many there are.
. "$(dirname "$0")/../support/lib.sh"

names=20000
base=http://bulk.invalid
fill=$FETCHFS_BUILD/tests/support/fillcache
mkdir -m 700 "$CACHE"
seq -f "$base/f%05.0f.bin" 0 $((names - 1)) | "$fill" "$CACHE"
echo "$base.other/x" | "$fill" "$CACHE"

say "all of it, and of a prefix, in order"
fetchfs ls >"$WORK/all"
seq -f "$base/f%05.0f.bin" 0 $((names - 1)) | cat <(echo "$base.other/x") - | cmp - "$WORK/all" ||
	fail "$(wc -l <"$WORK/all") lines"
[ "$(fetchfs ls "$base/f1999" | wc -l)" -eq 10 ] || fail "a prefix"
[ "$(fetchfs ls "$base/f19990.bin")" = "$base/f19990.bin" ] || fail "one name"
[ -z "$(fetchfs ls "$base/g")" ] || fail "a prefix of nothing"

say "what comes while a slow reader is at the first line is told at the end"
mkfifo "$WORK/pipe"
"${fetchfs[@]}" ls >"$WORK/pipe" &
pid=$!
children+=("$pid")
exec 7<"$WORK/pipe"
read -r first <&7
[ "$first" = "$base.other/x" ] || fail "first: $first"
echo "$base/late" | "$fill" "$CACHE"
cat <&7 >"$WORK/rest"
exec 7<&-
wait "$pid" || fail "ls"
[ "$(tail -n 1 "$WORK/rest")" = "$base/late" ] || fail "last: $(tail -n 1 "$WORK/rest")"
[ "$(wc -l <"$WORK/rest")" -eq $((names + 1)) ] || fail "$(wc -l <"$WORK/rest") lines"

say "who has read enough ends it"
"${fetchfs[@]}" ls >"$WORK/pipe" &
pid=$!
children+=("$pid")
exec 7<"$WORK/pipe"
read -r first <&7
exec 7<&-
wait_for 30 gone "$pid" || fail "it goes on for nobody"
