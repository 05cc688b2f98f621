#!/bin/bash
# Answers to the kernel that are under way for long: one without a size, which comes late, makes the
# kernel ignore the one to its question for the size. A reader must not take that for the end.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program python3

start_origin
printf '[policy]\nprivate = allow\n' >"$CONFIG"
random_file 300K "$ORIGINROOT/a.bin"

! FETCHFS_FAULT=nonsense:0 fetchfs --version >/dev/null 2>&1 || skip "no fault points in this build"

# Another mount of the cache, by which the size becomes known.
mkdir "$WORK/other"
mounts+=("$WORK/other")
"${fetchfs[@]}" mount -f "$WORK/other" >"$LOGS/other" 2>&1 &
children+=($!)
wait_for 30 test -e "$WORK/other/.fetchfs/status" || fail "the other mount does not answer"

# The second lookup, of which nothing is known yet, comes after two seconds; the third, which knows the
# size, after four, and so does the first answer about it.
FETCHFS_FAULT=reply.entry:2:2000ms,reply.entry:3:4000ms,reply.attr:1:4000ms start_mount

python3 - "$(at "$ORIGIN/a.bin")" "$ORIGINROOT/a.bin" "$WORK/other/http/${ORIGIN#http://}/a.bin" <<-'END' || fail "the reader got less"
	import os, sys, threading, time
	path, right, other = sys.argv[1:]
	started = time.monotonic()
	def look():
	    os.close(os.open(path, os.O_PATH))
	# nothing is known
	held = os.open(path, os.O_PATH)
	second = threading.Thread(target=look)
	second.start()
	time.sleep(0.5) # the order of two answers is what this is about
	os.close(os.open(other, os.O_PATH))
	third = threading.Thread(target=look)
	third.start()
	time.sleep(0.3)
	reader = os.open(f"/proc/self/fd/{held}", os.O_RDONLY)
	got = b""
	while part := os.read(reader, 1 << 20):
	    got += part
	second.join()
	third.join()
	if got != open(right, "rb").read():
	    sys.exit(f"{len(got)} bytes after {time.monotonic() - started:.1f} s")
END
stop_mount
