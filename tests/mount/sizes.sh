#!/bin/bash
# Files of sizes about that of a chunk, from origins of every kind, read at and across their ends; all of
# it, and only what is read.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

chunk=$((256 << 10))
sizes=(0 1 $((chunk - 1)) "$chunk" $((chunk + 1)) $((4 * chunk)) $((4 * chunk + 1)))
ways=("" noranges/ weak/ novalidators/ nohead/ chunked/ chunked/weak/ chunked/noranges/)
start_origin
for size in "${sizes[@]}"; do random_file "$size" "$ORIGINROOT/$size.bin" "$size"; done

cat >"$WORK/ends.py" <<'END'
import os, sys
for line in sys.stdin:
    name, path = line.rstrip("\n").split("\t")
    right = open(name, "rb").read()
    n = len(right)
    # the end first: far ahead of the download, where there is a far
    reads = [(n - 1, 1), (n - 1, 10), (n, 1), (n + 1, 1), (n + 300000, 5), (n - 5, 600000), (0, n + 10)]
    fd = os.open(path, os.O_RDONLY)
    if os.fstat(fd).st_size != n:
        sys.exit(f"{path}: size {os.fstat(fd).st_size} instead of {n}")
    for at, length in reads:
        if at >= 0 and os.pread(fd, length, at) != right[at:at + length]:
            sys.exit(f"{path}: other bytes at {at} of {n}")
    os.close(fd)
END

for lazy in no ranges; do
	say "lazy = $lazy"
	printf '[fetch]\nlazy = %s\n' $lazy >"$CONFIG"
	start_mount
	for way in "${ways[@]}"; do
		for size in "${sizes[@]}"; do
			printf '%s\t%s\n' "$ORIGINROOT/$size.bin" "$(at "$ORIGIN/$way$size.bin")"
		done
	done | timeout 100 python3 "$WORK/ends.py" || fail "lazy = $lazy"
	quiet_origin
	# where there are no ranges, or no version to hold on to, all is read in order, once
	for way in noranges weak novalidators chunked/noranges; do
		for size in "${sizes[@]}"; do
			[ "$(origin_requests GET "/$way/$size.bin -")" -eq 1 ] ||
				fail "$way/$size.bin: $(grep "/$way/$size.bin" "$ORIGIN_LOG")"
			[ "$(origin_sent "/$way/$size.bin")" -eq "$size" ] || fail "$way/$size.bin: too many bytes"
		done
	done
	stop_mount
	rm -r "$CACHE"
	: >"$ORIGIN_LOG"
done
