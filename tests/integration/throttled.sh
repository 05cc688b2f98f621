#!/bin/bash
# The first and the last byte of 1 GiB at 10 MB/s do not wait for what lies between.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

start_nginx
truncate -s 1G "$WWW/first.bin"
printf A | dd of="$WWW/first.bin" conv=notrunc status=none
printf Z | dd of="$WWW/first.bin" bs=1 seek=$(((1 << 30) - 1)) conv=notrunc status=none
ln "$WWW/first.bin" "$WWW/last.bin"
start_mount

# first_byte PROGRAM FILE WANTED: in under a second
quickly() {
	local took
	took=$(milliseconds "$1" -c 1 "$2")
	say "$1 -c 1: $took ms"
	[ "$took" -lt 1000 ] || fail "$1 -c 1 took $took ms"
	[ "$("$1" -c 1 "$2")" = "$3" ] || fail "$1 -c 1: another byte"
}

quickly head "$(at "$HTTP/slow/first.bin")" A
say "the last byte of a file that is in flight, and of a cold one"
quickly tail "$(at "$HTTP/slow/first.bin")" Z
quickly tail "$(at "$HTTP/slow/last.bin")" Z
stop_mount
