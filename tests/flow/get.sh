#!/bin/bash
# A copy of one artifact, in a file of who asks.
. "$(dirname "$0")/../support/lib.sh"
need_program curl

printf '[fetch]\nttl = 1h\nretries = 0\n' >"$CONFIG"
start_origin
mkdir "$ORIGINROOT/d" "$WORK/here" "$WORK/there"
random_file 600k "$ORIGINROOT/d/a b.bin" 1
random_file 100k "$ORIGINROOT/d/c" 2
cd "$WORK/here"

say "by its own name, here or in a folder"
fetchfs get "$ORIGIN/d/a%20b.bin"
cmp "a b.bin" "$ORIGINROOT/d/a b.bin" || fail "other bytes"
fetchfs get "$ORIGIN/d/a%20b.bin" "$WORK/there"
cmp "$WORK/there/a b.bin" "$ORIGINROOT/d/a b.bin" || fail "other bytes in a folder"
[ "$(stat -c %a:%h "a b.bin")" = 644:1 ] || fail "it is $(stat -c %a:%h "a b.bin")"

say "it is a copy: what becomes of it is nothing to the cache"
echo more >>"a b.bin"
fetchfs cat "$ORIGIN/d/a%20b.bin" | cmp - "$ORIGINROOT/d/a b.bin" || fail "the cache changed"

say "in the place of what has the name"
echo old >file
ln -s file link
fetchfs get "$ORIGIN/d/c" file
cmp file "$ORIGINROOT/d/c" || fail "the old one stayed"
fetchfs get "$ORIGIN/d/c" link
[ ! -L link ] || fail "it went through a link"

say "to stdout, a pipe, and what stands for stdout"
fetchfs get "$ORIGIN/d/c" - | cmp - "$ORIGINROOT/d/c" || fail "-"
fetchfs get "$ORIGIN/d/a%20b.bin" /proc/self/fd/1 | cmp - "$ORIGINROOT/d/a b.bin" || fail "a pipe"
{ echo first && fetchfs get "$ORIGIN/d/c" /proc/self/fd/1 && echo last; } >both
{ echo first && cat "$ORIGINROOT/d/c" && echo last; } | cmp - both || fail "a file behind /proc"
mkdir -- -
fetchfs get "$ORIGIN/d/c" - | cmp - "$ORIGINROOT/d/c" || fail "- is a folder's name"
rmdir -- -
{ fetchfs get "$ORIGIN/d/a%20b.bin" - || [ $? -eq 141 ]; } 2>"$LOGS/pipe" | head -c 1 >/dev/null
[ ! -s "$LOGS/pipe" ] || fail "a word of it: $(<"$LOGS/pipe")"

say "nothing is left of what failed, and what was there stays"
expect_failure 1 "404" "${fetchfs[@]}" get "$ORIGIN/d/none"
expect_failure 1 "not found" "${fetchfs[@]}" get "$ORIGIN/d/none" file
cmp file "$ORIGINROOT/d/c" || fail "what was there is gone"
expect_failure 1 "sha256" "${fetchfs[@]}" get --digest "sha256:$(printf %064d 0)" "$ORIGIN/d/a%20b.bin" wrong
shopt -s dotglob
files=(*)
[ "${files[*]}" = "a b.bin both file link" ] || fail "left: ${files[*]}"
expect_failure 1 "No such file" "${fetchfs[@]}" get "$ORIGIN/d/c" none/file
expect_failure 1 "no name for a copy; say one: fetchfs get URI FILE" "${fetchfs[@]}" get "$ORIGIN/d/"
expect_failure 1 "No space left" "${fetchfs[@]}" get "$ORIGIN/d/c" /dev/full
status=0
fetchfs get "$ORIGIN/d/c" a b 2>/dev/null || status=$?
[ "$status" -eq 2 ] || fail "three arguments: status $status"

say "a new version, when it is asked for"
random_file 100k "$ORIGINROOT/d/c" 3
fetchfs get "$ORIGIN/d/c" file
! cmp -s file "$ORIGINROOT/d/c" || fail "the origin was asked"
fetchfs get --refresh "$ORIGIN/d/c" file
cmp file "$ORIGINROOT/d/c" || fail "the old one came"
