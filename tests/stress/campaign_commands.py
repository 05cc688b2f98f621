"""The commands of the crash campaign: each is run, perhaps killed, and judged by what may be said of it."""
import hashlib
import json
import os
import re

MIB = 1 << 20

# Failures that are in order: there was no room, another was at it, or it was not there (any more).
NO_ROOM = r"cache full( for user \d+)?: |No space left on device"
CHANGED = r"changed|Stale file handle"
KEPT = r"pinned or leased|is open|linked elsewhere|in use at this moment|not in the cache"
DAEMON_DIED = r"not connected|connection abort|No such file|Input/output error|No such device|not a mount"
UNPACKER_DIED = r"unpack"


class Violation(Exception):
    pass


class Commands:
    """What one worker does, one after the other, by its own random numbers."""

    def __init__(self, campaign, rng):
        self.campaign = campaign
        self.world = campaign.world
        self.rng = rng
        self.choices = [(self.fetch, 22), (self.cat, 10), (self.evict, 9), (self.prepare, 12), (self.release, 8),
                        (self.abandon, 1), (self.pin, 5), (self.unpin, 4), (self.fetch_pinned, 4), (self.verify, 3),
                        (self.gc, 3), (self.look, 4), (self.publish, 4)]
        if campaign.mount:
            self.choices += [(self.read, 20), (self.read_unpacked, 6)]

    def one(self):
        actions, weights = zip(*self.choices)
        self.rng.choices(actions, weights)[0]()

    def run(self, kind, *arguments, allowed=None):
        """A command of fetchfs. True: it did what it should."""
        run = self.campaign.run(kind, [*self.campaign.fetchfs, *arguments])
        return run, self.judge(run, allowed)

    def judge(self, run, allowed=None):
        if run.killed or run.status == 0:
            return run.status == 0
        text = run.err.decode(errors="replace")
        if run.child_killed and re.search(UNPACKER_DIED, text):
            return False
        if not allowed or run.status not in (1, 3) or not text or \
                not all(re.search(allowed, line) for line in text.splitlines()):
            raise Violation(f"{run.words()}: status {run.status}: {text}")
        return False

    def check_bytes(self, run, artifact, digest):
        if digest not in artifact.versions:
            raise Violation(f"{run.words()}: {digest}, which {artifact.uri} never was")

    # ---- the cache ----

    def fetch(self):
        options = [option for option, chance in (("--executable", .15), ("--refresh", .15), ("-j2", .2))
                   if self.rng.random() < chance]
        self.run("fetch", "fetch", *options, *self.world.some(self.rng, 6),
                 allowed=f"{NO_ROOM}|{CHANGED}")

    def cat(self):
        artifact = self.world.one(self.rng)
        run, good = self.run("cat", "cat", artifact.uri, allowed=f"{NO_ROOM}|{CHANGED}")
        if good:
            self.check_bytes(run, artifact, hashlib.sha256(run.out).hexdigest())

    def evict(self):
        what = self.rng.random()
        if what < .1:
            arguments = ["--all"]
        elif what < .4:
            arguments = ["--to", str(self.rng.randrange(16 * MIB))]
        else:
            arguments = self.world.some(self.rng, 5)
        self.run("evict", "evict", *arguments, allowed=KEPT)

    def verify(self):
        # what was killed between row and file is found to be missing, and nothing is damaged
        self.run("verify", "verify", *self.rng.sample(["--full", "--repair"], self.rng.randrange(3)),
                 allowed=f"missing: removed|{NO_ROOM}")

    def gc(self):
        self.run("gc", "gc")

    def look(self):
        artifact = self.rng.choice(self.world.artifacts)
        arguments = self.rng.choice([["ls", "-l"], ["status"], ["sandboxes"], ["log"], ["stat", artifact.uri]])
        self.run("look", *arguments, allowed="not in the cache" if arguments[0] == "stat" else None)

    def publish(self):
        changing = [artifact for artifact in self.world.artifacts if artifact.changes]
        with self.world.mutex:
            self.rng.choice(changing).publish()

    def check_read(self, artifact):
        """It is read back from what is cached, by the command or by the mount."""
        if self.campaign.mount and self.rng.random() < .8:
            run = self.campaign.run("check", ["sha256sum", "--", self.in_mount(artifact)])
            digest = run.out[:64].decode()
        else:
            run = self.campaign.run("check", [*self.campaign.fetchfs, "cat", artifact.uri])
            digest = hashlib.sha256(run.out).hexdigest()
        self.judge(run)
        self.check_bytes(run, artifact, digest)

    # ---- the mount ----

    def in_mount(self, artifact):
        return os.path.join(self.campaign.mount, "uri", artifact.uri.replace("%", "%25").replace("/", "%2F"))

    def read(self):
        artifact = self.world.one(self.rng)
        self.read_file(self.in_mount(artifact), lambda run, digest: self.check_bytes(run, artifact, digest),
                       artifact.changes)

    def read_unpacked(self):
        archives = [artifact for artifact in self.world.artifacts if artifact.kind == "tar"]
        artifact = self.rng.choice(archives)
        firsts = lambda: {tree["deep"]["first"] for tree in artifact.versions.values()}

        def check(run, digest):
            if digest not in firsts():
                raise Violation(f"{run.words()}: {digest} never was in {artifact.uri}")

        self.read_file(os.path.join(self.campaign.mount, artifact.uri.replace("://", "/") + ".unpacked/deep/first"),
                       check, True)

    def read_file(self, path, check, changes):
        deaths = self.campaign.daemon.deaths
        run = self.campaign.run("reader", ["sha256sum", "--", path])
        allowed = NO_ROOM + ("|" + CHANGED if changes else "")
        # a reader hears of it before it can be seen
        if re.search(DAEMON_DIED.encode(), run.err) and self.campaign.daemon.will_be_dead(deaths):
            allowed += "|" + DAEMON_DIED
        if self.judge(run, allowed):
            check(run, run.out.lstrip(b"\\")[:64].decode())

    # ---- pins ----

    def change_pin(self, kind, states, state, *arguments, allowed):
        uri = self.world.take_pin(self.rng, states)
        if not uri:
            return
        before = self.world.pins[uri]
        self.world.set_pin(uri, None)
        with self.world.mutex:
            self.world.pinning.add(uri)
        run, good = self.run(kind, *arguments, uri, allowed=allowed)
        if good:
            after = state
        elif run.killed or kind == "fetch --pin":
            after = None
        else:
            after = before
        self.world.set_pin(uri, after)

    def pin(self):
        self.change_pin("pin", (False, None), True, "pin", allowed="not in the cache")

    def unpin(self):
        self.change_pin("unpin", (True, None), False, "unpin", allowed=None)

    def fetch_pinned(self):
        self.change_pin("fetch --pin", (False, None), True, "fetch", "--pin", allowed=f"{NO_ROOM}|{CHANGED}")

    # ---- sandboxes ----

    def prepare(self):
        box = self.world.take_box(self.rng, ["empty", "unknown", "whole", "gone"])
        if box:
            try:
                self.prepare_box(box)
            finally:
                box.busy = False

    def prepare_box(self, box):
        if box.state == "gone":
            box.renew()
        if box.state != "empty" and box.may_change():
            return self.release_box(box)
        before = box.state
        if before == "empty":
            box.plan(self.rng, self.world.boxable())
        box.state = "unknown"
        with open(box.spec, "w", encoding="ascii") as file:
            json.dump([item for _, item in box.items], file)
        run, good = self.run("prepare", "prepare", "--json", "--user", "nobody", "--spec", box.spec, box.path,
                             allowed=f"{NO_ROOM}|{CHANGED}")
        if good:
            complaint = box.accept(json.loads(run.out))
            if complaint:
                raise Violation(f"{run.words()}: {complaint}")
        elif not run.killed:
            # all or nothing; what was killed before may have left something
            box.state = before
        return None

    def release(self):
        box = self.world.take_box(self.rng, ["whole", "unknown"])
        if box:
            try:
                self.release_box(box)
            finally:
                box.busy = False

    def release_box(self, box):
        was_unknown = box.state == "unknown"
        box.state = "unknown"
        run, good = self.run("release", "release", box.path)
        if not good:
            return
        if run.err and b"nothing was prepared" not in run.err:
            raise Violation(f"{run.words()}: {run.err.decode()}")
        # who is killed between making a folder and noting that leaves it
        if was_unknown and os.path.isdir(box.path + "/in") and not os.listdir(box.path + "/in"):
            os.rmdir(box.path + "/in")
        box.state = "empty"

    def abandon(self):
        """The directory is removed, and nobody released it."""
        box = self.world.take_box(self.rng, ["whole", "unknown"])
        if box:
            if not box.mounted():
                box.remove()
            box.busy = False
