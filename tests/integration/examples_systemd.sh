#!/bin/bash
# docs/examples: the units, with a systemd of its own.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
. "$(dirname "$0")/../support/examples.sh"
need_root
need_fuse
need_program jq unshare
SYSTEMD=/lib/systemd/systemd
[ -x $SYSTEMD ] || skip "needs systemd"

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
artifacts model model.bin
units=$WORK/units
mkdir -p "$units"/{job,job-of-mount,fetchfs-box@}.service.d
for name in sysinit basic shutdown network-online; do
	printf '[Unit]\nDefaultDependencies=no\n' >"$units/$name.target"
done
jq -n --arg http "$HTTP" '[{value: "\($http)/model"}]' >"$WORK/job.json"

# unit NAME: that of docs/examples, by the names of this test
unit() {
	local host=${HTTP#http://} # a colon ends the path
	sed "s|/usr/bin/fetchfs|$WORK/bin/fetchfs|; s|/etc/fetchfs/%i|$WORK/%i|; s|/mnt/fetchfs|$MNT|
		s|/https/example.org/dist|/http/${host/:/\\\\:}|" "$EXAMPLES/$1" >"$units/$1"
	printf '[Service]\nEnvironment="FETCHFS_CACHE=%s" "ASAN_OPTIONS=%s"\nStandardOutput=append:%s\nStandardError=append:%s\n' \
		"$CACHE" "$ASAN_OPTIONS" "$LOGS/${1%.service}" "$LOGS/${1%.service}" >"$units/$1.d/test.conf"
}
for name in job.service job-of-mount.service fetchfs-box@.service; do unit $name; done

# boots UNIT UNTIL…: a machine that starts it, to be switched off when the command UNTIL succeeds.
boots() {
	local first=$1 machine came=true
	shift
	# shellcheck disable=SC2016 # for the other shell
	unshare --mount --uts --ipc sh -euc '
		mount -t cgroup2 none /sys/fs/cgroup
		mkdir "/sys/fs/cgroup/$1"
		echo $$ >"/sys/fs/cgroup/$1/cgroup.procs"
		shift
		exec unshare --cgroup --pid --fork --kill-child --mount-proc "$@"' sh "$group" sh -euc '
		mount -t tmpfs tmpfs /run
		umount /sys/fs/cgroup
		mount -t cgroup2 none /sys/fs/cgroup
		exec env -i container=test PATH="$PATH" SYSTEMD_UNIT_PATH="$1" "$2" --system --unit="$3" \
			--show-status=no' sh "$units" $SYSTEMD "$first" </dev/null >"$LOGS/systemd" 2>&1 &
	machine=$!
	children+=("$machine")
	wait_for 60 "$@" || came=false
	kill -KILL $machine
	wait $machine 2>/dev/null || :
	wait_for 20 remove_group || fail "its control groups stay"
	$came || fail "$first: it does not come to its end"
}

# The machine's own control groups. (The mount is this namespace's.)
group=fetchfs-test.$$
mkdir "$WORK/groups"
mount -t cgroup2 none "$WORK/groups"
remove_group() {
	[ ! -d "$WORK/groups/$group" ] || find "$WORK/groups/$group" -depth -type d -exec rmdir {} +
}
say "what was prepared is there while the job runs, and goes after it"
over() {
	grep -q ' /run/artifacts/model$' "$LOGS/job" && [ "$(leases)" -eq 0 ]
}
boots job.service over
grep -q "^$(sha256 "$WWW/model") " "$LOGS/job" || fail "said: $(<"$LOGS/job")"
[ "$(requests GET /model)" -eq 1 ] || fail "it was not fetched"

say "what cannot be had keeps the job from starting"
: >"$LOGS/job"
echo "[{\"value\": \"$HTTP/status/404\"}]" >"$WORK/job.json"
boots job.service grep -q 'status/404' "$LOGS/fetchfs-box@"
[ ! -s "$LOGS/job" ] || fail "it ran: $(<"$LOGS/job")"
leases_are 0

say "of the mount"
start_mount
boots job-of-mount.service grep -q ' /run/artifacts/model.bin$' "$LOGS/job-of-mount"
grep -q "^$(sha256 "$WWW/model.bin") " "$LOGS/job-of-mount" || fail "said: $(<"$LOGS/job-of-mount")"
stop_mount
no_debris
