#!/bin/bash
# What is larger than the cache could ever hold is read through a window of it, and not kept.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program jq python3

size=$((100 << 20))
limit=$((48 << 20))
start_origin
random_file 100M "$ORIGINROOT/large.bin"
printf '[cache]\nsize = 48M\nmin_free = 0\n[fetch]\nretries = 0\n' >"$CONFIG"
start_mount
large=$(at "$ORIGIN/large.bin")

within_limit() {
	[ "$(du -s -B1 --exclude=ballast "$CACHE" | cut -f1)" -le $limit ] || fail "$1: $(du -a "$CACHE")"
}

say "from the beginning to the end"
cmp "$large" "$ORIGINROOT/large.bin" || fail "other bytes"
within_limit "read once"
[ "$(stat -c %s "$large")" -eq $size ] || fail "size: $(stat "$large")"

say "here and there, by several at once, also through another process"
python3 - "$large" "$ORIGINROOT/large.bin" <<-'END' || fail "other bytes"
	import os, random, sys, threading
	is_, should = (os.open(name, os.O_RDONLY) for name in sys.argv[1:])
	size = os.fstat(should).st_size
	wrong = []
	def reader(seed):
	    chance = random.Random(seed)
	    for _ in range(60):
	        at, length = chance.randrange(size), chance.choice([1, 4096, 70000, 300000])
	        os.posix_fadvise(is_, 0, 0, os.POSIX_FADV_DONTNEED)
	        if os.pread(is_, length, at) != os.pread(should, length, at):
	            wrong.append(at)
	threads = [threading.Thread(target=reader, args=(n,)) for n in range(4)]
	for thread in threads: thread.start()
	for thread in threads: thread.join()
	sys.exit(f"wrong at {wrong}" if wrong else 0)
END
within_limit "read here and there"

say "by several processes at once, of which one leads; it is killed, and another goes on"
printf '[cache]\nsize = 48M\nmin_free = 0\n[fetch]\nretries = 0\n' >"$CONFIG"
slow=$ORIGIN/rate/20000000/large.bin
readers=()
for name in one two three; do
	"${fetchfs[@]}" cat "$slow" >"$WORK/$name" 2>"$LOGS/$name" &
	readers+=($!)
	children+=($!)
done
leader() { jq -r '.transfers[] | select(.uri | endswith("/large.bin")) | .pid' "$MNT/.fetchfs/status"; }
led_by_reader() { [[ " ${readers[*]} " == *" $(leader) "* ]]; }
has_begun() { [ "$(stat -c %s "$WORK/one")" -gt 5000000 ]; }
wait_for 30 has_begun || fail "nothing comes: $(<"$LOGS/one")"
wait_for 30 led_by_reader || fail "who leads? $(<"$MNT/.fetchfs/status")"
killed=$(leader)
kill -KILL "$killed"
within_limit "while several read"
for i in 0 1 2; do
	status=0
	wait "${readers[i]}" || status=$?
	name=$(echo one two three | cut -d' ' -f$((i + 1)))
	[ "${readers[i]}" -eq "$killed" ] || [ $status -eq 0 ] || fail "status $status: $(<"$LOGS/$name")"
	[ "${readers[i]}" -eq "$killed" ] || cmp "$WORK/$name" "$ORIGINROOT/large.bin" || fail "$name: other bytes"
	rm "$WORK/$name"
done
within_limit "after several have read"

say "who needs all of it is told the limit at once, and nobody who reads is disturbed"
exec 9<"$large"
head -c 1000000 <&9 | cmp - <(head -c 1000000 "$ORIGINROOT/large.bin") || fail "the beginning"
for words in "fetch $ORIGIN/large.bin" "prepare --method copy $WORK/box $ORIGIN/large.bin" \
	"fetch --mount $MNT $ORIGIN/large.bin"; do
	mkdir -p "$WORK/box"
	# shellcheck disable=SC2086 # they are words
	expect_failure 1 'larger than the cache: 100.* MiB needed, limit 4[0-9.]+ MiB' \
		timeout 60 "${fetchfs[@]}" $words
done
cat <&9 | cmp - <(tail -c +1000001 "$ORIGINROOT/large.bin") || fail "the rest"
exec 9<&-

say "where there are no parts, it cannot be had"
expect_failure 1 'No space left' timeout 60 cat "$(at "$ORIGIN/noranges/large.bin")"
getfattr --only-values -n user.fetchfs.error "$(at "$ORIGIN/noranges/large.bin")" 2>/dev/null |
	grep -q 'larger than the cache' || fail "no reason"

say "killed in the middle, it begins again, and nothing is left over"
exec 9<"$large"
head -c 30000000 <&9 >"$WORK/part" || fail "the beginning"
kill -KILL "$MOUNT_PID"
exec 9<&-
wait "$MOUNT_PID" 2>/dev/null || :
umount -l "$MNT" 2>/dev/null || fusermount3 -uz "$MNT"
start_mount
within_limit "killed"
cmp "$large" "$ORIGINROOT/large.bin" || fail "other bytes after the kill"
within_limit "read again"
stop_mount

if [ "$(id -u)" -eq 0 ]; then
	say "likewise what is larger than one user may have"
	printf '[cache]\nsize = 400M\nper_user = 10%%\nmin_free = 0\n[policy]\nallow = %s/\n' "$ORIGIN" >"$CONFIG"
	start_mount -o allow_other
	setpriv --reuid=65534 --regid=65534 --clear-groups cat "$large" | cmp - "$ORIGINROOT/large.bin" ||
		fail "other bytes for a user"
	[ "$(du -s -B1 --exclude=ballast "$CACHE" | cut -f1)" -le $((40 << 20)) ] || fail "$(du -a "$CACHE")"
	cmp "$large" "$ORIGINROOT/large.bin" || fail "other bytes for root"
	settle_mount
	stop_mount
fi
fetchfs evict --all >/dev/null
fetchfs gc >/dev/null
[ "$(fetchfs status --json | jq .reserved)" -eq 0 ] || fail "reserved: $(fetchfs status --json)"
