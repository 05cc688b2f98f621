#!/bin/bash
# fetchfs check: whether this machine is ready, and what to do about what is not.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/users.sh"
need_root
need_fuse
need_program jq

say "a machine that is ready, as far as a test can know"
fetchfs check >"$WORK/found" || fail "$(<"$WORK/found")"
for what in kernel fuse authorities cache room; do
	grep -Eq "^(ok|note) +$what " "$WORK/found" || fail "nothing of $what: $(<"$WORK/found")"
done
grep -Eq "^ok +cache +$CACHE$" "$WORK/found" || fail "another cache: $(<"$WORK/found")"
[ "$(fetchfs check --json | jq -r 'select(.what == "cache") | .finding')" = ok ] || fail "--json"

say "it says of passthrough what a mount says, and leaves nothing behind"
start_mount
on=$(jq .passthrough.on "$MNT/.fetchfs/status")
stop_mount
found=$(fetchfs check --json | jq -r 'select(.what == "passthrough") | .finding')
case $on:$found in true:ok | false:note) ;; *) fail "passthrough is on: $on, it says $found" ;; esac
[ -z "$(find "$WORK" -maxdepth 1 -name '.fetchfs-check*')" ] || fail "left: $(find "$WORK" -maxdepth 1)"
! grep -q fetchfs-check /proc/self/mountinfo || fail "a mount is left"

# bad WHAT REGEX [COMMAND…]: it says so and what to do, and fails.
bad() {
	local what=$1 regex=$2 status=0
	shift 2
	"$@" >"$WORK/found" 2>&1 || status=$?
	[ $status -eq 1 ] || fail "$*: status $status: $(<"$WORK/found")"
	grep -A1 "^bad  *$what " "$WORK/found" | grep -Eq "$regex" || fail "$*: not $what, $regex: $(<"$WORK/found")"
}

say "what is not ready"
printf '[cache]\nsiez = 1G\n' >"$WORK/wrong.conf"
bad cache "did you mean 'size'" "$FETCHFS" --cache "$CACHE" --config "$WORK/wrong.conf" check
bad cache "Not a directory" "$FETCHFS" --cache "$CONFIG" check
# without the device, and without the authorities, in a mount namespace of its own
bad fuse "chmod 666 /dev/fuse|modprobe fuse" unshare -m bash -c \
	'mount -t tmpfs none /dev && exec "$@"' - "${fetchfs[@]}" check
bad authorities "apt-get install ca-certificates" unshare -m bash -c \
	'mount -t tmpfs none /etc/ssl/certs && exec "$@"' - "${fetchfs[@]}" check
