#!/bin/bash
# lazy = ranges: what is read is fetched, and nothing else, until somebody needs it all.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

SIZE=$((256 << 20))
printf '[fetch]\nlazy = ranges\n' >"$CONFIG"
start_origin
random_file $SIZE "$ORIGINROOT/big.bin"
random_file 5000 "$ORIGINROOT/small.bin"
random_file 2M "$ORIGINROOT/holes.bin"
cp "$ORIGINROOT/holes.bin" "$ORIGINROOT/holes2.bin"
cp "$ORIGINROOT/big.bin" "$ORIGINROOT/other.bin"
start_mount

# piece FILE OFFSET LENGTH: what is there
piece() {
	python3 - "$@" <<-'END'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		sys.stdout.buffer.write(os.pread(fd, int(sys.argv[3]), int(sys.argv[2])))
	END
}

# same NAME OFFSET LENGTH: the mount has the bytes that the origin has
same() {
	cmp <(piece "$(at "$ORIGIN/$1")" "$2" "$3") <(piece "$ORIGINROOT/$1" "$2" "$3") ||
		fail "$1: other bytes at $2"
}

used() {
	jq .used "$MNT/.fetchfs/status"
}

say "a few bytes here and there cost little, on the wire and on disk"
same big.bin $((200 << 20)) 4096
same big.bin $((100 << 20)) 4096
same big.bin 0 4096
quiet_origin
[ "$(origin_sent '.*')" -le $((6 << 20)) ] || fail "$(origin_sent '.*') bytes were sent for three pages"
[ "$(used)" -le $((12 << 20)) ] || fail "the cache uses $(used) bytes"
[ "$(origin_requests GET ".*")" -le 8 ] || fail "too many requests"

say "what is here is not fetched again; a second process reads along"
before=$(origin_sent '.*')
same big.bin $((200 << 20)) 4096
{ fetchfs cat "$ORIGIN/big.bin" || :; } 2>/dev/null | head -c 4096 >"$WORK/head"
cmp -n 4096 "$WORK/head" "$ORIGINROOT/big.bin" || fail "another process reads other bytes"
quiet_origin
[ $(($(origin_sent '.*') - before)) -le $((4 << 20)) ] || fail "what was here was fetched again"

say "one after the other, reads get longer requests"
dd if="$(at "$ORIGIN/other.bin")" of="$WORK/head" bs=128k count=256 status=none
cmp -n $((32 << 20)) "$WORK/head" "$ORIGINROOT/other.bin" || fail "other bytes at the beginning"
quiet_origin
reads=$(grep -c "^GET /other.bin" "$ORIGIN_LOG")
say "32 MiB in a row: $reads requests"
[ "$reads" -le 24 ] || fail "$reads requests for 32 MiB in a row"

say "what is not here is no hole: SEEK_HOLE, tar -S, cp --sparse"
holes=$(
	python3 - "$(at "$ORIGIN/holes.bin")" <<-'END'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 0, os.SEEK_HOLE))
	END
)
[ "$holes" = "0 $((2 << 20))" ] || fail "data and hole at: $holes"
tar -C "$MNT/http/${ORIGIN#http://}" -Scf "$WORK/tar" holes.bin
tar -xOf "$WORK/tar" | cmp - "$ORIGINROOT/holes.bin" || fail "tar -S"
cp --sparse=always "$(at "$ORIGIN/holes2.bin")" "$WORK/copy"
cmp "$WORK/copy" "$ORIGINROOT/holes2.bin" || fail "cp --sparse"

say "a small file comes whole"
cmp "$(at "$ORIGIN/small.bin")" "$ORIGINROOT/small.bin" || fail "small.bin differs"

say "who needs it all gets it, and nothing comes twice"
fetchfs fetch "$ORIGIN/big.bin"
cmp "$(at "$ORIGIN/big.bin")" "$ORIGINROOT/big.bin" || fail "big.bin differs"
quiet_origin
sent=$(awk '$2 == "/big.bin" { sum += $5 } END { print sum }' "$ORIGIN_LOG")
say "$sent bytes for $SIZE"
[ "$sent" -le $((SIZE * 102 / 100)) ] || fail "too many bytes"

say "a killed daemon's parts are used by the next"
same other.bin $((150 << 20)) 4096
kill -9 "$MOUNT_PID"
wait_for 10 gone "$MOUNT_PID"
umount -l "$MNT"
start_mount
before=$(origin_sent '.*')
same other.bin $((150 << 20)) 4096
quiet_origin
[ "$(origin_sent '.*')" -eq "$before" ] || fail "fetched again: $(($(origin_sent '.*') - before)) bytes"

say "an artifact that changes is never mixed with the old one"
exec 9<"$(at "$ORIGIN/other.bin")"
head -c 4096 <&9 | cmp - <(head -c 4096 "$ORIGINROOT/other.bin") || fail "other.bin differs"
random_file $SIZE "$ORIGINROOT/new" new
mv "$ORIGINROOT/new" "$ORIGINROOT/other.bin"
got=$(python3 -c '
import errno, os
try:
    os.pread(9, 4096, 250 << 20)
    print("success")
except OSError as e:
    print(errno.errorcode[e.errno])
')
[ "$got" = ESTALE ] || fail "reading on from the old version: $got"
exec 9<&-
same other.bin $((250 << 20)) 4096

say "an origin whose HEAD tells of another version, or whose parts are nonsense: the whole comes"
random_file 3M "$ORIGINROOT/odd.bin" odd
# (some more of the first: the failure of its part may come as soon as the version is known)
for i in {1..8}; do
	ln "$ORIGINROOT/odd.bin" "$ORIGINROOT/odd$i.bin"
done
for path in otherhead/odd{,1,2,3,4,5,6,7,8}.bin wrongrange/odd.bin \
	header/Accept-Ranges/bytes/noranges/odd.bin; do
	cmp <(piece "$(at "$ORIGIN/$path")" $((2 << 20)) 4096) <(piece "$ORIGINROOT/odd.bin" $((2 << 20)) 4096) ||
		fail "$path: other bytes"
	settle_mount
	quiet_origin
	[ "$(origin_requests GET "/$path")" -le 5 ] || fail "$path: $(origin_requests GET "/$path") requests"
done
stop_mount
