#!/usr/bin/env python3
"""Archives that want to do harm: hostile.py FOLDER OUTSIDE

Makes FOLDER/*.tar and FOLDER/*.zip, each with one escape, and with each pair of them in one order or
the other, after a harmless file. OUTSIDE is where they would like to write. Prints for each archive its name and
what the refusal must say, with a tab in between: of a pair, what that of its first half would."""
import io
import stat
import sys
import tarfile
import zipfile

folder, outside = sys.argv[1:]


class Tar:
    suffix = ".tar"

    def __init__(self, path):
        self.out = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)

    def add(self, name, kind, target="", data=b""):
        member = tarfile.TarInfo()
        member.name, member.type, member.linkname, member.size = name, kind, target, len(data)
        member.devmajor, member.devminor, member.mode = 1, 3, 0o644
        self.out.addfile(member, io.BytesIO(data))

    def file(self, name, data=b"evil"):
        self.add(name, tarfile.REGTYPE, data=data)

    def folder(self, name):
        self.add(name, tarfile.DIRTYPE)

    def link(self, name, target):
        self.add(name, tarfile.SYMTYPE, target)

    def hard(self, name, target):
        self.add(name, tarfile.LNKTYPE, target)

    def special(self, name, kind):
        self.add(name, {"chr": tarfile.CHRTYPE, "blk": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE}[kind])


class Zip:
    suffix = ".zip"

    def __init__(self, path):
        self.out = zipfile.ZipFile(path, "w")

    def add(self, name, mode, data=b""):
        member = zipfile.ZipInfo()
        member.filename, member.create_system, member.external_attr = name, 3, mode << 16
        self.out.writestr(member, data)

    def file(self, name, data=b"evil"):
        self.add(name, stat.S_IFREG | 0o644, data)

    def folder(self, name):
        self.add(name + "/", stat.S_IFDIR | 0o755)

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def special(self, name, kind):
        self.add(name, {"chr": stat.S_IFCHR, "blk": stat.S_IFBLK}[kind] | 0o644)


def several(*steps):
    def add(archive):
        for method, *words in steps:
            getattr(archive, method)(*words)

    return add


# What is done, and what must be said. Names differ, so that pairs do not collide by accident.
BOTH = {
    "up": (several(("file", "../evil")), r"entry \.\./evil: .*\.\."),
    "up-later": (several(("file", "a/../../evil")), r"entry a/\.\./\.\./evil: .*\.\."),
    "up-inside": (several(("file", "b/../evil")), r"entry b/\.\./evil: .*\.\."),
    "up-last": (several(("folder", "c/..")), r"entry c/\.\./?: .*\.\."),
    "absolute": (several(("file", outside + "/evil")), r"entry .*/evil: .*absolute"),
    "absolute-folder": (several(("folder", outside + "/evildir")), r"entry .*/evildir/?: .*absolute"),
    "link-absolute": (several(("link", "la", outside)), r"entry la: .*absolute"),
    "link-up": (several(("link", "lu", "../..")), r"entry lu: .*outside"),
    "link-up-deep": (several(("link", "d/e/lud", "../../../x")), r"entry d/e/lud: .*outside"),
    "link-empty": (several(("link", "le", "")), r"entry le: .*nothing"),
    "through-absolute": (several(("link", "ta", outside), ("file", "ta/evil")), r"entry ta: .*absolute"),
    "through-up": (several(("link", "tu", ".."), ("file", "tu/evil")), r"entry tu: .*outside"),
    "through-inside": (several(("folder", "in"), ("link", "ti", "in"), ("file", "ti/evil")), r"entry ti: .*no folder"),
    "through-file": (several(("file", "tf"), ("file", "tf/evil")), r"entry tf: .*no folder"),
    # as far as names tell it stays inside
    "winding": (several(("link", "w", "."), ("link", "v", "w/w/w/../../..")), r"entry v: .*outside"),
    "winding-through": (
        several(("link", "x", "."), ("link", "y", "x/x/../.."), ("file", "y/evil")),
        r"entry y: .*no folder",
    ),
    "folder-on-link": (several(("link", "fl", "."), ("folder", "fl")), r"entry fl: .*already"),
    "folder-on-file": (several(("file", "ff"), ("folder", "ff")), r"entry ff: .*already"),
    "file-on-folder": (several(("folder", "fo"), ("file", "fo")), r"entry fo: .*already"),
    "link-on-folder": (several(("folder", "lo"), ("link", "lo", "x")), r"entry lo: .*already"),
    "character-device": (several(("special", "sc", "chr")), r"entry sc: .*device"),
    "block-device": (several(("special", "sb", "blk")), r"entry sb: .*device"),
}
TAR = {
    "fifo": (several(("special", "sf", "fifo")), r"entry sf: .*FIFO"),
    "hard-up": (several(("hard", "hu", "../../etc/passwd")), r"entry hu: .*outside"),
    "hard-absolute": (several(("hard", "ha", "/etc/passwd")), r"entry ha: .*outside"),
    "hard-missing": (several(("hard", "hm", "nothing")), r"entry hm: .*no file"),
    "hard-link": (several(("link", "hl0", "harmless"), ("hard", "hl", "hl0")), r"entry hl: .*no file"),
    "hard-folder": (several(("folder", "hf0"), ("hard", "hf", "hf0")), r"entry hf: .*no file"),
    "hard-through": (several(("link", "ht0", "."), ("hard", "ht", "ht0/harmless")), r"entry ht: .*no file"),
    "hard-itself": (several(("hard", "hi", "hi")), r"entry hi: .*itself"),
    "hard-whole": (several(("hard", "hw", ".")), r"entry hw: .*no file"),
    "whole-file": (several(("file", ".")), r"entry \.: .*whole"),
}
# What is found at the end only is told only if nothing else was wrong.
LATE = {"winding"}


def make(kind, name, *parts):
    path = f"{name}{kind.suffix}"
    archive = kind(f"{folder}/{path}")
    archive.file("harmless", b"harmless")
    for part in parts:
        part(archive)
    archive.out.close()
    return path


for kind, escapes in ((Tar, {**BOTH, **TAR}), (Zip, BOTH)):
    names = list(escapes)
    for i, name in enumerate(names):
        print(make(kind, name, escapes[name][0]), escapes[name][1], sep="\t")
        for j in range(i):
            first, second = (names[j], name) if (i + j) % 2 else (name, names[j])
            says = escapes[second if first in LATE else first][1]
            path = make(kind, f"{first}+{second}", escapes[first][0], escapes[second][0])
            print(path, says, sep="\t")
