#!/bin/bash
# Reads while the download runs.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
start_origin
random_file 8M "$ORIGINROOT/a.bin" a
random_file 3M "$ORIGINROOT/b.bin" b
random_file 2M "$ORIGINROOT/c.bin" c
start_mount
asked() {
	grep -Ec "^$1 $2 " "$ORIGIN_LOG" || :
}
state() {
	getfattr --absolute-names --only-values -n user.fetchfs.state "$1"
}
state_is() {
	[ "$(state "$1")" = "$2" ]
}

say "the first bytes are there before the last, and the inode number stays"
file="$(at "$ORIGIN/rate/2000000/a.bin")"
exec 3<"$file"
cmp <(head -c 1000 "$ORIGINROOT/a.bin") <(head -c 1000 <&3) || fail "the first bytes"
state_is "$file" in-flight || fail "$(state "$file"): the first bytes came with the last"
inode=$(stat -c %i "$file")
[ "$(stat -c %s "$file")" -eq 8388608 ] || fail "size in flight: $(stat -c %s "$file")"
[ "$(stat -L -c %s /dev/fd/3)" -eq 8388608 ] || fail "fstat in flight"
cmp "$ORIGINROOT/a.bin" "$file" || fail "a growing file"
wait_for 30 state_is "$file" complete || fail "not complete: $(state "$file")"
[ "$(stat -c %i "$file")" = "$inode" ] || fail "another inode number when complete"
cmp "$ORIGINROOT/a.bin" "$file" || fail "complete"
exec 3<&-

say "a size that nobody tells: open waits, and the size is right"
file="$(at "$ORIGIN/chunked/b.bin")"
cmp "$ORIGINROOT/b.bin" "$file" || fail "chunked"
[ "$(stat -c %s "$file")" -eq 3145728 ] || fail "size: $(stat -c %s "$file")"
file="$(at "$ORIGIN/chunked/c.bin")"
python3 - "$file" "$ORIGINROOT/c.bin" <<'END' || fail "chunked, by mmap"
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size
data = mmap.mmap(fd, size, prot=mmap.PROT_READ)[:]
sys.exit(data != open(sys.argv[2], "rb").read())
END

say "32 readers of one cold file: one download"
file="$(at "$ORIGIN/rate/4000000/b.bin")"
readers=()
for _ in {1..32}; do
	cmp "$ORIGINROOT/b.bin" "$file" &
	readers+=($!)
done
for pid in "${readers[@]}"; do
	wait "$pid" || fail "a reader got other bytes"
done
wait_for 20 state_is "$file" complete || fail "not complete: $(state "$file")"
[ "$(asked GET '/rate/4000000/b.bin -')" -eq 1 ] ||
	fail "$(asked GET '/rate/4000000/b.bin -') downloads of the whole"

say "the end first: no wait for what lies between"
took=$(milliseconds cmp <(tail -c 1 "$ORIGINROOT/a.bin") \
	<(tail -c 1 "$(at "$ORIGIN/rate/1000000/a.bin")"))
[ "$took" -lt 4000 ] || fail "tail took $took ms"

say "a body that ends too soon is an error, not a short file"
expect_errno EIO "$(at "$ORIGIN/short/0/c.bin")"
stop_mount
