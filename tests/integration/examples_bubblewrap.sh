#!/bin/bash
# docs/examples: bubblewrap, with what prepare has placed and with a file of the mount.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
. "$(dirname "$0")/../support/examples.sh"
need_program jq bwrap
need_root
need_fuse

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
artifacts model tool
jq -n --arg http "$HTTP" '[{value: "\($http)/model"}, {value: "\($http)/tool", output_file: "bin/tool"}]' \
	>"$WORK/spec.json"
export TMPDIR=$WORK/tmp FETCHFS_CACHE=$CACHE
mkdir "$TMPDIR"

for method in bind copy; do
	say "prepared: $method"
	jq --arg method $method 'map(.method = $method)' "$WORK/spec.json" >"$WORK/$method.json"
	"$EXAMPLES/bubblewrap-prepare.sh" "$WORK/$method.json" sh -euc '
		cd /artifacts && sha256sum model bin/tool
		! echo x 2>/dev/null >>model && ! rm -rf bin 2>/dev/null && test -e bin/tool' >"$WORK/out" ||
		fail "it failed: $(<"$WORK/out")"
	[ "$(cut -c1-64 "$WORK/out")" = "$(sha256 "$WWW/model" "$WWW/tool")" ] || fail "said: $(<"$WORK/out")"
	leases_are 0
	[ -z "$(ls -A "$TMPDIR")" ] || fail "left: $(ls -A "$TMPDIR")"
	no_mounts
done

say "a command that fails, and a URI that does"
! "$EXAMPLES/bubblewrap-prepare.sh" "$WORK/bind.json" false || fail "false is true"
echo "[{\"value\": \"$HTTP/status/404\"}]" >"$WORK/none.json"
! "$EXAMPLES/bubblewrap-prepare.sh" "$WORK/none.json" echo it ran >"$WORK/out" 2>"$WORK/err" || fail "it went well"
[ ! -s "$WORK/out" ] || fail "it ran"
grep -q 'status/404' "$WORK/err" || fail "said: $(<"$WORK/err")"
leases_are 0
[ -z "$(ls -A "$TMPDIR")" ] || fail "left: $(ls -A "$TMPDIR")"

say "of the mount, though nobody has asked for it and its name has no suffix"
start_mount
unset FETCHFS_CACHE
random_file 100K "$WWW/cold" cold
got=$(FETCHFS_MOUNT=$MNT "$EXAMPLES/bubblewrap-mount.sh" "$HTTP/cold" sha256sum /artifact)
[ "${got%% *}" = "$(sha256 "$WWW/cold")" ] || fail "said: $got"
stop_mount
no_debris
