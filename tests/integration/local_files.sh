#!/bin/bash
# Files of this machine: sparse and huge ones, what is none, and file systems that share blocks, where
# nothing is copied.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_program mkfs.xfs jq python3
[ -e /dev/loop-control ] || skip "needs loop devices"

mkdir "$WORK/xfs"
truncate -s 900M "$WORK/image"
mkfs.xfs -q "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.xfs"
mount -o loop "$WORK/image" "$WORK/xfs" || skip "needs to mount a loop device"
mounts+=("$WORK/xfs")
files=$WORK/xfs/files
mkdir "$files"
random_file 200M "$files/large" large
truncate -s 20G "$files/hole"
printf end >>"$files/hole"
mkfifo "$files/fifo"
ln -s /dev/zero "$files/zero"
ln -s fifo "$files/to-fifo"
mkdir "$files/folder"
CACHE=$WORK/xfs/cache
printf '[cache]\nsize = 800M\nmin_free = 0\n[fetch]\nretries = 0\n' >"$CONFIG"
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")

used() {
	sync -f "$WORK/xfs"
	df --output=used -k "$WORK/xfs" | tail -n 1
}

say "on one file system that shares blocks: no bytes more, and the right digest"
fetchfs status >/dev/null
before=$(used)
fetchfs fetch --digest "sha256:$(sha256 "$files/large")" "file://$files/large"
[ $(($(used) - before)) -lt $((40 << 10)) ] || fail "$(($(used) - before)) KiB more are used"
fetchfs cat "file://$files/large" | cmp - "$files/large" || fail "other bytes"
no_debris

say "who writes to a partial while its picture is taken, and later, changes nothing"
mkdir "$WORK/xfs/tmp"
TMPDIR=$WORK/xfs/tmp FETCHFS_SHARES_BLOCKS=yes "$FETCHFS_BUILD/tests/unit_cache_clone" >"$LOGS/clone" 2>&1 ||
	fail "unit_cache_clone"

say "it stays what it was when the file is written to"
cp "$files/large" "$WORK/old"
printf 'meddled' | dd of="$files/large" bs=1 seek=70000000 conv=notrunc status=none
object=$(find "$CACHE/objects" -type f -size +100M)
cmp "$object" "$WORK/old" || fail "the object changed with its source"
fetchfs cat "file://$files/large" | cmp - "$files/large" || fail "not the new version"

say "a wrong digest is noticed"
fetchfs evict --all >/dev/null
expect_failure 1 'sha256' "${fetchfs[@]}" fetch --digest "sha256:$(printf x | sha256)" "file://$files/large"
[ -z "$(find "$CACHE/objects" -type f -size +100M)" ] || fail "it is kept"
no_debris

say "written to all the while: never a mixture"
cat >"$WORK/writer.py" <<-'END'
	import sys
	with open(sys.argv[1], "r+b", buffering=0) as file:
	    n = 0
	    while True:
	        n += 1
	        for at in (0, 100 << 20, 199 << 20):
	            file.seek(at)
	            file.write(b"%08d" % n)
END
python3 "$WORK/writer.py" "$files/large" &
writer=$!
children+=("$writer")
for _ in 1 2 3; do
	if fetchfs fetch --refresh "file://$files/large" 2>"$WORK/why"; then
		say "(a picture was taken between two writes)"
	else
		grep -q 'changed while it was read' "$WORK/why" || fail "$(<"$WORK/why")"
	fi
done
kill "$writer"
wait_for 10 gone "$writer" || fail "the writer stays"
find "$CACHE/objects" -type f | while read -r object; do
	[ "$(sha256 "$object")" = "$(basename "${object%.x}")" ] || fail "an object is not what its name says"
done

say "elsewhere it is copied"
CACHE=$WORK/cache
mkdir "$CACHE"
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
fetchfs cat "file://$files/large" | cmp - "$files/large" || fail "other bytes"

say "pipes, devices, folders are refused, and opened by nobody"
for name in fifo zero to-fifo; do
	expect_failure 1 'not a regular file' "${fetchfs[@]}" fetch "file://$files/$name"
done
expect_failure 1 'folder' "${fetchfs[@]}" fetch "file://$files/folder"

say "larger than the cache: a hole takes as much of it as bytes would"
expect_failure 1 '.' "${fetchfs[@]}" fetch "file://$files/hole"
no_debris
