#!/usr/bin/env python3
"""An FTP server that breaks the protocol: ftpserver.py PORT-FILE LOG [NAME=VALUE…]

The first folder of a file's path says how: stall/x sends some bytes and then nothing; silent/x sends
all and never says so; chatter/x then says so without an end; cut/x ends in the middle; error/x ends
with an error; long/x sends more than SIZE said; endless/x answers SIZE without an end, endline/x without
the end of a line; denied/x is not sent; missing/x is not there; swap/N is N bytes, all "a", until
half of it is sent: from then on it is another file, all "b", of as many bytes, with grow/N of one more;
torn/N is like swap/N, but ends after a quarter the first time; gone/N is not there once it was sent; once late/N was
sent, MDTM of it is not answered before there is PORT-FILE.go. Anything else is a good file. Folders:
hostile, forever, drip, nonsense, facts. Passwords that begin with "wrong" are; QUIT is never answered.

greeting=endless|421|none. max=N: who comes then hears 421. no=SIZE,MDTM,REST,MLSD,EPSV: unknown.
data=low|refused|elsewhere: at a port below 1024; nowhere; at 127.0.0.2, port other=PORT.
Each command is a line of the log, and "open N" or "closed N" when N are connected."""
import os
import socket
import sys
import threading
import time

GOOD = bytes(range(256)) * 391  # 100096 bytes
LISTINGS = {
    "hostile": b"".join(line + b"\r\n" for line in [
        b"type=file;size=1; good", b"type=dir; folder", b"type=file; ../../etc/passwd",
        b"type=file; /etc/passwd", b"type=file; ..", b"type=dir; .", b"type=dir; a/b",
        b"type=file; nul\0byte", b"type=file; bell\x07", b"type=file; esc\x1b[2J", b"type=file; ",
        b"type=cdir; here", b"type=pdir; above", b"type=OS.unix=slink:.; itself",
        b"type=OS.unix=slink:/; root", b"type=OS.unix=slink:../..; up",
        b"type=OS.unix=slink:/hostile/; same", b"type=OS.unix=slink:target; link",
        b"type=OS.unix=chr-1/3; device", b"type=file; " + b"x" * 300, b"type=file; " + b"y" * 100000,
        b"type=file; a b+c%41?#;type=a", b"type=file; back\\slash", "type=file; Ä".encode(),
        b"type=file; \xff\xfe", b"no line of a listing", b"type=file;", b"last one has no end"]) +
    b"type=file; last",
    "nonsense": b"<html>this is\r\nno listing</html>\r\n",
    "facts": b"type=file;size=5; one\r\n",
}

port_file, log_file, *rest = sys.argv[1:]
options = dict(item.split("=", 1) for item in rest)
unknown = options.get("no", "").split(",")
mutex = threading.Lock()
connected = 0
swaps = {"swap", "grow", "torn", "gone", "late"}
swapped = set()  # paths that are another file by now
torn = set()
late = set()


def log(text):
    with mutex, open(log_file, "a", encoding="utf-8", errors="replace") as out:
        out.write(text + "\n")


def count(by):
    global connected
    with mutex:
        connected += by
        now = connected
    log(f"{'open' if by > 0 else 'closed'} {now}")
    return now


