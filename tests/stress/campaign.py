#!/usr/bin/env python3
"""The crash campaign: processes that fetch, read, evict, prepare, release, pin and verify at random on one
cache, of which one is killed, every few hundred milliseconds. After each kill, when the others have come to
the end of what they were at, the invariants of the cache are checked; now and then all is read back.

	campaign.py --fetchfs PROGRAM --config FILE --disk FOLDER --work FOLDER --origin URI --root FOLDER
	            [--mount FOLDER] [--kills N] [--seed N] [--workers N] [--whole N] [--faults]

campaign.sh brings these about: the cache is DISK/cache, on a file system of its own. The same seed makes the same
artifacts, and lets each worker decide the same; when who is killed is the machine's to say.

Every kill: gc, twice, of which the second must find nothing; tests/support/invariants.py; that the index and the
commands agree with what was acknowledged (pins, sandboxes); that nothing hangs and nobody is left over. Every
--whole kills (25): what was killed in sandboxes is completed or released, all bytes are read back, by the
commands, by the mount and in the sandboxes, and what is pinned is read without a request. At the end all is given
back, and the cache must be empty.

Ends with 1 at the first thing that is wrong; WORK/story has every command then."""
import argparse
import json
import os
import random
import sys
import threading
import time
import urllib.request
from collections import Counter

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)) + "/../support"]
from campaign_commands import Commands, Violation
from campaign_run import Daemon, Run, Watcher, of_sessions, wait_for
from campaign_world import World
from invariants import Invariants

STATES = ("partial", "trees")

FAULT_TRIES = 40  # so many commands come to their end before somebody is killed the other way


