#!/bin/bash
# One download, however many processes ask at the same moment.
. "$(dirname "$0")/../support/lib.sh"

start_nginx
random_file 16M "$WWW/alone.bin" alone
random_file 16M "$WWW/mounted.bin" mounted
size=$((16 << 20))

# four_fetch URI: at the same moment
four_fetch() {
	local pids=() i
	for i in 1 2 3 4; do
		fetchfs fetch "$1" 2>"$LOGS/fetch.$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "a fetch failed: $(cat "$LOGS"/fetch.*)"
	done
}

sent_once() {
	settle_nginx
	[ "$(served "$1")" -eq $size ] || fail "$1: $(served "$1") bytes were sent"
}

say "four processes, no mount"
four_fetch "$HTTP/slow/alone.bin"
sent_once /slow/alone.bin
fetchfs cat "$HTTP/slow/alone.bin" | cmp - "$WWW/alone.bin" || fail "other bytes"

say "four processes, and a reader in the mount"
need_fuse
start_mount
cmp "$WWW/mounted.bin" "$(at "$HTTP/slow/mounted.bin")" &
reader=$!
four_fetch "$HTTP/slow/mounted.bin"
wait $reader || fail "the reader in the mount got other bytes"
sent_once /slow/mounted.bin

say "what others fetched, the mount has"
cmp "$WWW/alone.bin" "$(at "$HTTP/slow/alone.bin")" || fail "other bytes"
sent_once /slow/alone.bin
settle_mount
stop_mount
no_debris
