#!/bin/bash
# Reads far into a cold file of 1 GiB, at 10 MB/s and 50 ms away: programs that need a few pages
# of it get them before the rest. What is bounded is what the origin had sent when they ended.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program unzip

rate=10000000
# One connection for who jumps; the rest of the file comes by one, at that rate.
printf '[fetch]\nper_host = 2\n' >"$CONFIG"
start_origin --latency 50
# with something to compare in each MiB; a zip of 1,000 members; a tar of 32 large ones
python3 - "$ORIGINROOT" <<'END'
import random, sys, tarfile, zipfile
root, chance = sys.argv[1], random.Random(1)
with open(root + "/a.bin", "wb") as f:
    f.truncate(1 << 30)
    for i in range(1024):
        f.seek(i << 20)
        f.write(chance.randbytes(4096))
with open(root + "/a.zip", "wb") as f:
    f.truncate(1 << 30)
with zipfile.ZipFile(root + "/a.zip", "a") as z:
    for i in range(1000):
        z.writestr(f"folder/{i}.txt", b"x" * 100)
with open(root + "/a.tar", "wb") as f:
    for i in range(32):
        member = tarfile.TarInfo(f"member{i}")
        member.size = 32 << 20
        f.write(member.tobuf())
        f.seek(member.size, 1)
    f.write(b"\0" * 10240)
END

# Fifty pages here and there of a mapped file: the kernel asks for half a MiB before and after each.
cat >"$WORK/pages.py" <<'END'
import hashlib, mmap, os, random, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
pages = mmap.mmap(fd, os.fstat(fd).st_size, prot=mmap.PROT_READ)
chance, sha = random.Random(2), hashlib.sha256()
for _ in range(50):
    at = chance.randrange(1024) << 20
    sha.update(pages[at:at + 4096])
print(sha.hexdigest())
END

# Sixteen readers at sixteen places, all at once.
cat >"$WORK/sixteen.py" <<'END'
import hashlib, os, sys, threading
size, pages = os.stat(sys.argv[1]).st_size, [b""] * 16
def read(i):
    with open(sys.argv[1], "rb", 0) as f:
        pages[i] = os.pread(f.fileno(), 4096, i * size // 16)
threads = [threading.Thread(target=read, args=(i,)) for i in range(16)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(hashlib.sha256(b"".join(pages)).hexdigest())
END

tree() {
	printf '%s/http/%s' "$MNT" "${1#http://}"
}

# read_cold WAY FILE COMMAND: "$1" in COMMAND is the artifact, by its name at or in the tree.
# It prints what it prints of the origin's own file. Sets $took (microseconds) and $sent (bytes).
read_cold() {
	local began file=$ORIGINROOT/$2
	bash -c "$3" - "$file" >"$WORK/right"
	file=$("$1" "$ORIGIN/rate/$rate/$2")
	start_mount
	began=${EPOCHREALTIME/[.,]/}
	timeout 60 bash -c "$3" - "$file" >"$WORK/out" || fail "$3: status $?"
	kill -KILL "$MOUNT_PID"
	took=$((${EPOCHREALTIME/[.,]/} - began))
	{ wait "$MOUNT_PID" || :; } 2>/dev/null
	cmp "$WORK/right" "$WORK/out" || fail "$3: something else"

	umount -l "$MNT"
	settle_origin
	sent=$(origin_sent ".*")
	say "$3: $((took / 1000)) ms, $((sent / 1024)) KiB"
	: >"$ORIGIN_LOG"
	rm -r "$CACHE"
}

# far WAY FILE LIMIT COMMAND: LIMIT is in MiB; the rest of the download, which goes on in the
# meantime, comes on top of it.
far() {
	local most
	read_cold "$1" "$2" "$4"
	[ $took -lt 40000000 ] || fail "it waited for what it did not read"
	most=$(($3 * (1 << 20) + took * rate / 1000000))
	[ "$sent" -le $most ] || fail "$sent bytes were sent, at most $most should be"
}

# promptly WAY FILE COMMAND: in half a second, with 4 MiB; a busy machine has more than one try.
promptly() {
	local try
	for try in {1..6}; do
		read_cold "$@"
		[ $took -gt 500000 ] || [ "$sent" -gt $((4 << 20)) ] || return 0
	done
	fail "not once of $try tries in time"
}

# shellcheck disable=SC2016 # $1 is bash -c's
{
	promptly at a.bin 'dd if="$1" bs=4096 skip=230400 count=1 status=none'
	promptly at a.zip 'unzip -l "$1" | tail -n +2'
	far tree a.bin 2 'dd if="$1" bs=4096 skip=230400 count=1 status=none'
	far at a.bin 2 'head -c 5000 "$1"'
	far tree a.bin 2 'tail -c 5000 "$1"'
	far tree a.zip 3 'unzip -p "$1" folder/500.txt'
	far at a.tar 24 'tar -tf "$1"'
	far at a.bin 80 "python3 $WORK/pages.py \"\$1\""
	far at a.bin 16 "python3 $WORK/sixteen.py \"\$1\""
}
