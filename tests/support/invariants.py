#!/usr/bin/env python3
"""What must hold of a cache when nobody is at work on it (docs/cache-format.md): each file has its row and
each row its file, the totals are the sums of what is there, and an object's bytes hash to its name.

	invariants.py CACHE      prints what does not hold, a line each; status 1 if there is anything

Nothing is changed. What gc is to take away must have been taken away."""
import hashlib
import os
import sqlite3
import stat
import struct
import sys

MAP_SIZE = 2064 + 16
NO_DIGEST = bytes(32)


def allocated(path):
    return os.lstat(path).st_blocks * 512


def allocated_below(path):
    total = allocated(path)
    for folder, folders, files in os.walk(path):
        total += sum(allocated(os.path.join(folder, name)) for name in folders + files)
    return total


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Index:
    """The rows of a moment."""

    def __init__(self, cache):
        db = sqlite3.connect(f"file:{cache}/index.db?mode=ro", uri=True, timeout=30)
        db.row_factory = sqlite3.Row
        db.execute("BEGIN")
        self.objects = {row["digest"].hex(): row for row in db.execute("SELECT * FROM object")}
        self.entries = list(db.execute("SELECT * FROM entry"))
        self.reservations = dict(db.execute("SELECT partial, bytes FROM reservation").fetchall())
        self.shares = dict(db.execute("SELECT uid, bytes FROM share WHERE bytes != 0").fetchall())
        self.of_users = dict(db.execute(
            "SELECT uid, sum(bytes) FROM (SELECT uid, bytes + twin_bytes + tree_bytes AS bytes FROM object"
            " UNION ALL SELECT uid, bytes FROM reservation) WHERE uid > 0 GROUP BY uid HAVING sum(bytes) != 0"))
        self.leases = list(db.execute("SELECT * FROM lease"))
        self.total = db.execute("SELECT * FROM total").fetchone()
        self.checksums = {row[0].hex() for row in db.execute("SELECT digest FROM checksum")}
        db.close()


