#!/usr/bin/env python3
"""A token server for docker-registry: GET /token with user and password or without, POST with a refresh
token. Signs by openssl. Its log has a line for each request: METHOD WHO SCOPE STATUS."""
import argparse
import base64
import http.server
import json
import ssl
import subprocess
import time
import urllib.parse

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--log", required=True)
parser.add_argument("--key", required=True)
parser.add_argument("--cert", required=True)
parser.add_argument("--tls-cert")
parser.add_argument("--tls-key")
parser.add_argument("--user", action="append", default=[], help="USER:PASSWORD, who may pull anything")
parser.add_argument("--refresh", help="the refresh token of who may")
parser.add_argument("--public", default="public/", help="what anybody may pull begins with this")
parser.add_argument("--expires", type=int, default=300)
parser.add_argument("--delay", type=float, default=0)
options = parser.parse_args()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def der():
    return subprocess.run(["openssl", "x509", "-in", options.cert, "-outform", "DER"],
                          check=True, capture_output=True).stdout


HEADER = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der()).decode()]}


def sign(claims):
    text = b64(json.dumps(HEADER).encode()) + "." + b64(json.dumps(claims).encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", options.key], check=True,
                               input=text.encode(), capture_output=True).stdout
    return text + "." + b64(signature)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, who, scope, service, status):
        time.sleep(options.delay)
        with open(options.log, "a", encoding="utf-8") as log:
            print(self.command, who, scope, status, file=log)
        kind, _, rest = scope.partition(":")
        name, _, _ = rest.rpartition(":")
        allowed = who != "anybody" or name.startswith(options.public)
        now = int(time.time())
        body = {"details": "no"}
        if status == 200:
            token = sign({"iss": "fetchfs", "sub": who, "aud": service, "iat": now, "nbf": now - 10,
                          "exp": now + max(options.expires, 1), "jti": str(time.time_ns()),
                          "access": [{"type": kind, "name": name, "actions": ["pull"]}] if allowed else []})
            body = {"access_token" if self.command == "POST" else "token": token,
                    "expires_in": options.expires}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        given = self.headers.get("Authorization", "")
        who, status = "anybody", 200
        if given:
            login = base64.b64decode(given.removeprefix("Basic ")).decode()
            who, status = (login.partition(":")[0], 200) if login in options.user else ("refused", 401)
        self.answer(who, query.get("scope", [""])[0], query.get("service", [""])[0], status)

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        good = options.refresh and form.get("refresh_token") == [options.refresh] and \
            form.get("grant_type") == ["refresh_token"]
        self.answer("refreshed" if good else "refused", form.get("scope", [""])[0],
                    form.get("service", [""])[0], 200 if good else 401)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
if options.tls_cert:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
