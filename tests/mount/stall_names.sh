#!/bin/bash
# An origin that does not say what a name is hangs who asks about that name, and nobody else.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq python3
TRACE=$LOGS/trace
start_origin --trace "$TRACE"
mkdir -p "$ORIGINROOT/sub"
random_file 100K "$ORIGINROOT/b.bin" b
random_file 100K "$ORIGINROOT/hang" h
printf '[policy]\nprivate = allow\n[fetch]\nfirst_byte = 60s\n' >"$CONFIG"
start_mount
host=$MNT/http/${ORIGIN#http://}
cmp "$ORIGINROOT/b.bin" "$host/b.bin" || fail "b.bin"
folder=$host/latency/0
cmp "$ORIGINROOT/b.bin" "$folder/b.bin" || fail "latency/0/b.bin"

# hang_in_background COMMAND…: $HANGING is its pid; it is known to hang once its origin was asked.
hanging=()
hang_in_background() {
	"$@" >/dev/null 2>&1 &
	HANGING=$!
	children+=("$HANGING")
	hanging+=("$HANGING")
}
# So many different names that hang have reached the origin.
asked_are() {
	[ "$(cut -f3 "$TRACE" | grep /hang | sort -u | wc -l)" -eq "$1" ]
}

say "stat, open, access and cd of a name whose HEAD hangs, and lookups in one folder with them"
hang_in_background stat "$folder/hang"
for i in {1..8}; do
	hang_in_background stat "$folder/hang/a$i"
	hang_in_background cat "$folder/hang/b$i"
	hang_in_background env --chdir="$folder/hang/c$i" true
	hang_in_background python3 -c 'import os, sys; os.access(sys.argv[1], os.R_OK)' "$folder/hang/d$i"
done
wait_for 30 asked_are 33 || fail "asked: $(<"$TRACE")"

say "all that is known answers, in the same folder, too"
quick 600 ls -l "$folder"
quick 600 find "$host"
quick 600 cat "$host/b.bin"
quick 600 stat "$folder/b.bin"
quick 600 stat "$MNT"
quick 600 df "$MNT"
quick 600 cat "$MNT/.fetchfs/status"

say "names with a suffix get EAGAIN, in time, however many; those next to them their answer"
for i in {1..4}; do hang_in_background stat "$folder/hang/e$i.tgz"; done
cat >"$WORK/again.py" <<'END'
import errno, os, sys, time
slow = 0
for path in sys.argv[1:]:
    began = time.monotonic()
    try:
        os.stat(path)
        sys.exit("it is there")
    except OSError as e:
        took = time.monotonic() - began
        print("- %s after %.3f s" % (errno.errorcode[e.errno], took))
        if e.errno != errno.EAGAIN or not 0.4 < took < 3:
            sys.exit(1)
        slow += took > 0.6
sys.exit(slow > 2)
END
timeout 60 python3 "$WORK/again.py" "$folder"/hang/f{1..5}.tgz || fail "no EAGAIN in time"
quick 600 stat "$folder/noranges/b.bin"
quick 600 stat "$folder/b.bin?{}"
quick 600 cat "$folder/chunked/b.bin"
! gone "${hanging[0]}" || fail "nothing hangs any more"

say "who hangs can be killed, or interrupted"
for pid in "${hanging[@]}"; do
	kill -KILL "$pid" 2>/dev/null || :
done
for pid in "${hanging[@]}"; do
	wait_for 10 gone "$pid" || fail "$pid cannot be killed"
	wait "$pid" 2>/dev/null || :
done
hang_in_background stat "$folder/hang/g"
wait_for 30 grep -q /hang/g "$TRACE" || fail "not asked"
kill -TERM "$HANGING"
wait_for 10 gone "$HANGING" || fail "a stat cannot be interrupted"

say "the daemon ends while they hang"
hang_in_background stat "$folder/hang/h"
wait_for 30 grep -q /hang/h "$TRACE" || fail "not asked"
kill -TERM "$MOUNT_PID"
wait_for 20 gone "$MOUNT_PID" || fail "the daemon does not end"
wait_for 10 gone "$HANGING" || fail "it hangs on"
! grep -E 'ERROR: |runtime error:' "$LOGS/mount" || exit 1
