#!/usr/bin/env python3
"""Namenodes that misbehave: webhdfs.py FOLDER PORT...

Each PORT of loopback is a namenode, and a datanode as well. FOLDER/mode-PORT, if it is there, says what
kind of namenode: standby, starting, closed (it hangs up), else it serves. FOLDER/log gets a line for each request: PORT
and what was asked for. What a file is says the last segment of its path:

    ok-N          N bytes        empty         none        folder        a folder
    short-N       the datanode has one byte less        long-N   one more, and says nothing of it
    cut-N         it breaks off in the middle
    elsewhere     OPEN leads to the URI in FOLDER/elsewhere
    loop          OPEN leads to itself
    noinodes-N    its inode's number is not known      noid-N   it has none
    no…-swap-N    likewise; when it is opened for the first time another one has the name: N bytes "b"
    endless       a status that has no end        drip     one that hardly comes
    deep          nothing but brackets       text   no JSON      odd-WHAT   a status that makes no sense
    denied        refused, with a message that repeats all that was asked
    kerberos      401, with a page
    pages-N       a folder of N names, ten on a page     stuck   one whose pages never end
    old-N         a folder whose namenode knows no pages
"""
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

folder = sys.argv[1]
lock = threading.Lock()
ids = {}
swapped = set()  # paths
INODES = "/.reserved/.inodes/"
BATCH = 10


def byte(i):
    return (i * 7 + i // 251) & 0xff


def body(n):
    return bytes(byte(i) for i in range(n))


def number(name):
    return int(name.rsplit("-", 1)[1]) if "-" in name and name.rsplit("-", 1)[1].isdigit() else 0


def file_id(path):
    with lock:
        return ids.setdefault(path, 1000 + len(ids))


def path_of(number):
    with lock:
        return next((path for path, value in ids.items() if value == number), None)


def status(name, path="", suffix=""):
    answer = {"length": 100 if name in ("elsewhere", "loop") else number(name), "type": "FILE", "modificationTime": 1700000000123,
              "fileId": file_id(path or name), "pathSuffix": suffix, "owner": "alice"}
    if path in swapped:
        answer.update(modificationTime=1700000000124, fileId=answer["fileId"] + 100000)
    if name.startswith("noid"):
        del answer["fileId"]
    if name.startswith(("folder", "pages", "old", "stuck")):
        answer.update(type="DIRECTORY", length=0)
    if name.startswith("odd-"):
        answer.update({"odd-negative": {"length": -5}, "odd-text": {"length": "5"},
                       "odd-huge": {"length": 2**70}, "odd-time": {"modificationTime": None},
                       "odd-kind": {"type": 7}, "odd-id": {"fileId": -1}}[name])
    return answer


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, code, data, length=True, **headers):
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        if length:
            self.send_header("Content-Length", str(len(data)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(data)

    def tell(self, answer):
        self.send(200, json.dumps(answer).encode(), Content_Type="application/json")

    def refuse(self, code, name, message="no"):
        self.send(code, json.dumps({"RemoteException": {
            "exception": name, "javaClassName": "x." + name, "message": message}}).encode(),
            Content_Type="application/json")

    def do_GET(self):
        port = self.server.server_address[1]
        with lock, open(folder + "/log", "a") as log:
            log.write("%d %s\n" % (port, self.path))
        mode = "%s/mode-%d" % (folder, port)
        mode = open(mode).read().strip() if os.path.exists(mode) else "active"
        if mode == "closed":
            self.close_connection = True
        elif mode == "standby":
            self.refuse(403, "StandbyException", "Operation category READ is not supported")
        elif mode == "starting":
            self.refuse(403, "RetriableException")
        else:
            self.serve()

    def serve(self):
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        path = path[len("/webhdfs/v1"):] if path.startswith("/webhdfs/v1") else path
        by_inode = path.startswith(INODES)
        if by_inode:
            path = path_of(int(path[len(INODES):])) or "/none"
        name = path.rsplit("/", 1)[1]
        if by_inode and name.startswith("noinodes"):
            self.refuse(404, "FileNotFoundException")
        elif name.startswith("none"):
            self.refuse(404, "FileNotFoundException")
        elif name == "denied":
            self.refuse(403, "AccessControlException", "denied: " + self.path)
        elif name == "kerberos":
            self.send(401, b"<html>Authentication required", Content_Type="text/html",
                      WWW_Authenticate="Negotiate")
        else:
            getattr(self, "do_" + query.get("op", "").lower(), self.unknown)(path, name, query)

    def unknown(self, path, name, query):
        self.refuse(400, "IllegalArgumentException")

    def do_getfilestatus(self, path, name, query):
        if name in ("endless", "drip"):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            while True:
                self.wfile.write(b" " * (65536 if name == "endless" else 1))
                if name == "drip":
                    time.sleep(0.2)
        if name == "deep":
            self.send(200, b"[" * 60000)
        elif name == "text":
            self.send(200, b"<html>hello")
        else:
            self.tell({"FileStatus": status(name, path)})

    def do_open(self, path, name, query):
        if name == "elsewhere":
            return self.lead(open(folder + "/elsewhere").read().strip())
        if name == "loop":
            return self.lead(self.path)
        if "datanode" not in query:
            return self.lead("http://127.0.0.1:%d%s&datanode=1"
                             % (self.server.server_address[1], self.path))
        data = body(number(name))
        if "-swap-" in name:
            swapped.add(path)
            data = b"b" * number(name)
        first = int(query.get("offset", 0))
        data = data[first:first + int(query.get("length", len(data)))]
        if name.startswith("short"):
            return self.send(200, data[:-1])
        if name.startswith("long"):
            return self.send(200, data + b"x", length=False)
        if name.startswith("cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
            self.close_connection = True
            return None
        return self.send(200, data, length=not name.startswith("noid"))

    def lead(self, where):
        self.send(307, b"", Location=where)

    def do_liststatus(self, path, name, query):
        names = ["n%05d" % i for i in range(number(name))]
        self.tell({"FileStatuses": {"FileStatus": [status("ok-1", "", n) for n in names]}})

    def do_liststatus_batch(self, path, name, query):
        if name.startswith("old"):
            return self.unknown(path, name, query)
        names = ["n%05d" % i for i in range(number(name))]
        after = query.get("startAfter", "")
        left = [n for n in names if n > after]
        left, rest = left[:BATCH], left[BATCH:]
        if name.startswith("stuck"):
            left, rest = (["a"] if name == "stuck" else []), ["b"]
        if name.startswith("ok"):
            left, rest = [""], []
        return self.tell({"DirectoryListing": {
            "partialListing": {"FileStatuses": {"FileStatus": [
                status("ok-1", "", n) for n in left]}},
            "remainingEntries": len(rest)}})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # who hangs up first is the client


servers = [Server(("127.0.0.1", int(port)), Node) for port in sys.argv[2:]]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