class Session:
    def __init__(self, sock):
        self.sock = sock
        self.listener = None
        self.offset = 0
        self.folder = ""

    def say(self, line):
        self.sock.sendall(line if isinstance(line, bytes) else (line + "\r\n").encode())

    def flood(self, line):
        while True:
            self.sock.sendall(line)

    def listen(self):
        if self.listener:
            self.listener.close()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        return self.listener.getsockname()[1]

    def kind(self, path):
        return path.strip("/").split("/")[0]

    def is_swap(self, path):
        return self.kind(path) in swaps

    def size(self, path):
        if not self.is_swap(path):
            return len(GOOD)
        return int(path.rsplit("/", 1)[1]) + (self.kind(path) == "grow" and path in swapped)

    def swapping_body(self, path):
        size = self.size(path)
        if path in swapped:
            return b"b" * size
        if self.kind(path) == "torn" and path not in torn:
            torn.add(path)
            return b"a" * (size // 4)
        if self.kind(path) == "late":
            late.add(path)
            return b"b" * size
        swapped.add(path)
        return b"a" * (size // 2) + b"b" * (size - size // 2)

    def passive(self, extended):
        port = self.listen()
        kind = options.get("data", "")
        if kind == "low":
            port = 22
        if kind == "refused":
            self.listener.close()
        if extended:
            self.say(f"229 Extended ({'|||'}{port}|)")
        elif kind == "elsewhere":
            port = int(options["other"])
            self.say(f"227 Passive (127,0,0,2,{port >> 8},{port & 255})")
        else:
            self.say(f"227 Passive (127,0,0,1,{port >> 8},{port & 255})")

    def retr(self, path):
        kind = self.kind(path)
        body = GOOD[self.offset:]
        if kind == "denied":
            self.say("550 Failed to open file.")
            return
        if self.is_swap(path):
            body = self.swapping_body(path)[self.offset:]
        self.say("150 Here it comes")
        data, _ = self.listener.accept()
        with data:
            try:
                if kind == "stall":
                    data.sendall(body[:70000])
                    self.sock.recv(1)  # until the client hangs up
                    return
                if kind == "cut":
                    body = body[:50000]
                if kind == "long":
                    body += b"more" * 1000
                data.sendall(body)
            except OSError:
                pass
        if kind == "silent":
            self.sock.recv(1)
            return
        if kind == "error":
            self.say("451 Disk error")
        elif kind == "chatter":
            self.flood(b"226-and another thing\r\n")
        else:
            self.say("226 Done")

    def list(self):
        kind = self.kind(self.folder)
        self.say("150 Here it comes")
        data, _ = self.listener.accept()
        with data:
            try:
                if kind == "forever":
                    n = 0
                    while True:
                        data.sendall(b"".join(b"type=file; name%d\r\n" % i for i in range(n, n + 1000)))
                        n += 1000
                if kind == "drip":
                    data.sendall(b"type=file; one\r\n")
                    self.sock.recv(1)
                    return
                data.sendall(LISTINGS.get(kind, b""))
            except OSError:
                pass
        self.say("226 Done")

    def command(self, verb, arg):
        if verb in unknown:
            self.say("502 Not implemented")
        elif verb == "USER":
            self.say("331 Password, please")
        elif verb == "PASS":
            wrong = arg.startswith("wrong")
            self.say(f"530 You said {arg}, which is wrong" if wrong else "230 Welcome")
        elif verb == "SIZE":
            if self.kind(arg) == "endless":
                self.flood(b"213-and so on\r\n")
            if self.kind(arg) == "endline":
                self.flood(b"213 1111111111")
            if self.is_swap(arg):
                is_gone = self.kind(arg) == "gone" and arg in swapped
                self.say("550 No such file" if is_gone else f"213 {self.size(arg)}")
            elif self.kind(arg) in LISTINGS or self.kind(arg) in ("missing", "drip", "forever"):
                self.say("550 No such file")
            else:
                self.say(f"213 {len(GOOD)}")
        elif verb == "MDTM":
            until = time.monotonic() + 20
            while arg in late and not os.path.exists(port_file + ".go") and time.monotonic() < until:
                time.sleep(0.02)
            self.say("213 20200101000001" if arg in swapped else "213 20200101000000")
        elif verb == "REST":
            self.offset = int(arg)
            self.say("350 From there")
        elif verb in ("EPSV", "PASV"):
            self.passive(verb == "EPSV")
        elif verb == "RETR":
            self.retr(arg)
            self.offset = 0
        elif verb == "CWD":
            known = self.kind(arg) in LISTINGS or self.kind(arg) in ("forever", "drip", "")
            self.folder = arg if known else self.folder
            self.say("250 There" if known else "550 No such folder")
        elif verb in ("MLSD", "LIST"):
            self.list()
        elif verb == "PWD":
            self.say('257 "/"')
        elif verb in ("QUIT", "ABOR"):
            pass
        elif verb == "TYPE":
            self.say("200 As you like")
        else:
            self.say("500 What?")

    def run(self):
        greeting = options.get("greeting", "")
        if count(1) > int(options.get("max", "1000")) or greeting == "421":
            self.say("421 Too many of you")
            return
        if greeting == "endless":
            self.flood(b"220-welcome, welcome\r\n")
        if greeting != "none":
            self.say("220 Hello")
        for line in self.sock.makefile("rb"):
            verb, _, arg = line.rstrip(b"\r\n").decode("utf-8", "replace").partition(" ")
            log(f"{verb} {arg}".strip())
            self.command(verb.upper(), arg)


def serve(sock):
    session = Session(sock)
    try:
        session.run()
    except OSError:
        pass
    finally:
        sock.close()
        if session.listener:
            session.listener.close()
        count(-1)


server = socket.create_server(("127.0.0.1", 0), backlog=100)
with open(port_file + ".new", "w", encoding="ascii") as out:
    out.write(str(server.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    client, _ = server.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
