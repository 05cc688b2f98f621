"""Archives that fetchfs export would not write: archives.py KIND FROM TO, FROM being one that it wrote."""
import copy
import io
import json
import sys
import tarfile

NAME = "manifest.jsonl"


def read(path):
    with tarfile.open(path) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def write(path, members, **options):
    with tarfile.open(path, "w", **options) as tar:
        for member, data in members:
            if data is not None:
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data or b""))


def plain(name, data):
    return tarfile.TarInfo(name), data


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info, None


class Archive:
    def __init__(self, path):
        members = read(path)
        self.lines = [json.loads(line) for line in members[0][1].splitlines()]
        self.objects = members[1:]
        self.order = lambda manifest, objects: [manifest] + objects

    def text(self):
        self.lines[0]["entries"] = len(self.lines) - 1
        return b"".join(json.dumps(line).encode() + b"\n" for line in self.lines)

    def manifest(self):
        return plain(NAME, self.text())

    def add(self, uri, like=1, **members):
        """Another entry, where it belongs."""
        entry = {**copy.deepcopy(self.lines[like]), "uri": uri, **members}
        self.lines.append(entry)
        self.lines[1:] = sorted(self.lines[1:], key=lambda line: line["uri"].encode())


def change(a, i, **members):
    a.lines[i].update(members)


# Each changes the archive, or answers the members of another one.
def raw(data):
    return lambda a: [plain(NAME, data)] + a.objects


def flip(which):
    def change_bit(a):
        i = which(range(len(a.objects)), key=lambda i: len(a.objects[i][1]))
        member, data = a.objects[i]
        at = len(data) // 2
        a.objects[i] = member, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return change_bit


def longer(a):
    member, data = a.objects[-1]
    a.objects[-1] = member, data + b"x"


def no_manifest(a):
    return a.objects


def manifest_last(a):
    return a.objects + [a.manifest()]


def manifest_twice(a):
    return [a.manifest()] + a.objects + [a.manifest()]


def object_twice(a):
    return [a.manifest()] + a.objects + a.objects[:1]


def with_member(*member):
    return lambda a: [a.manifest()] + a.objects[:1] + [special(*member)] + a.objects[1:]


def with_plain(name):
    return lambda a: [a.manifest()] + a.objects[:1] + [plain(name, b"bytes")] + a.objects[1:]


def object_as(kind):
    """An object's own name for a link to somewhere."""
    return lambda a: [a.manifest(), special(a.objects[0][0].name, kind, "/etc/passwd")] + a.objects[1:]


def without_object(a):
    return [a.manifest()] + a.objects[1:]


def more_objects(a):
    import hashlib

    data = b"nobody names it"
    return [a.manifest(), plain("objects/" + hashlib.sha256(data).hexdigest(), data)] + a.objects


def with_uri(uri):
    return lambda a: a.add(uri)


def with_last(**members):
    return lambda a: change(a, -1, **members)


def sparse(a):
    """An object in GNU's format 1.0 for files with gaps: a map, then the bytes."""
    member, data = a.objects[-1]
    head = b"1\n0\n%d\n" % len(data)
    info = tarfile.TarInfo("GNUSparseFile.0/" + member.name)
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": member.name,
        "GNU.sparse.realsize": str(len(data) + 4096),
    }
    a.objects[-1] = info, head.ljust(512, b"\0") + data


KINDS = {
    "same": lambda a: None,
    "flip-small": flip(min),
    "flip-large": flip(max),
    "longer": longer,
    "no-manifest": no_manifest,
    "manifest-last": manifest_last,
    "manifest-twice": manifest_twice,
    "object-twice": object_twice,
    "without-object": without_object,
    "more-objects": more_objects,
    "sparse": sparse,
    "other-name": with_plain("README"),
    "up": with_plain("../../etc/passwd"),
    "absolute": with_plain("/etc/passwd"),
    "upper-case": with_plain("objects/" + "AB" * 32),
    "below-object": with_plain("objects/" + "ab" * 32 + "/x"),
    "folder": with_member("objects", tarfile.DIRTYPE),
    "symlink": with_member("objects/link", tarfile.SYMTYPE, "/etc/passwd"),
    "fifo": with_member("objects/fifo", tarfile.FIFOTYPE),
    "device": with_member("objects/device", tarfile.CHRTYPE),
    "hardlink": with_member("objects/link", tarfile.LNKTYPE, NAME),
    "object-symlink": object_as(tarfile.SYMTYPE),
    "object-hardlink": object_as(tarfile.LNKTYPE),
    "empty-manifest": raw(b""),
    "no-json": raw(b"{]\n"),
    "a-list": raw(b"[]\n"),
    "binary": raw(bytes(range(256)) * 8),
    "other-json": raw(b'{"version": 1}\n'),
    "deep": raw(b"[" * 60000 + b"\n"),
    "long-line": raw(b'{"fetchfs":"export","version":1,"x":"' + b"x" * 70000 + b'"}\n'),
    "version-2": lambda a: change(a, 0, version=2),
    "no-uri": with_last(uri=None),
    "number-uri": with_last(uri=1),
    "nul-uri": with_last(uri="http://h/\0x"),
    "no-digest": with_last(sha256="ab"),
    "negative": with_last(size=-1),
    "real": with_last(size=1.5),
    "huge": with_last(size=2**62),
    "etag": with_last(etag='"a"\r\nX-Evil: 1'),
    "long-etag": with_last(etag='"' + "a" * 300 + '"'),
    "no-times": with_last(verified=-5),
    "word-times": with_last(expires="never"),
    "text-flag": with_last(pinned="yes"),
    "unsorted": lambda a: a.lines.insert(1, a.lines.pop()),
    "uri-twice": lambda a: a.lines.append(a.lines[-1]),
    "password": with_uri("http://user:secret@h.example/x"),
    "malformed": with_uri("http://user:secret@h example/x"),
    "local": with_uri("file:///etc/passwd"),
    "fragment": with_uri("http://h.example/x#y"),
    "canonical": with_uri("http://h.example/a/../x"),
    "upper": with_uri("HTTP://h.example/x"),
    "relative": with_uri("a/b"),
    "unknown-scheme": with_uri("gopher://h.example/x"),
    "query": with_uri("http://h.example/x?token=secret"),
    "denied": with_uri("http://denied.example/x"),
    "escape": with_uri("a\x1b[2Jb"),
    "other-size": with_last(size=1),
    "future": with_last(fetched=2**40, verified=2**40, expires=2**41),
}


def main():
    kind, source, target = sys.argv[1:]
    archive = Archive(source)
    members = KINDS[kind](archive)
    write(target, members or [archive.manifest()] + archive.objects)


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(KINDS))
    else:
        main()
