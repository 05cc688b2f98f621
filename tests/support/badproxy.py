#!/usr/bin/env python3
"""An HTTP proxy with a bad copy in its cache: one byte of each body is another one, unless the
client says "Cache-Control: no-cache". badproxy.py PORT-FILE LOG"""
import http.client
import http.server
import os
import sys
import urllib.parse


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        origin = http.client.HTTPConnection(url.netloc, timeout=20)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "proxy-connection")}
        origin.request(self.command, url.path, headers=kept)
        answer = origin.getresponse()
        body = bytearray(answer.read())
        fresh = "no-cache" in self.headers.get("Cache-Control", "")
        if body and not fresh:
            body[len(body) // 2] ^= 1
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
        with open(sys.argv[2], "a") as log:
            log.write(f"{self.command} {url.path} {'fresh' if fresh else 'bad'}\n")

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
