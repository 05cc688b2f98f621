#!/bin/bash
# The daemon is started anew in the middle of a download, in good order, by a signal, or after a
# kill: what has come is not sent again, and nobody sees a wrong byte.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

rate=4000000
size=$((16 << 20))
# What a connection that ends may have cost: the chunk under way, and what was on its way.
cost=$(((256 + 64) << 10))
printf '[fetch]\nper_host = 1\n' >"$CONFIG"
start_origin
random_file $size "$ORIGINROOT/a.bin"

# read_some NUMBER: until a few chunks more are here, with the file open and read from
read_some() {
	python3 - "$file" "$ORIGINROOT/a.bin" "$1" <<-'END'
		import os, sys
		fd, right = os.open(sys.argv[1], os.O_RDONLY), open(sys.argv[2], "rb").read()
		end = int(sys.argv[3]) * 1500000
		if os.pread(fd, 4096, end) != right[end:end + 4096] or os.pread(fd, 100, 0) != right[:100]:
		    sys.exit("other bytes")
	END
}

terminate() {
	kill -TERM "$MOUNT_PID"
	wait_for 20 gone "$MOUNT_PID" || fail "the daemon does not end"
	wait "$MOUNT_PID" || fail "the daemon ended with status $?"
}

murder() {
	kill -KILL "$MOUNT_PID"
	{ wait "$MOUNT_PID" || :; } 2>/dev/null
	umount -l "$MNT"
}

# restarts TIMES PATH HOW…: the download of PATH is interrupted so often, in each of these ways in turn
restarts() {
	local times=$1 path=$2 n again
	shift 2
	file=$(at "$ORIGIN$path")
	for ((n = 1; n <= times; n++)); do
		start_mount
		read_some $n || fail "$path: before the ${n}th restart"
		"${@:n % $# + 1:1}"
	done
	start_mount
	cmp "$ORIGINROOT/a.bin" "$file" || fail "$path: other bytes"
	settle_mount
	stop_mount
	no_debris
	settle_origin
	again=$(($(origin_sent "$path") - size))
	say "$path: $times restarts, $again bytes were sent again"
	[ $again -le $((times * cost)) ] || fail "these are too many"
}

restarts 9 /rate/$rate/a.bin stop_mount terminate murder

say "another version while nobody ran, or none that could be told from another: from the beginning"
slow=1500000 # whole only long after the daemon has ended, on a machine with much else to do, too
for path in /rate/$slow/b.bin /novalidators/rate/$slow/c.bin; do
	cp "$ORIGINROOT/a.bin" "$ORIGINROOT/${path##*/}"
	file=$(at "$ORIGIN$path")
	start_mount
	read_some 1
	stop_mount
	random_file $((size / 2)) "$WORK/new" new
	mv "$WORK/new" "$ORIGINROOT/${path##*/}"
	start_mount
	cmp "$ORIGINROOT/${path##*/}" "$file" || fail "$path: other bytes"
	settle_mount
	stop_mount
	no_debris
done