class Invariants:
    """Looks at one cache again and again: a file that was read, and has not changed since, is not read
    a second time."""

    def __init__(self, cache):
        self.cache = cache
        self.read = {}
        self.wrong = []
        self.hashed_bytes = 0

    def path(self, *names):
        return os.path.join(self.cache, *names)

    def complain(self, text):
        self.wrong.append(text)

    def check(self):
        """A list of what does not hold; and the index as it was found."""
        self.wrong = []
        index = Index(self.cache)
        files = self.check_objects(index)
        self.check_rows(index, files)
        self.check_trees(index)
        self.check_partials(index)
        self.check_totals(index)
        self.check_top()
        return self.wrong, index

    def check_objects(self, index):
        """Each file in objects/ is what its name says, and known. By digest: {False: bytes, True: bytes}."""
        found = {}
        for folder in os.listdir(self.path("objects")):
            for name in os.listdir(self.path("objects", folder)):
                digest, dot, suffix = name.partition(".")
                path = self.path("objects", folder, name)
                if len(digest) != 64 or digest[:2] != folder or dot + suffix not in ("", ".x"):
                    self.complain(f"objects/{folder}/{name}: no name of an object")
                    continue
                self.check_object(path, digest, suffix == "x")
                found.setdefault(digest, {})[suffix == "x"] = allocated(path)
                if digest not in index.objects:
                    self.complain(f"objects/{folder}/{name}: no row")
        return found

    def check_object(self, path, digest, executable):
        now = os.lstat(path)
        mode = stat.S_IFREG | (0o555 if executable else 0o444)
        if now.st_mode != mode or now.st_uid != os.geteuid():
            self.complain(f"{path}: mode {now.st_mode:o}, user {now.st_uid}")
        state = (now.st_ino, now.st_size, now.st_mtime_ns, now.st_blocks)
        if self.read.get(path) == state:
            return
        if sha256_of(path) != digest:
            self.complain(f"{path}: does not hash to its name")
        self.read[path] = state
        self.hashed_bytes += now.st_size

    def check_rows(self, index, files):
        for digest, row in index.objects.items():
            for executable, column in ((False, "bytes"), (True, "twin_bytes")):
                there = files.get(digest, {}).get(executable, 0)
                if row[column] != there:
                    self.complain(f"object {digest}: {column} is {row[column]}, the file has {there}")
            if digest not in files:
                self.complain(f"object {digest}: a row, and no file")
        for entry in index.entries:
            digest = entry["digest"].hex() if entry["digest"] else None
            if (entry["state"] == 1) != (digest is not None):
                self.complain(f"entry {entry['uri']}: state {entry['state']}, digest {digest}")
            if digest and digest not in index.objects:
                self.complain(f"entry {entry['uri']}: its object {digest} has no row")
        for lease in index.leases:
            if lease["digest"] != NO_DIGEST and lease["digest"].hex() not in files:
                self.complain(f"lease on {lease['directory']}/{lease['name']}: its object is not there")
        for digest in index.checksums - index.objects.keys():
            self.complain(f"checksum of {digest}: no such object")

    def check_trees(self, index):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        names = set(os.listdir(self.path("trees")))
        for name in names:
            digest = name.removeprefix(".seal.")
            row = index.objects.get(digest)
            if not row or not row["tree_bytes"] or (digest != name and digest not in names):
                self.complain(f"trees/{name}: nothing knows of it")
        for digest, row in index.objects.items():
            if not row["tree_bytes"] or row["tree_boot"] != boot:
                continue
            there = allocated_below(self.path("trees", digest)) if digest in names else 0
            if row["tree_bytes"] != there:
                self.complain(f"object {digest}: tree_bytes is {row['tree_bytes']}, the tree has {there}")

    def check_partials(self, index):
        names = set(os.listdir(self.path("partial")))
        for name in {name.rpartition(".")[0] for name in names}:
            held = sum(allocated(self.path("partial", name + end)) for end in (".data", ".map")
                       if name + end in names)
            if name not in index.reservations:
                self.complain(f"partial/{name}: no reservation")
            elif held > index.reservations[name]:
                self.complain(f"partial/{name}: has {held}, reserved {index.reservations[name]}")
            if name + ".map" not in names:
                self.complain(f"partial/{name}: no map")
            elif name + ".data" not in names:
                self.check_published(name)
        for name, size in index.reservations.items():
            if name + ".map" not in names and name + ".data" not in names:
                self.complain(f"reservation {name} of {size}: no files")

    def check_published(self, name):
        """Without data, a map stands for an object that nobody has recorded yet."""
        with open(self.path("partial", name + ".map"), "rb") as file:
            head = file.read(MAP_SIZE)
        digest = struct.unpack_from("32s", head, 56)[0].hex()
        if not any(os.path.exists(self.path("objects", digest[:2], digest + end)) for end in ("", ".x")):
            self.complain(f"partial/{name}: no data, and no object")

    def check_totals(self, index):
        sums = {
            "objects": sum(row["bytes"] + row["twin_bytes"] + row["tree_bytes"]
                           for row in index.objects.values()),
            "object_count": len(index.objects),
            "reserved": sum(index.reservations.values()),
            "complete": sum(entry["state"] == 1 for entry in index.entries),
        }
        for name, value in sums.items():
            if index.total[name] != value:
                self.complain(f"total of {name}: {index.total[name]}, the rows have {value}")

        if index.shares != index.of_users:
            self.complain(f"shares: {index.shares}, the rows have {index.of_users}")

    def check_top(self):
        known = {"locks", "secret", "shared", "ballast", "journal", "events", "events.old", "index.db", "index.db-wal",
                 "index.db-shm", "objects", "trees", "partial"}
        for name in set(os.listdir(self.cache)) - known:
            self.complain(f"{name}: left over")


if __name__ == "__main__":
    complaints = Invariants(sys.argv[1]).check()[0]
    print("".join(line + "\n" for line in complaints), end="")
    sys.exit(1 if complaints else 0)
