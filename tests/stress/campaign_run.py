"""What the crash campaign (campaign.py) starts, kills and watches: commands, the daemon of the mount, and the
room that the cache takes."""
import glob
import json
import os
import re
import signal
import struct
import subprocess
import threading
import time

from campaign_commands import Violation

# Nothing that is asked for here takes a second on an idle machine.
PATIENCE = 180
LOOKS_OVER = 50  # before it is believed that there is too much
COMPLAINTS = re.compile(rb"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion")


def wait_for(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Violation(f"not in {seconds} seconds: {what}")
        time.sleep(0.01)


def where(pid):
    """What a process that does not end is doing, for who looks into that."""
    lines = []
    for task in glob.glob(f"/proc/{pid}/task/*"):
        for name in ("comm", "wchan", "syscall", "stack"):
            try:
                with open(f"{task}/{name}", encoding="ascii", errors="replace") as file:
                    lines.append(f"{task} {name}: {file.read().strip()}")
            except OSError:
                pass
    return "\n".join(lines)


class Run:
    """A command. Killed: by us, at any moment or at a fault point."""

    def __init__(self, kind, argv, fault):
        self.kind = kind
        self.argv = argv
        self.fault = fault
        self.began = time.monotonic()
        self.killed = self.child_killed = False
        self.status, self.out, self.err = None, b"", b""
        environment = dict(os.environ, FETCHFS_FAULT=fault) if fault else None
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment,
                                        stderr=subprocess.PIPE, start_new_session=True)

    def words(self):
        return (f"FETCHFS_FAULT='{self.fault}' " if self.fault else "") + " ".join(self.argv)

    def wait(self):
        try:
            self.out, self.err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Violation(f"does not end: {self.words()}\n{where(self.process.pid)}") from None
        self.status = self.process.returncode
        self.killed = self.status == -signal.SIGKILL
        if COMPLAINTS.search(self.err) or (self.status < 0 and not self.killed):
            raise Violation(f"{self.words()}: status {self.status}: {self.err.decode(errors='replace')}")

    def unpackers(self):
        """Those that it has started to unpack archives."""
        found = []
        for children in glob.glob(f"/proc/{self.process.pid}/task/*/children"):
            try:
                with open(children, encoding="ascii") as file:
                    pids = file.read().split()
                for pid in pids:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        if file.read().startswith(b"fetchfs-unpack"):
                            found.append(int(pid))
            except OSError:
                pass
        return found


def of_sessions(sessions):
    """Processes that are left of those that we started: pid and name."""
    found = []
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat, encoding="ascii", errors="replace") as file:
                head, _, rest = file.read().rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        if int(fields[3]) in sessions and fields[0] != "Z":
            found.append(head)
    return found


class Daemon:
    """A mount of the cache, which is killed now and then and mounted again over what it leaves."""

    def __init__(self, fetchfs, mount, log):
        self.argv = [*fetchfs, "mount", "-f", mount]
        self.mount = mount
        self.log = log
        self.deaths = 0
        self.counted = True  # the last of them
        self.process = None

    def start(self, fault):
        environment = dict(os.environ, FETCHFS_FAULT=fault) if fault else None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment, start_new_session=True)
        self.counted = False
        wait_for(lambda: self.process.poll() is not None or self.status() is not None, "the mount serves")

    def is_dead(self):
        return not self.process or self.process.poll() is not None

    def will_be_dead(self, deaths):
        """Whether it has died since there had been so many deaths, or is about to."""
        try:
            wait_for(lambda: self.deaths != deaths or self.is_dead(), "the daemon is dead", 20)
        except Violation:
            return False
        return True

    def status(self):
        """What .fetchfs/status says, or None. Asked by a process that can be left behind."""
        try:
            done = subprocess.run(["cat", self.mount + "/.fetchfs/status"], stdin=subprocess.DEVNULL, check=False,
                                  capture_output=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Violation(f"the mount does not answer\n{where(self.process.pid)}") from None
        return json.loads(done.stdout) if done.returncode == 0 else None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def count_death(self):
        """Whether it has died since this was asked last, by a kill or at its fault point."""
        if self.counted or not self.is_dead():
            return False
        with open(self.log, "rb") as log:
            said = log.read()
        if self.process.returncode != -signal.SIGKILL or COMPLAINTS.search(said):
            raise Violation(f"the daemon ended with {self.process.returncode}: {said.decode(errors='replace')}")
        self.counted = True
        self.deaths += 1
        return True

    def settle(self):
        """Nothing is on its way any more, or it is dead."""
        def is_idle():
            status = None if self.is_dead() else self.status()
            return self.is_dead() or (status is not None and status["in_flight"] == 0)

        wait_for(is_idle, "the daemon has nothing in flight")


class Watcher(threading.Thread):
    """Looks at the room that the cache takes, on a file system of its own, and at who begins to resume.

    What is unlinked, but still open, does not count: a version that was given up, or came a second time, takes
    its room until the last of its readers closes it. How much that was is told."""

    def __init__(self, disk, cache, limit):
        super().__init__(daemon=True)
        self.disk, self.cache, self.limit = disk, cache, limit
        self.most = self.most_counted = 0
        self.over = 0  # looks in a row that found too much
        self.times_over = 0  # that it was above the limit by what was unlinked
        self.resumed = set()
        self.violation = None
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            self.look()
            self.look_at_maps()

    def used(self):
        now = os.statvfs(self.disk)
        return (now.f_blocks - now.f_bfree) * now.f_frsize

    def look(self):
        used = self.used()
        self.most = max(self.most, used)
        if used <= self.limit:
            self.most_counted = max(self.most_counted, used)
            self.over = 0
            return
        counted = used - self.unlinked()
        self.over += 1
        if self.over == 1:
            self.times_over += 1
        # what is closed between the two looks is in the first one only
        if counted > self.limit and self.over >= LOOKS_OVER and not self.violation:
            self.violation = f"{used} bytes are in use, the limit is {self.limit}:\n{self.listing()}"

    def unlinked(self):
        """Bytes of files that have no name any more, and are open somewhere."""
        device = os.stat(self.disk).st_dev
        found = {}
        for descriptor in glob.glob("/proc/[0-9]*/fd/*"):
            try:
                if os.readlink(descriptor).startswith(self.disk):
                    state = os.stat(descriptor)
                    if state.st_dev == device and state.st_nlink == 0:
                        found[state.st_ino] = state.st_blocks * 512
            except OSError:
                pass
        return sum(found.values())

    def look_at_maps(self):
        for path in glob.glob(self.cache + "/partial/*.map"):
            try:
                with open(path, "rb") as file:
                    file.seek(1792)
                    began, before = struct.unpack("<QQ", file.read(16))
            except (OSError, struct.error):
                continue
            if before > 0:
                self.resumed.add((os.path.basename(path), began))

    def listing(self):
        """What takes the room, of this moment."""
        done = subprocess.run(["du", "-a", "--block-size=1", self.disk], check=False, capture_output=True, text=True)
        top = [line for line in done.stdout.splitlines() if line.count("/") <= self.cache.count("/") + 2]
        return "\n".join(top)