class Campaign:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(f"{options.seed} killer")
        self.cache = options.disk + "/cache"
        self.fetchfs = [options.fetchfs, "--cache", self.cache, "--config", options.config]
        self.mount = options.mount
        self.world = World(options.seed, options.origin, options.root, options.disk, options.work)
        self.invariants = Invariants(self.cache)
        self.daemon = Daemon(self.fetchfs, options.mount, options.work + "/logs/mount") if options.mount else None
        self.watcher = Watcher(options.disk, self.cache, options.size)
        self.story = open(options.work + "/story", "w", encoding="utf-8", buffering=1)
        self.mutex = threading.Lock()  # for what follows
        self.live = []
        self.sessions = set()
        self.fault = None  # of the next command
        self.commands = Counter()
        self.kills = Counter()
        self.faults_hit = 0
        self.active = 0
        self.running = threading.Event()
        self.ended = False
        self.violation = None
        self.cleared = Counter()
        self.events = Counter()
        self.events_at = (0, 0)
        self.whole_checks = 0
        self.began = time.monotonic()

    def tell(self, text):
        self.story.write(f"{time.monotonic() - self.began:9.3f} {text}\n")

    # ---- commands ----

    def run(self, kind, argv):
        with self.mutex:
            fault, self.fault = (self.fault, None) if kind != "reader" else (None, self.fault)
            run = Run(kind, argv, fault)
            self.live.append(run)
            self.sessions.add(run.process.pid)
            self.commands[kind] += 1
        self.tell(f"{run.process.pid} begins: {run.words()}")
        try:
            run.wait()
        finally:
            with self.mutex:
                self.live.remove(run)
        with self.mutex:
            if run.killed:
                self.world.want(argv)
                self.kills[kind] += 1
                self.faults_hit += fault is not None
        self.tell(f"{run.process.pid} ends: {run.status} {run.err.decode(errors='replace').strip()}")
        return run

    def quiet(self, *arguments):
        """A command that nobody kills, and that must do what it should."""
        run = Run("check", [*self.fetchfs, *arguments], None)
        run.wait()
        if run.status != 0:
            raise Violation(f"{run.words()}: status {run.status}: {run.err.decode(errors='replace')}")
        return run.out

    def work(self, number):
        """A worker, until the end of the campaign; in between it rests."""
        commands = Commands(self, random.Random(f"{self.options.seed} worker {number}"))
        while not self.ended:
            with self.mutex:
                self.active += self.running.is_set()
                works = self.running.is_set()
            if not works:
                time.sleep(0.005)
                continue
            try:
                commands.one()
            except Exception as e:  # pylint: disable=broad-except
                self.violation = self.violation or e
            with self.mutex:
                self.active -= 1

    # ---- kills ----

    def count_kills(self):
        with self.mutex:
            return self.kills.total()

    def kill_one(self):
        """Somebody dies, while all are at work."""
        before = self.count_kills()
        self.running.set()
        what = self.rng.random()
        if self.daemon and what < 0.12:
            time.sleep(self.rng.uniform(0.05, 0.5))
            if not self.daemon.is_dead():
                self.tell("the daemon is killed")
                self.daemon.kill()
                self.count_daemon()
        tries = 0
        while self.count_kills() == before and not self.violation:
            tries += 1
            if self.options.faults and what < 0.5 and tries < FAULT_TRIES:
                with self.mutex:
                    self.fault = f"*:{int(2 ** self.rng.uniform(0, 7))}:kill"
                time.sleep(0.05)
            else:
                time.sleep(self.rng.uniform(0.02, 0.4))
                self.kill_live()
            self.count_daemon()
            time.sleep(0.01)

    def kill_live(self):
        """One of those that run now, or what it has started to unpack an archive."""
        with self.mutex:
            run = self.rng.choice(self.live) if self.live else None
        if not run:
            return
        unpackers = run.unpackers()
        if unpackers and self.rng.random() < 0.3:
            run.child_killed = True
            self.tell(f"{run.process.pid}'s {unpackers[0]} is killed")
            try:
                os.kill(unpackers[0], 9)
                self.kills["unpacker"] += 1
            except ProcessLookupError:
                pass
            return
        self.tell(f"{run.process.pid} is killed after {time.monotonic() - run.began:.3f} s")
        run.process.kill()
        wait_for(lambda: run.process.poll() is not None, f"{run.words()}: dies of SIGKILL")
        wait_for(lambda: run not in self.live or self.violation, f"{run.words()}: it is noted")

    def count_daemon(self):
        if self.daemon and self.daemon.count_death():
            self.tell("the daemon is dead")
            with self.mutex:
                self.kills["daemon"] += 1

    def rest(self):
        """All come to the end of what they are at."""
        with self.mutex:
            self.running.clear()
            self.fault = None
        wait_for(lambda: self.active == 0, "the others come to an end")
        if self.violation:
            raise self.violation
        wait_for(lambda: not of_sessions(self.sessions), f"left over: {of_sessions(self.sessions)}")
        self.sessions.clear()
        if self.daemon:
            self.daemon.settle()
            self.count_daemon()
        if self.watcher.violation:
            raise Violation(self.watcher.violation)

    def mount_again(self):
        while self.daemon and self.daemon.is_dead():
            fault = self.options.faults and self.rng.random() < 0.4
            self.daemon.start(f"*:{int(2 ** self.rng.uniform(3, 10))}:kill" if fault else None)
            self.tell("mounted")
            self.count_daemon()

    # ---- checks ----

    def state(self):
        """What gc might change."""
        return {(folder, name) for folder in STATES for name in os.listdir(f"{self.cache}/{folder}")}

    def clear(self):
        """gc, twice: the second one must find nothing."""
        before = self.state()
        first = json.loads(self.quiet("gc", "--json"))
        between = self.state()
        second = json.loads(self.quiet("gc", "--json"))
        self.tell(f"gc: {first}, {before - between}")
        self.cleared["orphans"] += first["orphans"]
        self.cleared["missing"] += first["missing"]
        self.cleared["sandboxes"] += len(first["sandboxes"])
        self.cleared["partials"] += len({name.rpartition(".")[0] for folder, name in before - between
                                         if folder == "partial"})
        self.cleared["trees"] += sum(folder == "trees" for folder, _ in before - between)
        if second["orphans"] or second["missing"] or second["sandboxes"] or self.state() != between:
            raise Violation(f"gc finds more at once: {first}, then {second}, {between ^ self.state()}")

    def check(self, read=False):
        """When nobody is at work."""
        wrong, index = self.invariants.check()
        wrong += self.world.complaints(index)
        leased = {}
        for line in self.quiet("sandboxes", "--json").splitlines():
            lease = json.loads(line)
            leased.setdefault(lease["directory"], set()).add(lease["name"])
        for box in self.world.boxes:
            wrong += box.complaints(leased.pop(box.path, set()), read)
        wrong += [f"leases of {directory}: {names}" for directory, names in leased.items()]
        status = json.loads(self.quiet("status", "--json"))
        if status["used"] != index.total["objects"] + index.total["reserved"] or \
                status["used"] > status["limit"] or status["transfers"] and not index.reservations:
            wrong.append(f"status: {status}, the index has {dict(index.total)}")
        self.count_events()
        if wrong:
            raise Violation("\n".join(wrong))
        return index

    def count_events(self):
        """What commands and daemon have noted since the last time."""
        for name in ("events.old", "events"):
            try:
                with open(f"{self.cache}/{name}", encoding="utf-8", errors="replace") as file:
                    inode = os.fstat(file.fileno()).st_ino
                    if name == "events.old" and inode != self.events_at[0]:
                        continue
                    file.seek(self.events_at[1] if inode == self.events_at[0] else 0)
                    for line in file:
                        self.events[line.split("\t")[1]] += 1
                    self.events_at = (inode, file.tell())
            except OSError:
                pass

    def requests(self):
        with urllib.request.urlopen(self.options.origin + "/.stats", timeout=60) as answer:
            return json.load(answer)

    def check_whole(self):
        """All bytes, by every way; and what was killed is brought to an end."""
        commands = Commands(self, self.rng)
        for box in self.world.boxes:
            if box.state == "unknown":
                (commands.prepare_box if self.rng.random() < 0.5 else commands.release_box)(box)
                if box.state == "unknown":
                    commands.release_box(box)
        self.clear()
        index = self.check(read=True)
        self.quiet("verify", "--full")
        before = self.requests()["requests"]
        for entry in index.entries:
            artifact = self.world.by_uri[entry["uri"]]
            if entry["state"] == 1 and not artifact.changes:
                commands.check_read(artifact)
        if self.requests()["requests"] != before:
            raise Violation("what is cached and fresh was not read without a request")
        self.whole_checks += 1

    def empty(self):
        """All is given back: nothing is left."""
        commands = Commands(self, self.rng)
        for box in self.world.boxes:
            if box.state in ("whole", "unknown"):
                commands.release_box(box)
        for uri, state in self.world.pins.items():
            if state is not False:
                self.quiet("unpin", uri)
                self.world.pins[uri] = False
        if self.daemon:
            self.quiet("unmount", self.mount)
            wait_for(self.daemon.is_dead, "the daemon ends")
            if self.daemon.process.returncode != 0:
                raise Violation(f"the daemon ended with {self.daemon.process.returncode}")
        self.quiet("evict", "--all")
        self.clear()
        index = self.check()
        if index.objects or index.reservations or index.leases or index.total["objects"] or self.state():
            raise Violation(f"left in the empty cache: {dict(index.total)}, {self.state()}")

    # ---- the whole ----

    def rounds(self):
        options = self.options
        self.mount_again()
        next_whole, told = options.whole, time.monotonic()
        while self.count_kills() < options.kills:
            self.kill_one()
            self.rest()
            self.clear()
            self.check()
            self.mount_again()
            if self.count_kills() >= next_whole:
                next_whole += options.whole
                self.check_whole()
                self.mount_again()
            if time.monotonic() - told > options.progress:
                told = time.monotonic()
                print(f"- {self.count_kills()} kills, {self.commands.total()} commands, "
                      f"{told - self.began:.0f} s", flush=True)
        self.check_whole()
        self.mount_again()
        self.empty()

    def report(self):
        stats = self.requests()
        of_kinds = ", ".join(f"{count} {kind}" for kind, count in self.kills.most_common())
        runs = ", ".join(f"{count} {kind}" for kind, count in self.commands.most_common())
        rows = {
            "kills": f"{self.kills.total()}: {of_kinds}",
            "at fault points": self.faults_hit,
            "commands": f"{self.commands.total()}: {runs}",
            "requests": f"{stats['requests']}, {stats['bytes'] >> 20} MiB from the origin",
            "resumed": len(self.watcher.resumed),
            "events": ", ".join(f"{count} {kind}" for kind, count in sorted(self.events.items())),
            "gc removed": ", ".join(f"{self.cleared[name]} {name}" for name in
                                    ("orphans", "missing", "partials", "trees", "sandboxes")),
            "most in use": f"{self.watcher.most_counted} bytes of {self.options.size}; with what was unlinked and open "
                           f"{self.watcher.most}, {self.watcher.times_over} times above",
            "read back": f"{self.whole_checks} times all; {self.invariants.hashed_bytes >> 20} MiB of objects hashed",
            "seconds": int(time.monotonic() - self.began),
            "violations": 0 if not self.violation else 1,
        }
        for name, value in rows.items():
            print(f"{name:16} {value}")

    def campaign(self):
        workers = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(self.options.workers)]
        self.quiet("status")
        self.watcher.start()
        for worker in workers:
            worker.start()
        try:
            self.rounds()
        except Exception as e:  # pylint: disable=broad-except
            self.violation = self.violation or e
        self.ended = True
        self.watcher.ended.set()
        self.report()
        if not self.violation:
            return 0
        self.tell(f"VIOLATION: {self.violation}")
        print(f"FAIL: seed {self.options.seed}, after {self.count_kills()} kills: "
              f"{'' if isinstance(self.violation, Violation) else repr(self.violation)}{self.violation}")
        return 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("fetchfs", "config", "disk", "work", "origin", "root"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--mount")
    parser.add_argument("--faults", action="store_true", help="the program has fault points")
    for name, default in (("size", 0), ("kills", 25), ("seed", 1), ("workers", 4), ("whole", 25), ("progress", 10)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    campaign = Campaign(options)
    try:
        status = campaign.campaign()
    finally:
        if campaign.daemon and not campaign.daemon.is_dead():
            campaign.daemon.process.kill()
    sys.stdout.flush()
    os._exit(status)  # a worker may wait for what does not end


if __name__ == "__main__":
    main()
