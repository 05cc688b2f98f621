#!/bin/bash
# A user's daemon ends while it tells the kernel what has changed in folders that others look into:
# it cannot force the mount down as root's can, and the kernel waits for those lookups.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program setpriv python3
mknod -m 666 "$WORK/fuse" c 10 229
mount --bind "$WORK/fuse" /dev/fuse
user=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
start_origin
printf '[policy]\nprivate = allow\n[fetch]\nttl = 1h\n' >"$CONFIG"
CACHE=$WORK/own/cache
MNT=$WORK/own/mnt
install -d -m 711 -o 65534 -g 65534 "$WORK/own" "$MNT"
fetchfs=("${user[@]}" "$FETCHFS" --cache "$CACHE" --config "$CONFIG")
"${fetchfs[@]}" mount -f "$MNT" >>"$LOGS/mount" 2>&1 &
MOUNT_PID=$!
children+=("$MOUNT_PID")
mounts+=("$MNT")
wait_for 30 "${user[@]}" test -e "$MNT/.fetchfs/status" || fail "the mount does not answer"
# What the kernel waits for, nothing else ends.
mkdir "$WORK/connections"
mount -t fusectl none "$WORK/connections" || skip "needs fusectl"
mounts+=("$WORK/connections")
device=$("${user[@]}" stat -c %d "$MNT")
abort() {
	local file=$WORK/connections/$((device & 0xff | device >> 12 & 0xfff00))/abort
	! [ -e "$file" ] || echo 1 >"$file"
}

say "files that the kernel keeps, in a folder whose lookups are slow"
slow=$MNT/http/${ORIGIN#http://}/latency/400
files=() uris=()
for i in {1..6}; do
	random_file 10K "$ORIGINROOT/k$i.bin" "$i"
	files+=("$slow/k$i.bin")
	uris+=("$ORIGIN/latency/400/k$i.bin")
done
fetchfs fetch -q "${uris[@]}"
[ "$("${user[@]}" stat -c %b "${files[@]}" | sort -u)" = 20 ] || fail "not complete"

say "evicted while others look up names there, and in uri/"
# look FOLDER/PREFIX: one name after the other, until the mount is gone.
look() {
	"${user[@]}" timeout -s KILL 60 python3 - "$1" <<-'END' &
		import errno, itertools, os, sys
		for n in itertools.count():
		    try:
		        os.stat("%s%d.tgz" % (sys.argv[1], n))
		    except OSError as e:
		        if e.errno in (errno.ENOTCONN, errno.ECONNABORTED):
		            break
	END
	children+=($!)
	lookers+=($!)
}
lookers=()
for i in 1 2 3; do look "$slow/none$i-"; done
for i in 1 2; do look "$MNT/uri/http:%2F%2F127.0.0.1:1%2Fnone$i-"; done
wait_for 20 origin_stat_is running 3 || fail "nobody looks"
fetchfs evict "${uris[@]}"
is_telling() {
	cat "/proc/$MOUNT_PID/task"/*/wchan | grep -q fuse_reverse_inval_entry
}
wait_for 10 is_telling || fail "the kernel is told nothing"

say "the daemon ends, and all that it was asked"
kill -TERM "$MOUNT_PID"
wait_for 20 gone "$MOUNT_PID" || { abort; fail "the daemon does not end"; }
for pid in "${lookers[@]}"; do
	wait_for 20 gone "$pid" || { abort; fail "a lookup is not answered"; }
done
! grep -E 'ERROR: |runtime error:' "$LOGS/mount" || exit 1
