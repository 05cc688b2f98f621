#!/bin/bash
# A mount killed in the middle of a download is mounted again and goes on where it was.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

start_nginx
random_file 16M "$WWW/data.bin"
file=$(at "$HTTP/crawl/data.bin")

bytes_came() {
	[ "$(stat -c %s "$WORK/seen")" -ge $((1 << 20)) ]
}

start_mount
cat "$file" >"$WORK/seen" 2>"$LOGS/cat" &
reader=$!
children+=("$reader")
wait_for 30 bytes_came || fail "no bytes in half a minute"
kill -KILL "$MOUNT_PID"
! wait $reader || fail "the reader took half a file for the whole"
cmp "$WORK/seen" <(head -c "$(stat -c %s "$WORK/seen")" "$WWW/data.bin") ||
	fail "the bytes before the kill were wrong"
! stat "$MNT" 2>"$LOGS/stat" || fail "the mount point is not dead"

say "mounting over the dead mount, reading again"
start_mount
cmp "$file" "$WWW/data.bin" || fail "other bytes after the kill"
settle_nginx
grep -Eq '^GET /crawl/data.bin 206 [0-9]+ bytes=' "$NGINX_LOG" || fail "it began from nothing"
settle_mount
stop_mount
no_debris
