#!/usr/bin/env python3
"""s3list.py PORT-FILE LOG: a bucket of very many keys, which are computed, over the part of S3 that lists.

ListObjectsV2 (prefix, delimiter, encoding-type=url, max-keys, continuation-token) and GET and HEAD of objects,
whose bytes are their keys; signatures are not looked at. As S3 does, it puts a thousand keys and common prefixes
on a page. The keys: "many/name 000000" to "many/name 099999"; "many/folder 00/x" to "many/folder 99/x", ten in each.
LOG has a line per request: "list PREFIX TOKEN MAX-KEYS", with "-" for what was not said, or "METHOD KEY".
"""
import bisect
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

PAGE = 1000
KEYS = sorted([f"many/name {i:06}" for i in range(100000)] +
              [f"many/folder {i:02}/{j}" for i in range(100) for j in range(10)])
KNOWN = {"list-type", "prefix", "delimiter", "encoding-type", "max-keys", "continuation-token"}


def page(prefix, delimiter, at, most):
    """The keys and common prefixes from KEYS[at], and where the next page begins (None: nowhere)."""
    keys, prefixes = [], []
    while at < len(KEYS) and KEYS[at].startswith(prefix):
        if len(keys) + len(prefixes) == most:
            return keys, prefixes, at
        end = KEYS[at].find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            keys.append(KEYS[at])
            at += 1
        else:
            prefixes.append(KEYS[at][:end + 1])
            at = bisect.bisect_left(KEYS, KEYS[at][:end] + chr(ord(delimiter) + 1))
    return keys, prefixes, None


def xml(prefix, keys, prefixes, following):
    written = quote(prefix, safe="/")
    parts = [f"<Prefix>{written}</Prefix><EncodingType>url</EncodingType>"
             f"<KeyCount>{len(keys) + len(prefixes)}</KeyCount>"
             f"<IsTruncated>{'true' if following is not None else 'false'}</IsTruncated>"]
    if following is not None:
        parts.append(f"<NextContinuationToken>+/{following}=</NextContinuationToken>")
    parts += [f"<Contents><Key>{quote(k, safe='/')}</Key><Size>{len(k)}</Size></Contents>" for k in keys]
    parts += [f"<CommonPrefixes><Prefix>{quote(p, safe='/')}</Prefix></CommonPrefixes>" for p in prefixes]
    return ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>' + "".join(parts) + "</ListBucketResult>").encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, line):
        with open(sys.argv[2], "a") as log:
            log.write(line + "\n")

    def answer(self, status, body, kind="binary/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def list(self, asked):
        prefix, token = asked["prefix"], asked.get("continuation-token")
        self.note(f"list {prefix} {token or '-'} {asked.get('max-keys', '-')}")
        if asked["list-type"] != "2" or asked.get("encoding-type", "url") != "url" or not asked.keys() <= KNOWN:
            return self.answer(400, b"<Error><Code>InvalidArgument</Code></Error>", "application/xml")
        at = int(token[2:-1]) if token else bisect.bisect_left(KEYS, prefix)
        found = page(prefix, asked.get("delimiter"), at, min(PAGE, int(asked.get("max-keys", PAGE))))
        return self.answer(200, xml(prefix, *found), "application/xml")

    def do_GET(self):
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        key = unquote(url.path).removeprefix("/bucket").removeprefix("/")
        if "list-type" in asked:
            return self.list(asked)
        self.note(f"{self.command} {key}")
        at = bisect.bisect_left(KEYS, key)
        if at < len(KEYS) and KEYS[at] == key:
            return self.answer(200, key.encode())
        return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")

    do_HEAD = do_GET


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as f:
    f.write(f"{server.server_port}\n")
server.serve_forever()
