#!/bin/bash
# `list = yes`: folders of nginx as JSON, ten thousand names of them, names of all kinds, and what is no
# such listing.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program nginx jq python3 getfattr

mkdir -p "$WWW/many" "$WWW/odd/sub dir" "$WWW/odd/empty" "$WWW/bad/dots" "$WWW/bad/items" "$WWW/bad/bytes"
(cd "$WWW/many" && seq -f 'name %05.0f' 10000 | xargs -d '\n' touch)
python3 - "$WWW" <<-'END'
	import json, os, sys
	os.chdir(sys.argv[1])
	names = [b"with space", b"trailing ", b"a+b", b"100%", b"%41", b"what?", b"sharp#", b"a:b", b"semi;colon",
	         'Ünïcode→'.encode(), b"quo\"te'", b"back\\slash", b"new\nline", b"tab\t", b"bell\x07", b"del\x7f",
	         b"latin\xe9", b"\xff\xfe", b"mixed \xc3\x84\xff", b"<&amp;>", b"],[", b"x" * 255, b"-dash", b"~"]
	for name in names:
	    with open(b"odd/" + name, "wb") as file:
	        file.write(b"these are " + name)
	with open("odd/sub dir/below.txt", "w") as file:
	    file.write("below")
	# what no nginx says
	item = lambda name, kind="file": {"name": name, "type": kind}
	def listing(where, text):
	    with open("bad/%s/index.json" % where, "w") as file:
	        file.write(text)
	listing("dots", json.dumps([item(name) for name in
	        ["..", ".", "", "a/b", "/etc/passwd", "../up", "good", "good", "..\\x", "x" * 5000, "C:"]]))
	listing("items", json.dumps([item("n%d" % i) for i in range(250000)]))
	listing("bytes", "[" + ",".join(["{}" if i % 2 else "[]" for i in range(20000000)]))
END
mkfifo "$WWW/odd/fifo"
bad() {
	printf 'location = /bad/%s { return 301 /bad/%s/; }\n' "$1" "$1"
	printf 'location = /bad/%s/ { default_type %s; return 200 '\''%s'\''; }\n' "$1" "${3-application/json}" "$2"
}
NGINX_MORE="location /json/ { alias $WWW/; autoindex on; autoindex_format json; }
	location /html/ { alias $WWW/; autoindex on; }
	location /bad/ { types { application/json json; } alias $WWW/bad/; index index.json; }
	$(bad object '{"name": "a", "type": "file"}')
	$(bad cut '[{"name": "a", "type": "file"},')
	$(bad nothing '')
	$(bad number '[1, 2]')
	$(bad text '[]' text/plain)"
start_nginx
cat >"$CONFIG" <<-END
	[fetch]
	negative_ttl = 0
	[origin "$HTTP/"]
	list = yes
END
start_mount
tree=$MNT/${HTTP/:\//}

names() {
	LC_ALL=C ls -A1 --color=never "$1"
}
why() {
	names "$tree/bad/$1" >"$WORK/seen"
	getfattr --absolute-names --only-values -n user.fetchfs.error "$tree/bad/$1"
}

say "ten thousand names"
[ "$(names "$tree/json/many" | wc -l)" -eq 10000 ] || fail "$(names "$tree/json/many" | wc -l)"
[ "$(stat -c '%F %s' "$tree/json/many/name%2010000")" = "regular empty file 0" ] || fail "the last one"

say "names of all kinds are those of the HTML, each leads to its file, and folders are folders"
# nginx escapes in HTML what need not be
plain() {
	names "$1" | python3 -c 'import sys, urllib.parse
for line in sorted(sys.stdin): print(urllib.parse.unquote_to_bytes(line.rstrip("\n")))'
}
plain "$tree/json/odd" | sort >"$WORK/json"
plain "$tree/html/odd" | sort | diff - "$WORK/json" || fail "other names than in HTML"
[ "$(wc -l <"$WORK/json")" -eq 27 ] || fail "$(<"$WORK/json")"
python3 - "$WWW/odd" "$tree/json/odd" <<-'END' || fail "another file"
	import os, sys, urllib.parse
	source, tree = (os.fsencode(path) for path in sys.argv[1:])
	seen = 0
	for name in os.listdir(source):
	    if os.path.isfile(source + b"/" + name):
	        quoted = [n for n in os.listdir(tree) if urllib.parse.unquote_to_bytes(n) == name]
	        assert len(quoted) == 1, (name, quoted)
	        with open(tree + b"/" + quoted[0], "rb") as file:
	            assert file.read() == b"these are " + name, name
	        seen += 1
	assert seen == 24, seen
END
[ "$(cat "$tree/json/odd/sub%20dir/below.txt")" = below ] || fail "not below"
[ "$(stat -c %F "$tree/json/odd/sub%20dir")" = directory ] || fail "no folder"
[ -z "$(names "$tree/json/odd/empty")" ] || fail "not empty"

say "no name leads elsewhere"
names "$tree/bad/dots" >"$WORK/seen"
printf '%s\n' '..%5Cx' C: good | LC_ALL=C sort | diff - "$WORK/seen" || fail "other names"

say "what is no listing says so"
why object | grep -q 'no listing there, but other JSON' || fail "$(why object)"
why bytes | grep -q 'no listing there, but other JSON' || fail "$(why bytes)"
why cut | grep -q 'broken JSON' || fail "$(why cut)"
why nothing | grep -q 'broken JSON' || fail "$(why nothing)"
why number | grep -q 'broken JSON' || fail "$(why number)"
why text | grep -q 'no listing there, but text/plain' || fail "$(why text)"
why items | grep -q 'more than 200000 names' || fail "$(why items)"
stop_mount
