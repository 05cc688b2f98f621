#!/bin/bash
# The disk of the cache becomes full in the middle of a download: ENOSPC and who has the space, soon
# and without asking for more than there is room; and everything works once there is some again.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program curl jq

start_origin
random_file 40M "$ORIGINROOT/big.bin" big
random_file 6M "$ORIGINROOT/a.bin" a
random_file 1000 "$ORIGINROOT/small.bin" small
mkdir "$CACHE"
mount -t tmpfs -o size=24m,mode=700 fetchfs-test "$CACHE" || skip "needs to mount a tmpfs"
mounts+=("$CACHE")
cat >"$CONFIG" <<-END
	[cache]
	size = 24M
	min_free = 0
	[fetch]
	stall = 5s
	retries = 2
	negative_ttl = 0s
END

# What others put on the same disk, until there is nothing left.
fill_disk() {
	dd if=/dev/zero of="$CACHE/others" bs=64K 2>"$WORK/dd" || :
	grep -q 'No space left' "$WORK/dd" || fail "the disk is not full: $(<"$WORK/dd")"
}

# asked PATH GETS BYTES: so often, and no more bytes than that were sent
asked() {
	quiet_origin
	[ "$(origin_requests GET "$1")" -eq "$2" ] || fail "$1: $(origin_requests GET "$1") GETs"
	[ "$(origin_sent "$1")" -le "$3" ] || fail "$1: $(origin_sent "$1") bytes"
	no_debris
}

bytes_went_out() {
	[ "$(origin_stat bytes)" -ge "$1" ]
}

say "a cache does not outgrow its disk"
printf '[cache]\nsize = 1G\nmin_free = 4M\n' >"$WORK/large.conf"
[ "$("$FETCHFS" --cache "$CACHE" --config "$WORK/large.conf" status --json 2>"$WORK/err" | jq .limit)" \
	-eq $((20 << 20)) ] || fail "another limit"
grep -q '^fetchfs: warning: size = 1.0 GiB of \[cache\]: .*20.0 MiB' "$WORK/err" || fail "said: $(<"$WORK/err")"

say "larger than the disk: told before the body, or when there is no room for more of it"
expect_failure 1 '^fetchfs: fetch [^ ]+: larger than the cache: 40.0 MiB needed' "${fetchfs[@]}" fetch "$ORIGIN/big.bin"
asked /big.bin 1 $((16 << 20)) # (what the sockets take before the answer is looked at)
expect_failure 1 '^fetchfs: fetch [^ ]+: (larger than the cache|cache full|disk full): .* needed' "${fetchfs[@]}" fetch "$ORIGIN/chunked/big.bin"
asked /chunked/big.bin 1 $((32 << 20))

say "others fill it in the middle: what has room is not lost, what needs more fails"
path=/chunked/rate/600000/a.bin
before=$(origin_stat bytes)
"${fetchfs[@]}" fetch "$ORIGIN$path" 2>"$WORK/err" &
pid=$!
children+=("$pid")
wait_for 20 bytes_went_out $((before + 2000000)) || fail "no bytes: $(<"$WORK/err")"
fill_disk
status=0
wait $pid || status=$?
[ $status -eq 1 ] || fail "status $status"
grep -Eq '^fetchfs: fetch [^ ]+: (disk full|.*[Nn]o space|.*disk is full)' "$WORK/err" || fail "said: $(<"$WORK/err")"
asked $path 1 $((6 << 20))

say "a full disk is told as such"
fill_disk
expect_failure 1 '[Nn]o space left|disk full|disk is full' "${fetchfs[@]}" fetch "$ORIGIN/small.bin"
rm "$CACHE/others"
fetchfs fetch "$ORIGIN/small.bin" "$ORIGIN$path"
fetchfs cat "$ORIGIN$path" | cmp - "$ORIGINROOT/a.bin" || fail "other bytes"
no_debris

say "a reader at the mount gets ENOSPC, and the file once there is room"
start_mount
path=/chunked/rate/700000/a.bin
fetchfs evict --all >/dev/null
before=$(origin_stat bytes)
python3 - "$(at "$ORIGIN$path")" >"$WORK/got" <<-'END' &
	import errno, os, sys
	try:
	    fd = os.open(sys.argv[1], os.O_RDONLY)
	    while os.read(fd, 65536):
	        pass
	    print("success")
	except OSError as e:
	    print(errno.errorcode[e.errno])
END
pid=$!
children+=("$pid")
wait_for 20 bytes_went_out $((before + 2000000)) || fail "no bytes: $(<"$WORK/err")"
fill_disk
wait $pid
[ "$(<"$WORK/got")" = ENOSPC ] || fail "the reader got $(<"$WORK/got")"
rm "$CACHE/others"
cmp "$(at "$ORIGIN$path")" "$ORIGINROOT/a.bin" || fail "other bytes"
settle_mount
stop_mount
no_debris

say "what one has been promised is not for another, though it has not been written"
fetchfs -q evict --all
mount -o remount,size=64m "$CACHE"
fallocate -l 40M "$CACHE/others"
sed -i 's/min_free = 0/min_free = 14M/; s/size = 24M/size = 50M/' "$CONFIG"
# (where room can only be had by writing)
path=/rate/700000/a.bin
before=$(origin_stat bytes)
FETCHFS_FAULT=partial.allocate:1:EOPNOTSUPP "${fetchfs[@]}" fetch "$ORIGIN$path" 2>"$WORK/err" &
pid=$!
children+=("$pid")
wait_for 20 bytes_went_out $((before + 1000000)) || fail "no bytes: $(<"$WORK/err")"
expect_failure 1 'disk full: .*must stay free' "${fetchfs[@]}" fetch "$ORIGIN/chunked/a.bin"
expect_failure 1 'disk full: .*must stay free' "${fetchfs[@]}" fetch "$ORIGIN/a.bin"
wait $pid || fail "what had its room: $(<"$WORK/err")"
[ $(($(stat -f -c '%a * %S' "$CACHE"))) -ge $((14 << 20)) ] || fail "less is free than there must be"
no_debris
