#!/bin/bash
# A crowd at one cold file: 64 readers in 8 processes at the mount and 4 commands beside it. All get
# the right bytes, and the origin sends them once.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

size=$((256 << 20))
# Percent of the file that may be sent: what is asked for, and what is seen at rest (100.0 to 100.5).
# Where the thread that receives is kept waiting for a processor, some megabytes more are on their way
# when a request is broken off: then it is tried again, and may never be more than that.
limit=101
limit_busy=103
tries=3

# Eight readers of $1, as threads of one process: three read from the start and hash, three read
# from a place of their own round to it, two here and there before they read all. $2 has the right
# bytes, $3 their SHA-256, $4 is the number of the process.
cat >"$WORK/readers.py" <<'END'
import hashlib, os, random, sys, threading, zlib

path, right, digest, process = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
source = os.open(right, os.O_RDONLY)
size = os.fstat(source).st_size
block = 1 << 20
wrong = []

def same(fd, offset, length):
    got = os.pread(fd, length, offset)
    if got != os.pread(source, length, offset):
        raise ValueError(f"other bytes at {offset}: {len(got)} of {length}")

def in_order(fd, number):
    sha, sums, length = hashlib.sha256(), [], 0
    while part := os.read(fd, block):
        sha.update(part)
        sums.append((length, len(part), zlib.crc32(part)))
        length += len(part)
    if sha.hexdigest() != digest:
        other = [f"{n} at {at}" for at, n, sum in sums if zlib.crc32(os.pread(source, n, at)) != sum]
        raise ValueError(f"another SHA-256: {length} bytes of {size}, others: {other}")

def around(fd, number):
    start = (process * 8 + number) * size // 64 // 4096 * 4096
    for offset in range(start, start + size, block):
        offset %= size
        same(fd, offset, min(block, size - offset))
    same(fd, 0, block)

def here_and_there(fd, number):
    chance = random.Random(process * 8 + number)
    for _ in range(200):
        same(fd, chance.randrange(size // 4096) * 4096, 4096)
    in_order(fd, number)

def read(number):
    try:
        fd = os.open(path, os.O_RDONLY)
        [in_order, around, here_and_there][number % 3](fd, number)
        os.close(fd)
    except Exception as e:
        wrong.append(f"reader {process}.{number}: {e!r}")

threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("\n".join(wrong))
sys.exit(bool(wrong))
END

# crowd URI: all at the same moment
crowd() {
	local file pids=() i status=0
	file=$(at "$1")
	for i in {1..8}; do
		python3 "$WORK/readers.py" "$file" "$ORIGINROOT/a.bin" "$digest" "$i" >"$LOGS/readers.$i" &
		pids+=($!)
	done
	for i in {1..4}; do
		"${fetchfs[@]}" fetch "$1" 2>"$LOGS/fetch.$i" &
		pids+=($!)
	done
	children+=("${pids[@]}")
	for i in "${pids[@]}"; do
		wait "$i" || status=$?
	done
	[ $status -eq 0 ] || fail "one of the crowd failed: $(cat "$LOGS"/readers.* "$LOGS"/fetch.?)"
}

# sent_at_most PERCENT PATH
sent_at_most() {
	[ $(($(origin_sent "$2") * 100)) -le $((size * $1)) ]
}

# once PATH: true if it was sent once
once() {
	local sent
	: >"$ORIGIN_LOG"
	start_mount
	crowd "$ORIGIN$1"
	settle_mount
	stop_mount
	settle_origin
	say "$1: $(origin_sent "$1") bytes were sent in $(grep -c "^GET $1 " "$ORIGIN_LOG") answers"
	no_debris
	fetchfs evict --all >/dev/null || fail "evict"
	sent=$(origin_sent "$1")
	[ "$sent" -ge $size ] || fail "only $sent bytes of $size were sent"
	sent_at_most $limit_busy "$1" || fail "$sent bytes were sent for $size"
	sent_at_most $limit "$1"
}

start_origin
random_file $size "$ORIGINROOT/a.bin"
digest=$(sha256 "$ORIGINROOT/a.bin")

for path in /a.bin /rate/40000000/a.bin; do
	for ((try = 1; try <= tries; try++)); do
		! once "$path" || break
	done
	[ $try -le $tries ] || fail "more than $limit percent each time"
done
