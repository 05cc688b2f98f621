#!/bin/bash
# What is over a limit is refused by its name; what is large, but as archives are, is not.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/trees.sh"
need_program python3 xz openssl

say "limits"
truncate -s 300M "$WORK/holes"
(cd "$WORK" && tar cSf "$a/holes.tar" holes)
random_file 3M "$WORK/big"
(cd "$WORK" && tar cJf "$a/slow.txz" big)
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
refused "$a/bomb.bz2" 'E2BIG: entry data: .*\[unpack\] ratio'
refused "$a/bomb.zip" 'E2BIG: entry zeros[0-9]+: the whole .*\[unpack\] ratio'
limit 'entries = 99'
refused "$a/many.tar" 'E2BIG: entry f99: .*\[unpack\] entries'
limit 'entries = 100' 'size = 2M'
tree "$a/many.tar" >/dev/null
refused "$a/bytes.tar" 'E2BIG: entry c: the whole .*\[unpack\] size'
refused "$a/holes.tar" 'E2BIG: entry holes: the whole .*\[unpack\] size'
limit 'size = 3000000' 'ratio = 100000'
tree "$a/bytes.tar" >/dev/null
limit 'size = 1G' 'ratio = 1000000'
tree "$a/bomb.zip" >/dev/null
limit 'total = 1ms'
refused "$a/slow.txz" 'ETIMEDOUT: .*\[unpack\] total'
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
