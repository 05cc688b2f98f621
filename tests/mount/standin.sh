#!/bin/bash
# An old version may stand in for one that cannot be had, but not in the middle of it: who has begun
# with the new version gets an error for the rest.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program python3

start_origin
random_file 400009 "$WORK/old" old
random_file 400009 "$WORK/new" new
uri=$ORIGIN/rate/1000000/short/150000/f.bin

cp "$WORK/old" "$ORIGINROOT/f.bin"
touch -d @1000000000 "$ORIGINROOT/f.bin"
printf '[fetch]\nttl = 0\n' >"$CONFIG"
fetchfs fetch "$uri" || fail "three parts do not make a whole"

cp "$WORK/new" "$ORIGINROOT/f.bin"
touch -d @1000000100 "$ORIGINROOT/f.bin"
printf '[fetch]\nttl = 0\nretries = 0\n' >"$CONFIG"
start_mount
python3 - "$(at "$uri")" "$WORK/old" "$WORK/new" <<'END' || fail "the versions are mixed"
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
old, new = (open(name, "rb").read() for name in sys.argv[2:])
assert os.fstat(fd).st_size == len(new)
assert os.pread(fd, 1000, 0) == new[:1000], "it does not begin with the new version"
for offset in (399000, 200000, 100000, 0):
    try:
        data = os.pread(fd, 1000, offset)
    except OSError as e:
        print(f"- {offset}: {e.strerror}")
    else:
        assert data == new[offset:offset + 1000], offset
        assert offset < 150000, "from where?"
END
! grep -q " stale     $uri: " "$MNT/.fetchfs/log" || fail "log: $(<"$MNT/.fetchfs/log")"

say "whoever comes later goes on where it broke off"
whole() {
	fetchfs fetch --refresh "$uri"
}
wait_for 30 whole || fail "it is never whole"
cmp "$(at "$uri")" "$WORK/new" || fail "not the new version"
stop_mount
