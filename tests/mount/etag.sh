#!/bin/bash
# An origin that gives one ETag to different bytes: each open has one of the versions, whole.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program python3 jq

port=$(free_port)
python3 - "$port" "$WORK/now" <<'END' &
import http.server, sys
class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = open(sys.argv[2], "rb").read()
        self.send_response(200)
        self.send_header("ETag", '"same"')
        self.send_header("Cache-Control", "max-age=0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_HEAD = do_GET
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Origin).serve_forever()
END
children+=($!)
wait_for 10 listening "$port" || fail "no origin"
random_file 100000 "$WORK/large1" 1
random_file 100000 "$WORK/large2" 2
random_file 10 "$WORK/small1" 3
random_file 10 "$WORK/small2" 4
random_file 5000 "$WORK/small3" 5

number=0
# one_then OTHER: one is open, and read by one who holds it, when the other comes.
one_then() {
	local file
	say "$mode: $1, then $2"
	number=$((number + 1))
	file=$(at "http://127.0.0.1:$port/$number.bin")
	cp "$WORK/$1" "$WORK/now"
	cmp "$WORK/$1" "$file" || fail "the first version"
	exec 3<"$file" 4<"$file"
	cmp "$WORK/$1" - <&4 || fail "the first version, complete"
	cp "$WORK/$2" "$WORK/new"
	mv "$WORK/new" "$WORK/now"
	cmp "$WORK/$2" "$file" || fail "the second version"
	cmp "$WORK/$2" "$file" || fail "the second version, complete"
	cmp "$WORK/$1" - <&3 || fail "what was open"
	exec 3<&- 4<&-
	cmp "$WORK/$2" "$file" || fail "the second version, alone"
}

# The same, of one that was evicted meanwhile, and that nobody has open.
evicted_then() {
	local uri file
	say "$mode: $1, evicted, then $2"
	number=$((number + 1))
	uri=http://127.0.0.1:$port/$number.bin
	file=$(at "$uri")
	cp "$WORK/$1" "$WORK/now"
	cmp "$WORK/$1" "$file" || fail "the first version"
	cmp "$WORK/$1" "$file" || fail "the first version, complete"
	settle_mount
	fetchfs evict "$uri"
	cp "$WORK/$2" "$WORK/new"
	mv "$WORK/new" "$WORK/now"
	cmp "$WORK/$2" "$file" || fail "the second version"
	cmp "$WORK/$2" "$file" || fail "the second version, complete"
}

for mode in passthrough nopassthrough; do
	start_mount_in $mode
	one_then large1 small1
	one_then small1 large1
	one_then large1 large2
	one_then small1 small2
	one_then small1 small3
	one_then small3 small1
	evicted_then small1 small2
	evicted_then large1 large2
	evicted_then small1 large1
	stop_mount
done
