#!/bin/bash
# Archives of all kinds become the trees that they say, byte for byte, in the C locale, too; what is
# none says so.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/trees.sh"
need_program python3 bsdtar zstd xz bzip2 zip

# ---- a tree of all that there may be ----

src=$WORK/src
mkdir -p "$src/sub/deep/er" "$src/empty" "$src/sub/private"
random_file 3M "$src/big"
echo text >"$src/sub/text"
: >"$src/nothing"
printf '#!/bin/sh\n' >"$src/sub/tool"
chmod 4711 "$src/sub/tool"
chmod 600 "$src/sub/text"
chmod 2700 "$src/sub/private"
ln -s ../../../sub/./text "$src/sub/deep/er/link"
ln -s nowhere "$src/dangling"
ln -s circle "$src/circle"
echo composed >"$src/gr"$'\xc3\xbc'"n"
echo decomposed >"$src/gru"$'\xcc\x88'"n"
touch -h -d '2001-02-03 04:05:06 UTC' "$src"/sub/deep/er/* "$src/big" "$src/sub/text" "$src/sub/deep"

# compare TREE: what is in it is what is in $src; modes are those of trees
compare() {
	diff -r --no-dereference "$src" "$1" || fail "it differs"
	[ -z "$(find "$1" -mindepth 1 ! -type l ! -perm 0444 ! -perm 0555)" ] ||
		fail "modes: $(find "$1" ! -type l -ls)"
	[ -x "$1/sub/tool" ] || fail "not executable"
	[ ! -x "$1/sub/text" ] || fail "executable"
	[ "$(stat -c %Y "$1/big" "$1/sub/deep" "$1/sub/text")" = \
		"$(stat -c %Y "$src/big" "$src/sub/deep" "$src/sub/text")" ] || fail "times"
	[ "$(find "$1" | wc -l)" -eq "$(find "$src" | wc -l)" ] || fail "names"
}

say "tar, zip and 7z, whatever their names"
python3 - "$src" "$a" <<'END'
import os, sys, tarfile
src, out = sys.argv[1:]
for name, mode, fmt in (("gnu.tar", "w", tarfile.GNU_FORMAT), ("pax.tar", "w", tarfile.PAX_FORMAT),
                        ("tar.bin", "w:gz", tarfile.PAX_FORMAT), ("t.tar.bz2", "w:bz2", tarfile.GNU_FORMAT),
                        ("t.txz", "w:xz", tarfile.PAX_FORMAT)):
    with tarfile.open(f"{out}/{name}", mode, format=fmt, encoding="utf-8", errors="surrogateescape") as tar:
        for item in sorted(os.listdir(src)):
            tar.add(f"{src}/{item}", item)
END
zstd -q "$a/gnu.tar" -o "$a/t.tar.zst"
(cd "$src" && tar cf "$a/dot.tar" --format=ustar --owner=12345 --group=54321 .)
(cd "$src" && tar czf "$a/whole.tgz" -- *)
for file in gnu.tar pax.tar tar.bin t.tar.bz2 t.txz t.tar.zst dot.tar whole.tgz; do
	say "  $file"
	compare "$(tree "$a/$file")"
done

# What the two cannot hold: a name in 7z is text, which has one composition only; a zip of Info-ZIP has
# times of two seconds.
python3 - "$src" "$a/u.zip" <<'END'
import os, stat, sys, zipfile
src, out = sys.argv[1:]
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
    for top, folders, files in os.walk(src):
        for name in folders + files:
            path = f"{top}/{name}"
            st = os.lstat(path)
            info = zipfile.ZipInfo(os.path.relpath(path, src), (2001, 2, 3, 4, 5, 6))
            info.create_system, info.external_attr = 3, st.st_mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            if stat.S_ISLNK(st.st_mode):
                z.writestr(info, os.readlink(path))
            elif stat.S_ISDIR(st.st_mode):
                info.filename += "/"
                z.writestr(info, b"")
            else:
                z.writestr(info, open(path, "rb").read())
END
cp "$a/u.zip" "$a/zip.tar"
cat "$FETCHFS" "$a/u.zip" >"$a/self.exe"
for file in u.zip zip.tar self.exe; do
	say "  $file"
	TZ=UTC compare "$(TZ=UTC tree "$a/$file")"
done
mv "$src/gru"$'\xcc\x88'"n" "$WORK/decomposed"
(cd "$src" && LC_ALL=C.UTF-8 bsdtar -cf "$a/t.7z" --format 7zip -- *)
(cd "$src" && zip -q -y -r "$a/info.zip" .)
for file in t.7z info.zip; do
	say "  $file"
	compare "$(tree "$a/$file")"
done

say "names are bytes"
mkdir "$WORK/odd"
odd=$'\xe4 \n*?\\\t\x1b'
echo odd >"$WORK/odd/$odd"
(cd "$WORK/odd" && tar cf "$a/odd.tar" --format=gnu .)
(cd "$WORK/odd" && tar cf "$a/oddpax.tar" --format=pax .)
for file in odd.tar oddpax.tar; do
	[ "$(cat "$(tree "$a/$file")/$odd")" = odd ] || fail "$file: odd names"
done

say "hardlinks are one file, and the last of a name counts"
python3 - "$a/twice.tar" <<'END'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w") as tar:
    def add(name, data=b"", kind=tarfile.REGTYPE, target=""):
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = len(data), kind, target
        tar.addfile(member, io.BytesIO(data))
    add("file", b"first")
    add("hard", kind=tarfile.LNKTYPE, target="./file")
    add("file", b"second")
    add("soft", kind=tarfile.SYMTYPE, target="file")
    add("soft", b"no link any more")
    add("folder", kind=tarfile.DIRTYPE)
    add("folder/x", b"x")
    add("./folder/", kind=tarfile.DIRTYPE)
    add("f1", b"one file")
    add("folder/f2", kind=tarfile.LNKTYPE, target="f1")
END
t=$(tree "$a/twice.tar")
[ "$(cat "$t/file" "$t/hard" "$t/soft" "$t/folder/x")" = "secondfirstno link any morex" ] || fail "$(cat "$t"/*)"
[ "$t/f1" -ef "$t/folder/f2" ] || fail "two files instead of one"

say "holes stay holes"
truncate -s 300M "$WORK/holes"
echo end >>"$WORK/holes"
(cd "$WORK" && tar cSf "$a/holes.tar" holes)
t=$(tree "$a/holes.tar")
cmp "$t/holes" "$WORK/holes" || fail "holes: it differs"
[ "$(stat -c %b "$t/holes")" -lt 1000 ] || fail "holes: $(stat -c %b "$t/holes") blocks"

say "what is compressed by itself is one file"
gzip -c "$src/big" >"$a/big.gz"
bzip2 -c "$src/big" >"$a/big.bz2"
xz -0 -c "$src/big" >"$a/big.xz"
zstd -q -c "$src/big" >"$a/big.tar.zst"
for file in big.gz big.bz2 big.xz big.tar.zst; do
	cmp "$(tree "$a/$file" single)/data" "$src/big" || fail "$file: it differs"
done
gzip -c "$a/u.zip" >"$a/zip.gz"
cmp "$(tree "$a/zip.gz" single)/data" "$a/u.zip" || fail "zip.gz: it differs"
{ head -c 100000 /dev/zero && cat "$src/big"; } >"$WORK/image"
gzip -c "$WORK/image" >"$a/image.gz"
cmp "$(tree "$a/image.gz" single)/data" "$WORK/image" || fail "image.gz: it differs"
gzip -c </dev/null >"$a/nothing.gz"
t=$(tree "$a/nothing.gz" single)
[ "$(stat -c '%F %s' "$t/data")" = "regular empty file 0" ] || fail "nothing.gz"

say "the name tells what nothing is"
: >"$a/empty.tar"
: >"$a/empty"
[ -z "$(ls -A "$(tree "$a/empty.tar")")" ] || fail "empty.tar"
rm -rf "$CACHE"
refused "$a/empty" ENOTSUP
tar cf "$a/none.tar" -T /dev/null
[ -z "$(ls -A "$(tree "$a/none.tar")")" ] || fail "none.tar"

say "what is no archive"
seq 1000 >"$a/text.tar"
cp "$src/big" "$a/random.zip"
(cd "$src" && bsdtar -cf "$a/c.cpio" --format newc -- * && bsdtar -cf "$a/s.shar" --format shar sub)
gzip -c "$a/nothing.gz" >"$a/twice.gz"
refused "$a/text.tar" ENOTSUP
refused "$a/random.zip" ENOTSUP
refused "$WORK/image" ENOTSUP
refused "$a/c.cpio" ENOTSUP
refused "$a/s.shar" ENOTSUP
refused "$a/twice.gz" "EBADMSG: .*more than once"
no_leftovers
