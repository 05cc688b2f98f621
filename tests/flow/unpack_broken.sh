#!/bin/bash
# Half archives of all kinds, and such with flipped bits: an error, or what can be believed; nothing is left.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/trees.sh"
need_program python3 bsdtar zstd xz bzip2 zip

mkdir "$a/cut" "$WORK/small"
for i in {1..40}; do random_file $((i * 300)) "$WORK/small/file$i" "$i"; done
(cd "$WORK/small" && tar cf "$a/s.tar" . && tar czf "$a/s.tgz" . && tar cjf "$a/s.tbz2" . &&
	tar cJf "$a/s.txz" . && tar c . | zstd -q >"$a/s.tar.zst" && zip -q -r "$a/s.zip" . &&
	bsdtar -cf "$a/s.7z" --format 7zip .)
python3 - "$a" <<'END'
import os, random, sys
a = sys.argv[1]
random.seed(5)
for name in ("s.tar", "s.tgz", "s.tbz2", "s.txz", "s.tar.zst", "s.zip", "s.7z"):
    data = open(f"{a}/{name}", "rb").read()
    cuts = {1, 2, 5, 20, 100, 511, 512, 513, 1023, len(data) // 2, len(data) * 9 // 10}
    # a tar may end where it likes, and what follows the end of a tar is not looked at
    cuts |= {len(data) - n for n in (1, 8, 22, 100)} if name in ("s.zip", "s.7z") else set()
    for cut in cuts:
        open(f"{a}/cut/{cut}.{name}", "wb").write(data[:cut])
    for i in range(12):
        wrong = bytearray(data)
        for _ in range(1 + i % 3):
            wrong[random.randrange(len(wrong))] ^= 1 << random.randrange(8)
        open(f"{a}/cut/flip{i}.{name}", "wb").write(wrong)
END
files=("$a"/cut/[0-9]*)
"$opentree" "$CACHE" "$CONFIG" "${files[@]}" >"$WORK/said" || :
paste -d ' ' <(printf '%s\n' "${files[@]##*/}") "$WORK/said" >"$WORK/both"
# (511 bytes of a tar, and none of its second header: no header is there to be known by)
! grep -Ev ' (EBADMSG|ENOTSUP): ' "$WORK/both" | grep -Ev '^(512|1023)\.s\.tar archive ' || fail "half of one was taken"
grep -q ' EBADMSG: ' "$WORK/both" || fail "$(<"$WORK/both")"
files=("$a"/cut/flip*)
"$opentree" "$CACHE" "$CONFIG" "${files[@]}" >"$WORK/said" || :
paste -d ' ' <(printf '%s\n' "${files[@]##*/}") "$WORK/said" >"$WORK/both"
! grep -Ev ' (EBADMSG|ENOTSUP|E2BIG): | (archive|single) /' "$WORK/both" || fail "a flipped bit"
no_leftovers
