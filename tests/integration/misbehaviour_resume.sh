#!/bin/bash
# Killed, rebooted, changed meanwhile: a download goes on from the chunks that are here and right, or
# from the beginning; a reader never sees two versions.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program curl jq python3 unshare

cat >"$CONFIG" <<-END
	[fetch]
	stall = 5s
	retries = 2
	ttl = 0s
END
start_origin --trace "$WORK/trace"
size=$((8 << 20))
chunk=262144
for name in a b c d e; do random_file 8M "$ORIGINROOT/$name.bin" "$name"; done
random_file 8M "$WORK/new" new

bytes_went_out() {
	[ "$(origin_stat bytes)" -ge "$1" ]
}

# kill_fetch URI: a fetch that is killed when 3 MiB have gone out. What had arrived is in $ARRIVED,
# to the chunk.
kill_fetch() {
	local before
	before=$(origin_stat bytes)
	"${fetchfs[@]}" fetch "$1" &
	local pid=$!
	children+=("$pid")
	wait_for 30 bytes_went_out $((before + (3 << 20))) || fail "no bytes in half a minute"
	kill -KILL "$pid"
	! wait "$pid" 2>/dev/null || fail "it was not killed"
	quiet_origin
	ARRIVED=$(($(origin_stat bytes) - before))
	sent_before=$(origin_stat bytes)
}

# What the origin sent since the kill.
sent_since() {
	quiet_origin
	echo $(($(origin_stat bytes) - sent_before))
}

right_bytes() {
	fetchfs cat "$1" | cmp - "$2" || fail "$1: other bytes"
}

# How much may be lost of what went out: one chunk for each connection, and what was in the sockets.
lost=$((4 * chunk + (1 << 20)))

say "killed: the next command goes on, by ranges of the same version"
kill_fetch "$ORIGIN/rate/4000000/a.bin"
: >"$WORK/trace"
fetchfs fetch "$ORIGIN/rate/4000000/a.bin"
[ "$(sent_since)" -le $((size - ARRIVED + lost)) ] || fail "$(sent_since) bytes after $ARRIVED"
grep GET "$WORK/trace" | grep -q 'Range: bytes=[1-9]' || fail "no range: $(<"$WORK/trace")"
! grep GET "$WORK/trace" | grep Range: | grep -qv 'If-Match: "' || fail "a range of any version"
right_bytes "$ORIGIN/rate/4000000/a.bin" "$ORIGINROOT/a.bin"
no_debris

# The command after a reboot: the kernel tells another boot id.
echo "01234567-89ab-cdef-0123-456789abcdef" >"$WORK/boot"
after_reboot() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --propagation private sh -c \
		'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$WORK/boot" "${fetchfs[@]}" "$@"
}

say "rebooted: what is here is checked first, and what is damaged comes again"
kill_fetch "$ORIGIN/rate/4000000/b.bin"
data=("$CACHE"/partial/*.data)
[ ${#data[@]} -eq 1 ] || fail "${#data[@]} partials"
printf 'damaged' | dd of="${data[0]}" bs=1 seek=$((chunk + 1000)) conv=notrunc status=none
after_reboot fetch "$ORIGIN/rate/4000000/b.bin"
[ "$(sent_since)" -le $((size - ARRIVED + lost + chunk)) ] || fail "$(sent_since) bytes after $ARRIVED"
right_bytes "$ORIGIN/rate/4000000/b.bin" "$ORIGINROOT/b.bin"
no_debris

say "changed in between: from the beginning, and nothing of the old version"
kill_fetch "$ORIGIN/rate/4000000/c.bin"
cp "$WORK/new" "$ORIGINROOT/c.new"
touch -d '+1 hour' "$ORIGINROOT/c.new"
mv "$ORIGINROOT/c.new" "$ORIGINROOT/c.bin"
fetchfs fetch "$ORIGIN/rate/4000000/c.bin"
right_bytes "$ORIGIN/rate/4000000/c.bin" "$WORK/new"
no_debris

say "a map that is cut off, data that are cut off: from the beginning"
kill_fetch "$ORIGIN/rate/4000000/d.bin"
truncate -s 1000 "$CACHE"/partial/*.map
fetchfs fetch "$ORIGIN/rate/4000000/d.bin"
right_bytes "$ORIGIN/rate/4000000/d.bin" "$ORIGINROOT/d.bin"
fetchfs evict "$ORIGIN/rate/4000000/d.bin"
kill_fetch "$ORIGIN/rate/4000000/d.bin"
truncate -s $((2 << 20)) "$CACHE"/partial/*.data
fetchfs fetch "$ORIGIN/rate/4000000/d.bin"
right_bytes "$ORIGIN/rate/4000000/d.bin" "$ORIGINROOT/d.bin"

say "a reader that has bytes of the old version gets ESTALE, or the old bytes: never a mixture"
start_mount
python3 - "$(at "$ORIGIN/rate/3000000/once/short/4000000/e.bin")" "$ORIGINROOT/e.bin" "$WORK/new" <<-'END' ||
	import errno, os, sys
	path, origin, new = sys.argv[1:]
	old = open(origin, "rb").read()
	fd = os.open(path, os.O_RDONLY)
	got = b""
	while len(got) < 1 << 20:
	    got += os.read(fd, 65536)
	with open(origin + ".tmp", "wb") as f:
	    f.write(open(new, "rb").read())
	os.utime(origin + ".tmp", (2000000000, 2000000000))
	os.rename(origin + ".tmp", origin)
	try:
	    while data := os.read(fd, 65536):
	        got += data
	    how = "the end"
	except OSError as e:
	    how = errno.errorcode[e.errno]
	if got != old[:len(got)]:
	    sys.exit("a mixture")
	if how != "ESTALE" and got != old:
	    sys.exit(f"{len(got)} bytes, then {how}")
	print(f"- {len(got)} bytes, then {how}")
END
	fail "a reader of a file that changed"
cmp "$(at "$ORIGIN/rate/3000000/once/short/4000000/e.bin")" "$WORK/new" || fail "not the new version"
settle_mount
stop_mount
no_debris
