#!/bin/bash
# Commands that work by way of a mount: --mount, or $FETCHFS_MOUNT.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program jq

start_nginx
echo "[policy]
allow = $HTTP/" >"$CONFIG"
for name in one.bin two.bin three.bin; do random_file 200K "$WWW/$name" "$name"; done
start_mount
unset FETCHFS_CACHE

say "fetch fills the mount's cache"
"$FETCHFS" fetch --mount "$MNT" --json "$HTTP/one.bin" "$HTTP/none.bin" >"$WORK/json" \
	2>"$WORK/stderr" && fail "status 0"
jq -se 'map(select(.event == "done" and .error == null and .size == 204800)) | length == 1' "$WORK/json" >/dev/null ||
	fail "$(<"$WORK/json")"
grep -Eq "^fetchfs: fetch $HTTP/none.bin: 404 not found$" "$WORK/stderr" || fail "$(<"$WORK/stderr")"
cached() {
	"$FETCHFS" fetch --mount "$MNT" --json "$HTTP/one.bin" | jq -se --arg sha "$1" \
		'.[] | select(.event == "done") | .cached and .state == "complete" and .sha256 == $sha' >/dev/null
}
wait_for 10 cached "$(sha256 "$WWW/one.bin")" || fail "not cached"

say "cat reads there"
FETCHFS_MOUNT=$MNT "$FETCHFS" cat "$HTTP/two.bin" | cmp - "$WWW/two.bin" || fail "cat: other bytes"

say "path makes the name known"
path=$("$FETCHFS" path --mount "$MNT/" "$HTTP/three.bin")
[ "$path" = "$MNT/${HTTP/:\/\//\/}/three.bin" ] || fail "path: $path"
cmp "$path" "$WWW/three.bin" || fail "path: other bytes"
expect_failure 1 "none.bin: (404 )?not found\$" "$FETCHFS" path --mount "$MNT" "$HTTP/none.bin"

say "ls, stat and status look into the cache behind it"
for name in one two three; do
	"$FETCHFS" ls --mount "$MNT" | grep -qx "$HTTP/$name.bin" || fail "ls: no $name"
done
"$FETCHFS" stat --mount "$MNT" --json "$HTTP/one.bin" | jq -e '.state == "complete"' >/dev/null ||
	fail "stat"
[ "$(FETCHFS_MOUNT=$MNT "$FETCHFS" status --json | jq -r .cache)" = "$CACHE" ] || fail "status"

say "what is no mount is told to be none"
expect_failure 1 'no mount of fetchfs' "$FETCHFS" cat --mount "$WWW" "$HTTP/one.bin"
stop_mount
