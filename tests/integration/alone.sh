#!/bin/bash
# All connections that are allowed are in use: who reads far ahead in a file gets the one of its
# download.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

rate=2000000
size=$((24 << 20))
start_origin
random_file $size "$ORIGINROOT/a.bin"
random_file $size "$ORIGINROOT/b.bin" b

# page FILE NUMBER: its 4096 bytes there
page() {
	dd if="$1" bs=4096 skip="$2" count=1 status=none
}

# Twenty pages in no order, and then ten MiB in a row, of the second half; compared.
cat >"$WORK/jump.py" <<'END'
import os, random, sys
fd, right = os.open(sys.argv[1], os.O_RDONLY), open(sys.argv[2], "rb").read()
chance, half = random.Random(1), len(right) // 2
places = [(half + chance.randrange(half - 4096), 4096) for _ in range(20)]
for at, length in places + [(half + (i << 17), 1 << 17) for i in range(80)]:
    if os.pread(fd, length, at) != right[at:at + length]:
        sys.exit(f"other bytes at {at}")
END

# with OPTION: [fetch] says so, and both files are asked for
with() {
	local sent
	say "$1"
	printf '[fetch]\n%s\n' "$1" >"$CONFIG"
	start_mount
	exec 8<"$(at "$ORIGIN/rate/$rate/a.bin")"
	head -c 4096 <&8 >/dev/null
	before=$(origin_stat bytes)
	cmp <(page "$(at "$ORIGIN/rate/$rate/a.bin")" 5500) <(page "$ORIGINROOT/a.bin" 5500) ||
		fail "$1: other bytes"
	sent=$(($(origin_stat bytes) - before))
	say "$((sent >> 10)) KiB until a page far ahead"
	[ $sent -le $((8 << 20)) ] || fail "$1: it waited for what lies between"
	timeout 60 python3 "$WORK/jump.py" "$(at "$ORIGIN/rate/$rate/a.bin")" "$ORIGINROOT/a.bin" ||
		fail "$1: status $?"
	cmp /dev/fd/8 "$ORIGINROOT/a.bin" || fail "$1: other bytes"
	exec 8<&-
	settle_mount
	stop_mount
	no_debris
	settle_origin
	sent=$(origin_sent ".*/a.bin")
	say "$sent bytes of $size in $(origin_requests GET ".*/a.bin") requests"
	[ "$sent" -le $((size * 105 / 100)) ] || fail "$1: too many bytes"
	[ "$(awk '{ seen[$6] = 1 } END { print length(seen) }' "$ORIGIN_LOG")" -le 40 ] ||
		fail "$1: a connection for each request"
	: >"$ORIGIN_LOG"
	rm -r "$CACHE"
}

with "per_host = 1"
with "connections = 1"

# refusing LIMIT OPTION…: who has a connection at such an origin waits for what lies between, and
# asks for another one LIMIT times at most.
refusing() {
	local limit=$1 refused
	shift
	start_origin --max-connections 1 "$@"
	start_mount
	cmp <(page "$(at "$ORIGIN/rate/4000000/a.bin")" 5500) <(page "$ORIGINROOT/a.bin" 5500) ||
		fail "other bytes"
	settle_mount
	stop_mount
	settle_origin
	refused=$(grep -c " 503 " "$ORIGIN_LOG" || :)
	say "refused $refused times"
	[ "$refused" -le "$limit" ] || fail "asked too often"
	rm -r "$CACHE"
}

say "an origin that refuses a second request is asked less and less often, and when it says"
: >"$CONFIG"
refusing 3
refusing 1 --retry-after 20
