#!/bin/bash
# Archives of all kinds become the trees that they say, byte for byte, in the C locale, too; what is
# none, or is broken, or is over a limit, says so.
. "$(dirname "$0")/../support/lib.sh"
need_program python3 bsdtar zstd xz bzip2 zip
export LC_ALL=C LANG=C

opentree=$FETCHFS_BUILD/tests/support/opentree
a=$WORK/a
mkdir "$a"

# tree ARCHIVE [KIND]: prints its folder
tree() {
	local said
	said=$("$opentree" "$CACHE" "$CONFIG" "$1") || fail "${1##*/}: $said"
	[ "${said%% *}" = "${2-archive}" ] || fail "${1##*/}: $said"
	echo "${said#* }"
}

# refused ARCHIVE REGEX
refused() {
	local said
	! said=$("$opentree" "$CACHE" "$CONFIG" "$1") || fail "${1##*/}: $said"
	grep -Eq "^$2" <<<"$said" || fail "${1##*/}: not /$2/: $said"
}

no_leftovers() {
	local left=("$CACHE"/trees/.*.*)
	[ ${#left[@]} -eq 0 ] || fail "left in trees: ${left[*]}"
	fetchfs status --json | jq -e '.reserved == 0' >/dev/null || fail "something is reserved"
}

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

# ---- broken ones ----

say "half archives"
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

# ---- limits ----

say "limits"
limit() { printf '[unpack]\n%s\n' "$@" >"$CONFIG"; }
python3 - "$a" <<'END'
import bz2, io, sys, tarfile, zipfile
a = sys.argv[1]
def tar(name, names, data=b""):
    with tarfile.open(f"{a}/{name}", "w", format=tarfile.PAX_FORMAT) as t:
        for n in names:
            member = tarfile.TarInfo(n)
            member.size = len(data)
            t.addfile(member, io.BytesIO(data))
tar("many.tar", [f"f{i}" for i in range(100)])
tar("deep.tar", ["/".join("d" * 65)])
tar("deep64.tar", ["/".join("d" * 64)])
tar("long.tar", ["n" * 256])
tar("long255.tar", ["n" * 255])
tar("path.tar", ["/".join(["p" * 250] * 17)])
tar("bytes.tar", ["a", "b", "c"], b"x" * 1000000)
with bz2.open(f"{a}/bomb.bz2", "wb") as out:
    for _ in range(150):
        out.write(bytes(1 << 20))
with zipfile.ZipFile(f"{a}/bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for i in range(20):
        z.writestr(zipfile.ZipInfo(f"zeros{i}"), bytes(20 << 20), zipfile.ZIP_BZIP2)
END
tree "$a/deep64.tar" >/dev/null
tree "$a/long255.tar" >/dev/null
refused "$a/deep.tar" 'E2BIG: entry d/d.*\[unpack\] depth'
refused "$a/long.tar" 'E2BIG: entry nnn.*\[unpack\] name'
refused "$a/path.tar" 'E2BIG: entry ppp.*\[unpack\] path'
refused "$a/bomb.bz2" 'E2BIG: .*\[unpack\] ratio'
refused "$a/bomb.zip" 'E2BIG: .*\[unpack\] ratio'
limit 'entries = 99'
refused "$a/many.tar" 'E2BIG: .*\[unpack\] entries'
limit 'entries = 100' 'size = 2M'
tree "$a/many.tar" >/dev/null
refused "$a/bytes.tar" 'E2BIG: .*\[unpack\] size'
refused "$a/holes.tar" 'E2BIG: .*\[unpack\] size'
limit 'size = 3000000' 'ratio = 100000'
tree "$a/bytes.tar" >/dev/null
limit 'size = 1G' 'ratio = 1000000'
tree "$a/bomb.zip" >/dev/null
limit 'total = 1ms'
refused "$a/t.txz" 'ETIMEDOUT: .*\[unpack\] total'
: >"$CONFIG"
no_leftovers

say "30,000 files, with links as the kernel's source has them"
python3 - "$a/large.tar.gz" <<'END'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w:gz", compresslevel=1) as tar:
    member = tarfile.TarInfo("linux/include/dt-bindings/x.h")
    member.size = 5
    tar.addfile(member, io.BytesIO(b"right"))
    for i in range(30000):
        member = tarfile.TarInfo(f"linux/drivers/d{i % 97}/e{i % 13}/file{i}.c")
        member.size = i % 3000
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    member = tarfile.TarInfo("linux/scripts/dtc/include-prefixes/a/b/dt-bindings")
    member.type, member.linkname = tarfile.SYMTYPE, "../../../../../include/dt-bindings"
    tar.addfile(member)
END
t=$(tree "$a/large.tar.gz")
[ "$(cat "$t/linux/scripts/dtc/include-prefixes/a/b/dt-bindings/x.h")" = right ] || fail "the link"
[ "$(find "$t" -name '*.c' | wc -l)" -eq 30000 ] || fail "files are missing"
no_leftovers
