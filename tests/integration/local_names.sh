#!/bin/bash
# Files of this machine as they may be: empty, of a gigabyte, called anything, and ten thousand in a folder.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program mkfs.xfs jq python3
[ -e /dev/loop-control ] || skip "needs loop devices"

# a gigabyte takes no room where files share their blocks, holes included
mkdir "$WORK/xfs"
truncate -s 4G "$WORK/image"
mkfs.xfs -q "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.xfs"
mount -o loop "$WORK/image" "$WORK/xfs" || skip "needs to mount a loop device"
mounts+=("$WORK/xfs")
files=$WORK/xfs/files
mkdir -p "$files/names/Földer +1%" "$files/many"
CACHE=$WORK/xfs/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
printf '[cache]\nsize = 3G\nmin_free = 0\n[fetch]\nretries = 0\n[policy]\nfile = %s\n[origin "file://%s/"]\nlist = yes\n' \
	"$files" "$files" >"$CONFIG"

tree=$MNT/file$files

: >"$files/empty"
big=$files/big.img
truncate -s 1G "$big"
for place in 0 700000001 $(((1 << 30) - 7)); do
	printf 'at %4.4s' $place | dd of="$big" bs=1 seek=$place conv=notrunc status=none
done
names=("with space" " lead" "a+b" "100%" "%41" "what?" "sharp#" "Ünïcode→" "q=1&r=2" "semi;colon" "a@b:c" "(x)!*'" "~-_."
	"[x]{y}" 'back\slash' '"quoted"' "\$(id)" -l "Földer +1%/in it?")
for name in "${names[@]}"; do
	random_file 5K "$files/names/$name" "$name"
done
# what each is called in a URI, and in the natural tree
mapfile -t escaped < <(python3 - "${names[@]}" <<-'END'
	import sys, urllib.parse
	for name in sys.argv[1:]:
	    print(urllib.parse.quote(name, safe="/!$&'()*+,;=:@~"))
END
)
(cd "$files/many" && seq -f 'file %05.0f+%%' 1 10000 | xargs -d '\n' touch)

start_mount

say "an empty file"
fetchfs cat "file://$files/empty" | cmp - /dev/null || fail "it has bytes"
[ "$(stat -c '%F %s' "$tree/empty")" = "regular empty file 0" ] || fail "$(stat "$tree/empty")"
cmp "$tree/empty" /dev/null || fail "it has bytes in the mount"
[ "$(fetchfs stat --json "file://$files/empty" | jq '.size')" -eq 0 ] || fail "its size is unknown"

say "a gigabyte: its size at once, a part of it, all of it"
[ "$(stat -c %s "$tree/big.img")" -eq $((1 << 30)) ] || fail "$(stat "$tree/big.img")"
cmp <(dd if="$tree/big.img" bs=4096 skip=170898 count=3 status=none) \
	<(dd if="$big" bs=4096 skip=170898 count=3 status=none) || fail "a part differs"
cmp "$tree/big.img" "$big" || fail "it differs"
settle_mount
object=$(find "$CACHE/objects" -type f -size +1000M)
[ "$(sha256 "$object")" = "$(basename "${object%.x}")" ] || fail "it is not what its name says"

say "a folder with any name: the listing"
printf '%s\n' "${escaped[@]%%/*}" | sort >"$WORK/expected"
find "$tree/names" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | diff "$WORK/expected" - || fail "it differs"

say "… each by its URI, in the tree and at uri/"
for i in "${!names[@]}"; do
	file=$files/names/${names[i]}
	uri=file://$files/names/${escaped[i]}
	fetchfs cat "$uri" | cmp - "$file" || fail "${names[i]} by its URI"
	cmp "$tree/names/${escaped[i]}" "$file" || fail "${names[i]} in the tree"
	cmp "$(at "$uri")" "$file" || fail "${names[i]} at uri/"
done

say "ten thousand names in a folder"
seq -f 'file%%20%05.0f+%%25' 1 10000 >"$WORK/expected"
ls -A1 --color=never "$tree/many" >"$WORK/listed" # find would look each up
diff "$WORK/expected" "$WORK/listed" >"$WORK/diff" || fail "$(head -n 5 "$WORK/diff")"
[ "$(stat -c '%F %s' "$tree/many/file%2007777+%25")" = "regular empty file 0" ] || fail "it leads to no file"
no_debris
stop_mount
