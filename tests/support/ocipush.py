#!/usr/bin/env python3
"""Pushes an artifact to a registry: blobs, then the manifest, whose digest is printed."""
import argparse
import hashlib
import http.client
import json
import os
import sys
import urllib.parse

LAYER = "application/octet-stream"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

parser = argparse.ArgumentParser()
parser.add_argument("--manifest", help="push this file as the manifest, and nothing else")
parser.add_argument("--type", default=MANIFEST)
parser.add_argument("--list", help="a file of lines, TITLE and FILE with a tab between them")
parser.add_argument("--sha512", action="store_true", help="layers are named by SHA-512, and not pushed")
parser.add_argument("registry")
parser.add_argument("repo")
parser.add_argument("reference")
parser.add_argument("layers", nargs="*")
options = parser.parse_args()

place = urllib.parse.urlsplit(options.registry)
connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)


def ask(method, path, body=None, **headers):
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= 300 and answer.status != 404:
        sys.exit(f"{method} {path}: {answer.status} {said[:500]!r}")
    return answer


def push_blob(body, size, digest):
    if ask("HEAD", f"/v2/{options.repo}/blobs/{digest}").status == 200:
        return
    where = ask("POST", f"/v2/{options.repo}/blobs/uploads/", Content_Length="0").headers["Location"]
    where = urllib.parse.urlsplit(where)
    ask("PUT", f"{where.path}?{where.query}&digest={urllib.parse.quote(digest)}", body,
        Content_Type=LAYER, Content_Length=str(size))


def push_file(name):
    algorithm = "sha512" if options.sha512 else "sha256"
    with open(name, "rb") as file:
        digest = algorithm + ":" + hashlib.file_digest(file, algorithm).hexdigest()
        file.seek(0)
        if not options.sha512:
            push_blob(file, os.path.getsize(name), digest)
    return {"mediaType": LAYER, "digest": digest, "size": os.path.getsize(name)}


def push_manifest(text, kind):
    digest = "sha256:" + hashlib.sha256(text).hexdigest()
    ask("PUT", f"/v2/{options.repo}/manifests/{options.reference if options.reference != '@' else digest}",
        text, Content_Type=kind)
    print(digest)


if options.manifest:
    with open(options.manifest, "rb") as given:
        push_manifest(given.read(), options.type)
    sys.exit(0)

items = [item.rpartition("=")[::2] for item in options.layers]
if options.list:
    with open(options.list, encoding="utf-8") as lines:
        items += [line.rstrip("\n").split("\t") for line in lines]
config = b"{}"
config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
push_blob(config, len(config), config_digest)
known = {}
layers = []
for title, path in items:
    if path not in known:
        known[path] = push_file(path)
    layer = dict(known[path])
    if title:
        layer["annotations"] = {"org.opencontainers.image.title": title}
    layers.append(layer)
push_manifest(json.dumps({
    "schemaVersion": 2,
    "mediaType": MANIFEST,
    "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config_digest, "size": len(config)},
    "layers": layers,
}).encode(), MANIFEST)
