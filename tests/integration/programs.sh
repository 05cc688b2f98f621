#!/bin/bash
# What people do with files works on a URI: cat, cp, tar, sha256sum, running it, seeking in it.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

start_nginx
random_file 8M "$WWW/data.bin"
mkdir "$WORK/tree"
random_file 3M "$WORK/tree/one"
echo two >"$WORK/tree/two"
tar -C "$WORK" -czf "$WWW/tree.tar.gz" tree
for name in cat cp sha dd tail; do
	ln "$WWW/data.bin" "$WWW/$name.bin" # each program finds a cold file
done
# No more connections for speed: what is in their sockets when one ends is sent in vain.
printf '[fetch]\nper_host = 2\n' >"$CONFIG"
start_mount
tree=$MNT/${HTTP/:\/\//\/}

say "cat, cp, sha256sum"
# shellcheck disable=SC2002 # cat is what is tested
cat "$tree/cat.bin" | cmp - "$WWW/data.bin" || fail "cat"
cp "$tree/cp.bin" "$WORK/copy"
cmp "$WORK/copy" "$WWW/data.bin" || fail "cp"
[ "$(sha256 "$tree/sha.bin")" = "$(sha256 "$WWW/data.bin")" ] || fail "sha256sum"

say "tar x"
mkdir "$WORK/out"
tar -C "$WORK/out" -xzf "$tree/tree.tar.gz"
diff -r "$WORK/tree" "$WORK/out/tree" || fail "tar"

say "dd skip=, tail -c"
dd if="$tree/dd.bin" bs=64K skip=100 count=3 status=none |
	cmp - <(dd if="$WWW/data.bin" bs=64K skip=100 count=3 status=none) || fail "dd skip="
tail -c 100000 "$tree/tail.bin" | cmp - <(tail -c 100000 "$WWW/data.bin") || fail "tail -c"
# who closes a file while bytes are read ahead for him ends the download: the next reader resumes it
for name in dd tail; do
	cmp "$tree/$name.bin" "$WWW/data.bin" || fail "the rest of $name.bin"
done

say "a program is run from the mount, which maps it into memory"
cp "$(command -v seq)" "$WWW/seq"
fetchfs fetch --executable "$HTTP/seq"
[ "$("$tree/seq" 3 | tr -d '\n')" = 123 ] || fail "the program did not run"

say "nothing is written through the mount"
! (echo x >"$tree/cat.bin") 2>"$WORK/stderr" || fail "written"
! touch "$tree/new.bin" 2>>"$WORK/stderr" || fail "created"
[ "$(grep -c 'Read-only file system' "$WORK/stderr")" -eq 2 ] || fail "$(<"$WORK/stderr")"

say "32 readers of one cold file: right bytes for each, sent once"
random_file 16M "$WWW/shared.bin" shared
readers=()
for i in {1..32}; do
	sha256sum <"$tree/slow/shared.bin" >"$WORK/sum.$i" &
	readers+=($!)
done
for i in "${readers[@]}"; do
	wait "$i" || fail "a reader failed"
done
[ "$(sort -u "$WORK"/sum.*)" = "$(sha256sum <"$WWW/shared.bin")" ] || fail "other bytes"
settle_nginx
[ "$(served /slow/shared.bin)" -eq $((16 << 20)) ] ||
	fail "$(served /slow/shared.bin) bytes were sent"
settle_mount
stop_mount
no_debris
