#!/bin/bash
# An origin that breaks off, has no ranges or changes meanwhile: what came counts where it may, and
# versions are never mixed.
. "$(dirname "$0")/../support/lib.sh"
need_program curl jq python3
. "$(dirname "$0")/../support/misbehaviour.sh"

settings 2
say "cut: resumed where it broke off, by a range of the same version"
works /once/short/600000/a.bin 2
sent_at_most $size
grep -q $'\tRange: bytes=600000-.*\tIf-Match: "\|\tIf-Match: ".*\tRange: bytes=600000-' \
	"$WORK/trace" || fail "no Range with If-Match: $(<"$WORK/trace")"

say "cut for good: kept, and resumed by the next command"
settings 0
fails 3 'body shorter than promised: 600000 of 716800' /once/short/600000/b.bin 1
timeout 60 "${fetchfs[@]}" fetch "$ORIGIN/once/short/600000/b.bin"
fetchfs cat "$ORIGIN/once/short/600000/b.bin" | cmp - "$ORIGINROOT/a.bin" || fail "other bytes"
gets_were 2
sent_at_most $size
no_debris
settings 2

say "cut, and shorter by the next command: 416 to a server without conditions, and afresh"
path=/novalidators/header/ETag/%22same%22/once/short/600000/shrinks.bin
cp "$ORIGINROOT/a.bin" "$ORIGINROOT/shrinks.bin"
settings 0
fails 3 'body shorter' $path 1
truncate -s 1000 "$ORIGINROOT/shrinks.bin"
fetchfs cat "$ORIGIN$path" | cmp - "$ORIGINROOT/shrinks.bin" || fail "other bytes"
gets_were 3
grep -q ' 416 ' "$ORIGIN_LOG" || fail "not asked for the rest: $(<"$ORIGIN_LOG")"
no_debris
settings 2

say "cut, and not to be resumed: from the beginning"
works "/novalidators/header/Last-Modified/Wed,%2021%20Oct%202015%2007:28:00%20GMT/once/short/600000/a.bin" 2
! grep -q $'\tRange: ' "$WORK/trace" || fail "put together by its time alone"
works /noranges/once/short/600000/a.bin 2
works /weak/once/short/600000/a.bin 2
works /novalidators/once/short/600000/a.bin 2
works /chunked/once/short/600000/a.bin 2
settings 0
fails 3 '.' /weak/short/600000/a.bin 1
no_debris
fails 3 '.' /chunked/short/600000/a.bin 1
no_debris
settings 2

say "an origin that gives less of a range than was asked for: the rest by more requests"
works /atmost/300000/once/short/300000/a.bin 3
sent_at_most $size
settings 1
fails 3 'the origin sent less than was asked for' /atmost/1000/once/short/300000/a.bin 2
anew
settings 2

say "an empty file"
: >"$ORIGINROOT/empty.bin"
works /empty.bin 1 "$ORIGINROOT/empty.bin"
works /chunked/empty.bin 1 "$ORIGINROOT/empty.bin"

say "an origin that says it has ranges, and has none: the whole, and only once more"
works /header/Accept-Ranges/bytes/noranges/once/short/600000/a.bin 3

say "a range that is another one than asked for: as if there were none"
works /wrongrange/once/short/600000/a.bin 3
fails 3 'body shorter' /wrongrange/short/600000/a.bin 4
no_debris

say "another version in between: afresh, the new bytes and no mixture"
works /etagafter/1/once/short/600000/a.bin 3 "$WORK/changed"
works /changing/once/short/600000/a.bin 3
# (if it never stays the same, so often)
fails 1 'the file has changed' /changing/short/600000/a.bin 8
no_debris

say "two tags that contradict each other are none: from the beginning"
works /novalidators/header/ETag/%22two%22/once/header/ETag/%22one%22/once/short/600000/a.bin 2

say "a server that heeds no condition: its part is of no version that it tells, nor is the whole"
works /novalidators/once/header/ETag/%22one%22/once/short/600000/a.bin 4
settings 0
fails 3 'body shorter' /etagafter/1/once/short/600000/b.bin 1
fetchfs cat "$ORIGIN/etagafter/1/once/short/600000/b.bin" >"$WORK/got" || fail "not afresh"
cmp "$WORK/got" "$WORK/changed" || fail "a mixture"
no_debris
settings 2

say "whoever has printed bytes of the old version stops; none of the new one follow"
random_file 6M "$ORIGINROOT/big.bin" big
anew
status=0
fetchfs cat "$ORIGIN/rate/5000000/etagafter/1/once/short/5000000/big.bin" \
	>"$WORK/got" 2>"$WORK/err" || status=$?
[ $status -eq 1 ] || fail "status $status: $(<"$WORK/err")"
grep -q 'changed at its origin while it was being read' "$WORK/err" || fail "said: $(<"$WORK/err")"
[ -s "$WORK/got" ] || fail "nothing was printed"
cmp "$WORK/got" <(head -c "$(stat -c %s "$WORK/got")" "$ORIGINROOT/big.bin") || fail "a mixture"
