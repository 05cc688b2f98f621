#!/bin/bash
# Reflinks on a file system that shares blocks: no bytes are copied, and writing to one is no harm
# to the other.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_program mkfs.xfs jq
[ -e /dev/loop-control ] || skip "needs loop devices"

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
artifacts one two
random_file 64M "$WWW/large" large
mkdir "$WORK/xfs"
truncate -s 600M "$WORK/image"
mkfs.xfs -q "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.xfs"
mount -o loop "$WORK/image" "$WORK/xfs" || skip "needs to mount a loop device"
mounts+=("$WORK/xfs")
CACHE=$WORK/xfs/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
fetchfs fetch "$HTTP/large" "${uris[@]}"

used() {
	sync -f "$WORK/xfs"
	df --output=used -k "$WORK/xfs" | tail -n 1
}

methods_are() {
	jq -e --arg method "$1" 'all(.method == $method)' "$WORK/json" >/dev/null ||
		fail "not by $1: $(<"$WORK/json")"
}

say "auto takes it, for root and for users, and no room"
before=$(used)
for user in root nobody; do
	make_box "xfs/$user" $user
	fetchfs prepare --user $user --json "$box" "$HTTP/large" "${uris[@]}" >"$WORK/json"
	methods_are reflink
	same large
	same one
	[ "$(stat -c %U:%a "$box/one")" = $user:644 ] || fail "$(stat -c %U:%a "$box/one")"
done
[ $(($(used) - before)) -lt 8192 ] || fail "$(($(used) - before)) KiB more are used"

say "it is the task's, who may write to it; the cache has what it had"
printf x | as_task dd of="$box/large" conv=notrunc status=none
as_task chmod 600 "$box/one"
as_task truncate -s 0 "$box/one"
cached_is "$HTTP/large" large
cached_is "${uris[0]}" one
fetchfs release "$box"
contents_are ""

say "modes and executables are its own"
jq -n --arg http "$HTTP" '[{value: ($http + "/one"), mode: "0600"},
	{value: ($http + "/two"), executable: true, method: "reflink"}]' |
	fetchfs prepare --spec - --user nobody "$box"
[ "$(stat -c %a "$box/one" "$box/two" | tr '\n' ' ')" = "600 755 " ] || fail "modes: $(ls -l "$box")"
[ -z "$(find "$CACHE/objects" -name '*.x')" ] || fail "a twin was made for nothing"
fetchfs release "$box"

say "from one file system to another: said if it was asked for, and another method if not"
make_box far
expect_failure 1 'reflink .*far/one: .*shares blocks' \
	"${fetchfs[@]}" prepare --user nobody --method reflink "$box" "${uris[0]}"
expect_failure 1 'hardlink .*far/one: .*cross-device' \
	"${fetchfs[@]}" prepare --user nobody --method hardlink "$box" "${uris[0]}"
contents_are ""
fetchfs prepare --user nobody --json "$box" "${uris[0]}" >"$WORK/json"
methods_are bind
fetchfs release "$box"
contents_are ""

say "what is in an archive: reflinks that the task may write to, and no room"
mkdir -p "$WORK/source/app"
ln "$WWW/large" "$WORK/source/app/large" 2>/dev/null || cp "$WWW/large" "$WORK/source/app/large"
echo text >"$WORK/source/app/text"
tar -cf "$WWW/app.tar" -C "$WORK/source" app
fetchfs fetch "$HTTP/app.tar"
make_box xfs/first
fetchfs prepare --user nobody --extract --json "$box" "$HTTP/app.tar" >"$WORK/json"
methods_are reflink
before=$(used)
make_box xfs/trees
fetchfs prepare --user nobody --extract --json "$box" "$HTTP/app.tar" >"$WORK/json"
methods_are reflink
[ $(($(used) - before)) -lt 8192 ] || fail "$(($(used) - before)) KiB more are used"
diff -r "$WORK/source" "$box" || fail "other files"
printf x | as_task dd of="$box/app/large" conv=notrunc status=none
cmp "$WWW/large" "$WORK/xfs/first/app/large" || fail "the others have it, too"
fetchfs release "$box"
contents_are ""
fetchfs release "$WORK/xfs/first"
make_box far-trees
for method in reflink hardlink; do
	expect_failure 1 "$method.*: .*(supported|[cC]ross-device)" \
		"${fetchfs[@]}" prepare --user nobody --extract --method $method "$box" "$HTTP/app.tar"
	contents_are ""
done
fetchfs prepare --user nobody --extract --json "$box" "$HTTP/app.tar" >"$WORK/json"
methods_are bind
fetchfs release "$box"
contents_are ""

leases_are 3 # of the first box
