#!/bin/bash
# An artifact that changes at its origin: openers get the new version, those who read keep the old.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
printf '[fetch]\nttl = 0s\n' >"$CONFIG"
start_origin
random_file 700K "$ORIGINROOT/a.bin" old
cp "$ORIGINROOT/a.bin" "$WORK/old"
random_file 900K "$WORK/new" new
start_mount
file="$(at "$ORIGIN/a.bin")"
tree="$MNT/http/${ORIGIN#http://}/a.bin"

# What was confirmed in this second is not asked again in it.
next_second() {
	local now=$EPOCHSECONDS
	wait_for 3 eval "[ \$EPOCHSECONDS -gt $now ]" || fail "the clock stands"
}

cmp "$WORK/old" "$file" || fail "the old version"
cmp "$WORK/old" "$tree" || fail "the old version, in the tree"
inode=$(stat -c %i "$file")
exec 3<"$file"
: >"$WORK/bound"
mount --bind "$file" "$WORK/bound"
mounts+=("$WORK/bound")

say "unchanged: asked, not downloaded"
next_second
asked=$(grep -c '^GET /a.bin - 200 ' "$ORIGIN_LOG" || :)
cmp "$WORK/old" "$file" || fail "the old version, again"
[ "$(grep -c '^GET /a.bin - 200 ' "$ORIGIN_LOG" || :)" -eq "$asked" ] || fail "downloaded again"

say "changed: the next open sees it, whichever way it comes"
next_second
cp "$WORK/new" "$ORIGINROOT/a.bin.tmp"
touch -d '+1 hour' "$ORIGINROOT/a.bin.tmp"
mv "$ORIGINROOT/a.bin.tmp" "$ORIGINROOT/a.bin"
cmp "$WORK/new" "$file" || fail "the new version"
cmp "$WORK/new" "$tree" || fail "the new version, in the tree"
[ "$(stat -c '%s %i' "$file")" = "921600 $inode" ] || fail "stat: $(stat -c '%s %i' "$file")"

say "who has it open keeps what it has; a bound file shows one version, not a mixture"
cmp "$WORK/old" - <&3 || fail "the open file changed"
exec 3<&-
cat "$WORK/bound" >"$WORK/seen" || fail "the bound file cannot be opened"
cmp "$WORK/old" "$WORK/seen" >/dev/null 2>&1 || cmp "$WORK/new" "$WORK/seen" || fail "a mixture"
umount "$WORK/bound"

say "gone at the origin: gone here, for those who open it"
next_second
rm "$ORIGINROOT/a.bin"
expect_errno ENOENT "$file"
stop_mount
