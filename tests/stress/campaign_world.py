"""What the crash campaign (campaign.py) knows of the world: which bytes the origin has ever served for a URI,
what was acknowledged as pinned, and what has to be in which sandbox."""
import gzip
import hashlib
import io
import os
import random
import shutil
import stat
import tarfile
import threading

KIB = 1024
MIB = 1024 * KIB

# The edges of pages and chunks, and what takes a while.
SIZES = [0, 1, 4095, 4096, 4097, 60 * KIB, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, 700 * KIB, MIB,
         1500 * KIB, 2 * MIB + 1, 3 * MIB, 4 * MIB]

# How an origin may behave, as paths of originserver.c; the first serves what never changes.
FOREVER = "/header/Cache-Control/max-age=864000"
WAYS = [FOREVER, FOREVER + "/rate/3000000", "", "/rate/2000000", "/noranges", "/chunked/rate/4000000",
        "/novalidators", "/latency/150"]

PINNED_MAX = 4 * MIB
BOXED_MAX = 2 * MIB  # of one artifact in a sandbox


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Folder(dict):
    """Names in a folder: what is at each, as look_at() tells."""


def look_at(path):
    """What is at a path: bytes by their hash, links by where they lead, folders by what is in them."""
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "-> " + os.readlink(path)
    if stat.S_ISDIR(mode):
        return Folder((name, look_at(os.path.join(path, name))) for name in os.listdir(path))
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Artifact:
    """A URI, and what it was at any time: by SHA-256, what it unpacks to (None: it is no archive)."""

    def __init__(self, world, name, way, kind, size):
        self.world = world
        self.name = name
        self.uri = world.origin + way + "/" + name
        self.kind = kind  # file, tar or gz
        self.size = size
        self.changes = not way.startswith(FOREVER)
        self.versions = {}
        self.publish()

    def publish(self):
        """The origin has another version from now on."""
        number = len(self.versions)
        rng = random.Random(f"{self.world.seed} {self.name} {number}")
        data, tree = getattr(self, "make_" + self.kind)(rng)
        self.versions[sha256(data)] = tree
        path = os.path.join(self.world.root, self.name)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)

    def make_file(self, rng):
        return rng.randbytes(self.size), None

    def make_gz(self, rng):
        data = rng.randbytes(self.size)
        return gzip.compress(data, 1, mtime=0), sha256(data)

    def make_tar(self, rng):
        tree = Folder(deep=Folder(er=Folder()), link="-> deep/first")
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
            def add(path, kind, data=b"", target=""):
                item = tarfile.TarInfo(path)
                item.type, item.size, item.linkname, item.mode = kind, len(data), target, 0o755
                tar.addfile(item, io.BytesIO(data))

            add("deep", tarfile.DIRTYPE)
            add("link", tarfile.SYMTYPE, target="deep/first")
            for i in range(rng.randrange(10, 60)):
                data = rng.randbytes(rng.randrange(2 * self.size // 40))
                tree["deep"]["first" if i == 0 else str(i)] = sha256(data)
                add("deep/" + ("first" if i == 0 else str(i)), tarfile.REGTYPE, data)
            add("deep/er", tarfile.DIRTYPE)
        return out.getvalue(), tree


class Box:
    """A directory of a task. Whole: what prepare acknowledged is there; empty: nothing is; unknown: a command
    on it was killed; gone: it was removed with all that is in it."""

    def __init__(self, path, spec, methods):
        self.base = path
        self.spec = spec
        self.methods = methods
        self.number = 0
        self.busy = False
        self.renew()

    def renew(self):
        self.number += 1
        self.path = f"{self.base}.{self.number}"
        os.mkdir(self.path)
        os.chown(self.path, 65534, 65534)
        self.state = "empty"
        self.items = []  # of the last prepare: (artifact, item of the specification)
        self.content = {}  # by name, what it was when prepare told of it

    def may_change(self):
        return any(artifact.changes for artifact, _ in self.items)

    def mounted(self):
        return any(item["method"] == "bind" for _, item in self.items)

    def plan(self, rng, artifacts):
        method = rng.choice(self.methods)
        self.items = []
        for i, artifact in enumerate(rng.sample(artifacts, rng.randrange(1, 4))):
            item = {"value": artifact.uri, "method": method, "output_file": rng.choice(["", "in/"]) + str(i)}
            if artifact.kind != "file" and rng.random() < 0.8:
                item["extract"] = True
            elif rng.random() < 0.2:
                item["executable"] = True
            self.items.append((artifact, item))

    def accept(self, told):
        """What prepare --json printed: a complaint, or None."""
        self.content = {}
        for (artifact, item), result in zip(self.items, told):
            if result["sha256"] not in artifact.versions:
                return f"{artifact.uri} never was {result['sha256']}"
            tree = artifact.versions[result["sha256"]]
            self.content[item["output_file"]] = tree if result["extracted"] else result["sha256"]
        self.state = "whole"
        return None

    def remove(self):
        shutil.rmtree(self.path)
        self.state = "gone"

    def names(self):
        return {item["output_file"] for _, item in self.items}

    def complaints(self, leased, read):
        """What is not as it should be, the names that have leases being known. @read: all bytes."""
        there = set()
        if self.state != "gone":
            there = {os.path.join(folder, name).removeprefix(self.path + "/")
                     for folder, folders, files in os.walk(self.path)
                     for name in files + [name for name in folders if folder != self.path or name != "in"]}
        if self.state in ("empty", "gone"):
            yield from (f"{self.path}: {name} is there, and should not" for name in there)
            yield from (f"{self.path}: a lease on {name}" for name in leased)
            if self.state == "empty" and os.path.ismount(self.path):
                yield f"{self.path}: mounted"
        elif self.state == "unknown":
            yield from (f"{self.path}: a lease on {name}" for name in leased - self.names())
        else:
            yield from (f"{self.path}: no lease on {name}" for name in self.names() - leased)
            yield from (f"{self.path}: a lease on {name}" for name in leased - self.names())
            yield from (f"{self.path}: {name} is not there" for name in self.names() - there)
            for name, content in self.content.items() if read else ():
                if look_at(os.path.join(self.path, name)) != content:
                    yield f"{self.path}/{name}: is not what it was prepared as"


class World:
    def __init__(self, seed, origin, root, disk, work):
        self.seed = seed
        self.origin = origin
        self.root = root
        self.mutex = threading.Lock()  # for who is at a box or a pin
        self.artifacts = []
        for i, size in enumerate(SIZES):
            for way in (WAYS[i % len(WAYS)], WAYS[(i * 3 + 1) % len(WAYS)]):
                self.artifacts.append(Artifact(self, f"{len(self.artifacts)}.bin", way, "file", size))
        for i, way in enumerate((FOREVER, FOREVER, "", "/rate/2000000")):
            self.artifacts.append(Artifact(self, f"{i}.tgz", way, "tar", 800 * KIB))
        self.artifacts.append(Artifact(self, "tool.gz", FOREVER, "gz", 300 * KIB))
        self.by_uri = {artifact.uri: artifact for artifact in self.artifacts}
        self.pins = dict.fromkeys(self.by_uri, False)  # None: a command about it was killed
        self.pinning = set()
        self.wanted = []  # what those asked for who were killed lately
        for name in (disk, work):
            os.makedirs(name + "/boxes", exist_ok=True)
        # beside the cache, where its files can have other names, and elsewhere
        self.boxes = [Box(f"{disk}/boxes/{i}", f"{work}/{i}.spec", ["bind", "hardlink"]) for i in range(3)]
        self.boxes += [Box(f"{work}/boxes/{i}", f"{work}/{i}.spec", ["bind", "copy"]) for i in range(3, 6)]

    def want(self, argv):
        with self.mutex:
            self.wanted = [self.by_uri[uri] for uri in argv if uri in self.by_uri][:3] + self.wanted[:3]

    def one(self, rng):
        """Whoever was killed is often asked for the same again: by others, at once."""
        with self.mutex:
            return rng.choice(self.wanted if self.wanted and rng.random() < 0.4 else self.artifacts)

    def some(self, rng, most):
        return list({self.one(rng).uri: None for _ in range(rng.randrange(1, most + 1))})

    def take_box(self, rng, states):
        """One that nobody is at, or None."""
        with self.mutex:
            boxes = [box for box in self.boxes if not box.busy and box.state in states]
            box = rng.choice(boxes) if boxes else None
            if box:
                box.busy = True
        return box

    def take_pin(self, rng, states):
        """A URI whose pin is so, and about which nobody is at work, or None."""
        with self.mutex:
            pinned = sum(self.by_uri[uri].size for uri in self.pins if self.pins[uri] is not False)
            uris = [uri for uri in self.pins if self.pins[uri] in states and uri not in self.pinning and
                    (self.pins[uri] is not False or pinned + self.by_uri[uri].size <= PINNED_MAX)]
            uri = rng.choice(uris) if uris else None
            if uri:
                self.pinning.add(uri)
        return uri

    def set_pin(self, uri, state):
        with self.mutex:
            self.pins[uri] = state
            self.pinning.discard(uri)

    def boxable(self):
        return [artifact for artifact in self.artifacts if artifact.size <= BOXED_MAX]

    def complaints(self, index):
        """Of what the index says: contents that no URI ever had, and pins that were acknowledged."""
        for entry in index.entries:
            artifact = self.by_uri.get(entry["uri"])
            digest = entry["digest"].hex() if entry["digest"] else None
            if not artifact:
                yield f"entry {entry['uri']}: nobody asked for it"
            elif digest and digest not in artifact.versions:
                yield f"entry {entry['uri']}: it never was {digest}"
        pinned = {entry["uri"]: entry["state"] for entry in index.entries if entry["pinned"]}
        for uri, state in self.pins.items():
            if state is True and pinned.get(uri) != 1:
                yield f"{uri}: was pinned, and is {'not complete' if uri in pinned else 'not'}"
            if state is False and uri in pinned:
                yield f"{uri}: is pinned, and should not be"
