#!/bin/bash
# Who has begun to read what another process downloads, and has to go on without it, never gets the
# bytes of another version: not even where nothing tells the versions apart but their bytes.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program python3 jq

start_origin
printf '[fetch]\nttl = 0\nper_host = 2\n' >"$CONFIG"
uri=$ORIGIN/rate/2000000/novalidators/f.bin
start_mount

bytes_went_out() {
	[ "$(origin_stat bytes)" -ge $(($1 + 300000)) ]
}

# replaced SIZE: the file becomes another one of that size while it is read along.
replaced() {
	local sent
	random_file 4M "$WORK/old" "old$1"
	random_file "$1" "$WORK/new" "new$1"
	cp "$WORK/old" "$ORIGINROOT/f.bin"
	sent=$(origin_stat bytes)
	"${fetchfs[@]}" fetch --refresh "$uri" 2>"$LOGS/leader" &
	leader=$!
	children+=("$leader")
	wait_for 30 bytes_went_out "$sent" || fail "nothing comes"
	python3 - "$(at "$uri")" "$WORK/old" "$WORK/new" "$ORIGINROOT/f.bin" "$leader" <<-'END' || fail "mixed"
		import os, signal, sys
		name, old, new, origin, leader = sys.argv[1:]
		data = open(old, "rb").read()
		fd = os.open(name, os.O_RDONLY)
		assert os.fstat(fd).st_size == len(data) and os.pread(fd, 1000, 0) == data[:1000]
		os.rename(new, origin)
		os.kill(int(leader), signal.SIGKILL)
		try:
		    seen = os.pread(fd, 1000, 3000000)
		except OSError as e:
		    print("-", e.strerror)
		else:
		    raise AssertionError(f"{len(seen)} bytes of another version")
		assert os.pread(fd, 1000, 0) == data[:1000]
	END
	wait "$leader" 2>/dev/null || :
	settle_mount
	cmp "$(at "$uri")" "$ORIGINROOT/f.bin" || fail "who comes later gets something else"
}

say "by a small one, and by a large one"
replaced 100K
replaced 5M
stop_mount
