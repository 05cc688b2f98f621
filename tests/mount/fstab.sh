#!/bin/bash
# mount(8) and a service manager start it: mount.fetchfs, lines of fstab, sd_notify.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq python3 findmnt
start_origin
random_file 100K "$ORIGINROOT/a.bin" a
random_file 100K "$ORIGINROOT/b.bin" b

# mount(8) calls helpers of this folder only: here, one that is seen by nobody else.
sbin=$(readlink -f /sbin)
mkdir "$WORK/sbin"
mount -t tmpfs tmpfs "$WORK/sbin"
mounts+=("$WORK/sbin")
mkdir "$WORK/sbin/upper" "$WORK/sbin/work"
mount -t overlay -o "lowerdir=$sbin,upperdir=$WORK/sbin/upper,workdir=$WORK/sbin/work" overlay "$sbin" ||
	exit 77 # nor everywhere
mounts+=("$sbin")
for name in mount.fetchfs mount.fuse.fetchfs; do
	ln -s "$FETCHFS" "$sbin/$name"
done

# served CACHE: the mount is there, has the bytes, and goes.
served() {
	local pid
	mounts+=("$MNT")
	pid=$(jq .pid "$MNT/.fetchfs/status") || fail "it does not answer"
	children+=("$pid")
	[ "$(jq -r .cache "$MNT/.fetchfs/status")" = "$1" ] || fail "another cache: $(jq .cache "$MNT/.fetchfs/status")"
	cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/a.bin")" || fail "bytes differ"
	"$FETCHFS" unmount "$MNT" || fail "unmount"
	wait_for 10 gone "$pid" || fail "the daemon is still there"
}

say "mount -t fetchfs and mount -t fuse.fetchfs"
for type in fetchfs fuse.fetchfs; do
	timeout 60 mount -t "$type" -o "cache=$CACHE,config=$CONFIG,noatime,nofail,x-systemd.automount" fetchfs "$MNT"
	findmnt -no FSTYPE "$MNT" | grep -q fuse || fail "$(findmnt "$MNT")"
	findmnt -no OPTIONS "$MNT" | grep -qw ro || fail "not read-only"
	served "$CACHE"
done

for type in fetchfs fuse.fetchfs; do
	say "a line of fstab of type $type; its first field is the cache, and umount takes it down"
	cat >"$WORK/fstab" <<-END
		$CACHE $MNT $type config=$CONFIG,defaults,_netdev,known 0 0
	END
	timeout 60 mount --fstab "$WORK/fstab" "$MNT"
	mounts+=("$MNT")
	pid=$(jq .pid "$MNT/.fetchfs/status")
	children+=("$pid")
	[ "$(jq -r .cache "$MNT/.fetchfs/status")" = "$CACHE" ] || fail "another cache"
	expect_errno ENOENT "$MNT/${ORIGIN/:\//}/b.bin"
	[ "$(origin_requests '[A-Z]*' /b.bin)" -eq 0 ] || fail "known is not passed on"
	timeout 60 mount --fstab "$WORK/fstab" --all || fail "mount --all"
	[ "$(grep -c " $MNT " /proc/self/mountinfo)" -eq 1 ] || fail "what is mounted is mounted again"
	umount "$MNT"
	wait_for 10 gone "$pid" || fail "the daemon outlives umount"
done

say "what fails, fails as mount(8) has it"
expect_failure 32 "not a folder" mount -t fetchfs fetchfs "$CONFIG"
expect_failure 32 "nonsense" mount -t fetchfs -o nonsense fetchfs "$MNT"
expect_failure 1 "usage: " mount.fetchfs fetchfs
expect_failure 1 "no comma" mount.fetchfs /a,b "$MNT"
expect_failure 1 "invalid option" mount.fetchfs -y fetchfs "$MNT"
timeout 60 mount --fake -t fetchfs -o "cache=$WORK/none" fetchfs "$MNT"
! mountpoint -q "$MNT" || fail "--fake mounts"
[ ! -e "$WORK/none" ] || fail "--fake makes a cache"

# A service manager's end of $NOTIFY_SOCKET: what it hears, a line each.
cat >"$WORK/manager.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\0", 1))
s.settimeout(60)
print("listens", flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
END

# manager SOCKET
manager() {
	: >"$WORK/heard"
	python3 "$WORK/manager.py" "$1" >>"$WORK/heard" &
	manager=$!
	children+=("$manager")
	wait_for 10 grep -q listens "$WORK/heard" || fail "the manager does not listen"
}

for socket in "$WORK/notify" "@fetchfs-test-$$"; do
	say "a service manager hears when it is ready, and when it ends: $socket"
	manager "$socket"
	NOTIFY_SOCKET=$socket start_mount
	wait_for 10 grep -qx READY=1 "$WORK/heard" || fail "heard: $(<"$WORK/heard")"
	! grep -q STOPPING "$WORK/heard" || fail "it stops"
	stop_mount
	wait_for 10 grep -qx STOPPING=1 "$WORK/heard" || fail "heard: $(<"$WORK/heard")"
	say "when it is told to end, too"
	: >"$WORK/heard"
	NOTIFY_SOCKET=$socket start_mount
	wait_for 10 grep -qx READY=1 "$WORK/heard" || fail "heard: $(<"$WORK/heard")"
	kill -TERM "$MOUNT_PID"
	wait_for 10 grep -qx STOPPING=1 "$WORK/heard" || fail "heard: $(<"$WORK/heard")"
	wait_for 30 gone "$MOUNT_PID" || fail "the daemon does not end"
	kill "$manager"
done

say "where nobody listens there is a warning, and the mount"
for socket in nonsense "$WORK/gone" vsock:2:1234; do
	NOTIFY_SOCKET=$socket start_mount
	grep -q "NOTIFY_SOCKET" "$LOGS/mount" || fail "no warning: $(<"$LOGS/mount")"
	stop_mount
	: >"$LOGS/mount"
done
