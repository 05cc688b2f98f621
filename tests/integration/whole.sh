#!/bin/bash
# 1 GiB over plain HTTP, read whole: by the mount and by commands it is the same, and is sent once.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

size=$((1 << 30))
[ "$(df --output=avail -B1M "$WORK" | tail -n 1)" -gt 3000 ] || skip "needs 3 GB below ${TMPDIR:-/tmp}"
printf '[cache]\nmin_free = 0\n' >"$CONFIG"
random_file $size "$WWW/large.bin"
start_nginx

# sent_once: all of it, with what was on its way when a part was cut short.
sent_once() {
	local sent
	settle_nginx
	sent=$(served /large.bin)
	say "$sent bytes were sent, in $(requests GET /large.bin) answers"
	[ "$sent" -ge $size ] || fail "the log lacks something"
	[ "$sent" -le $((size * 101 / 100)) ] || fail "more than 1.01 of the file was sent"
	: >"$NGINX_LOG"
}

say "by the mount"
start_mount
cmp "$(at "$HTTP/large.bin")" "$WWW/large.bin" || fail "the mount has other bytes"
settle_mount
sent_once
stop_mount
no_debris
fetchfs evict --all >/dev/null || fail "evict"

say "by a command"
fetchfs fetch "$HTTP/large.bin"
sent_once
fetchfs cat "$HTTP/large.bin" | cmp - "$WWW/large.bin" || fail "the command has other bytes"
no_debris
