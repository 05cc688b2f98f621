#!/bin/bash
# Files of this machine, asked for by root on behalf of somebody: with that user's rights, no others.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/users.sh"
need_program jq setpriv

home=$WORK/home
mkdir "$home"
chown alice:alice "$home"
chmod 711 "$home"
give() { # give NAME OWNER:GROUP MODE
	random_file 40K "$home/$1" "$1"
	chown "$2" "$home/$1"
	chmod "$3" "$home/$1"
}
give own alice:alice 600
give crews root:crew 640
give public alice:alice 644
give roots root:root 600
echo "[policy]
file = $WORK/nowhere" >"$CONFIG"

# placed USER NAME: root places it for USER, whose it then is
placed() {
	folder_of "$1" "box-$1-$2"
	fetchfs prepare --method copy --user "$1" "$box" "file://$home/$2"
	cmp "$box/$2" "$home/$2" || fail "$2 for $1: other bytes"
	[ "$(stat -c %U "$box/$2")" = "$1" ] || fail "$2: it belongs to $(stat -c %U "$box/$2")"
}

# refused USER URI [REGEX]: it is not, and nothing is in the folder
refused() {
	rm -rf "$WORK/box-refused"
	folder_of "$1" box-refused
	expect_failure 1 "${3:-permission denied}" "${fetchfs[@]}" prepare --user "$1" "$box" "$2"
	[ -z "$(ls "$box")" ] || fail "$2: something was placed"
}


say "a file of mode 0600 is placed for whom it belongs to"
placed alice own

say "… not for anybody else, now that it is in the cache"
refused bob "file://$home/own"
refused bob "file://$home/./own"
refused bob "file://localhost$home/own"

say "… and is not public: by its digest neither"
digest=$(sha256 "$home/own")
refused bob "file://$home/own#sha256=$digest"
jq -n --arg own "$home/own" --arg digest "sha256:$digest" \
	'[{value: ("file://" + $own), digest: $digest}]' >"$WORK/spec"
folder_of bob box-digest
expect_failure 1 'permission denied' "${fetchfs[@]}" prepare --user bob --spec "$WORK/spec" "$box"

say "a file of a group that the user is in"
placed alice crews
refused bob "file://$home/crews"

say "a user who has a number only: with the group of that number, which opens nothing to it"
folder_of 64042 box-number
random_file 40K "$home/numbers" numbers
chown 64042:64042 "$home/numbers"
chmod 600 "$home/numbers"
fetchfs prepare --method copy --user 64042 "$box" "file://$home/numbers"
cmp "$box/numbers" "$home/numbers" || fail "numbers: other bytes"
[ "$(stat -c %u:%g "$box/numbers")" = 64042:64042 ] || fail "it belongs to $(stat -c %u:%g "$box/numbers")"
random_file 1K "$home/groups" groups
chown root:64042 "$home/groups"
chmod 640 "$home/groups"
refused 64042 "file://$home/groups"
refused 64043 "file://$home/numbers"
rm -rf "$WORK/box-refused"
folder_of alice box-refused
expect_failure 1 'no user 64042x' "${fetchfs[@]}" prepare --user 64042x "$box" "file://$home/public"
expect_failure 1 'no user 4294967295' "${fetchfs[@]}" prepare --user 4294967295 "$box" "file://$home/public"

say "what everybody may read is everybody's, and in the cache once"
placed alice public
placed bob public
[ "$(find "$CACHE/objects" -type f | wc -l)" -eq 4 ] ||
	fail "objects: $(find "$CACHE/objects" -type f | wc -l)"

say "what only root may read is for no user, by whatever link"
refused alice "file://$home/roots"
as alice ln -s /etc/shadow "$home/shadow"
as alice ln -s roots "$home/link"
refused alice "file://$home/shadow"
refused alice "file://$home/link"
refused alice file:///proc/1/environ
refused alice file:///proc/self/environ
refused alice "file:///proc/self/fd/0" 'no such file|permission denied'

say "a folder that the user may not enter"
mkdir "$WORK/closed"
chmod 700 "$WORK/closed"
random_file 1K "$WORK/closed/file"
chmod 644 "$WORK/closed/file"
refused alice "file://$WORK/closed/file"

say "what is no file is named as such"
as alice mkfifo "$home/fifo"
refused alice "file://$home/fifo" 'not a regular file'
refused alice file:///dev/zero 'not a regular file'
refused alice "file://$home" 'it is a folder'
refused alice "file://$home/none" 'no such file'

say "through a mount it stays as it is: below the roots, and for everybody only"
need_fuse
echo "[policy]
file = $home" >"$CONFIG"
start_mount -o allow_other
as bob cmp "$MNT/file$home/public" "$home/public" || fail "public, through the mount"
! as alice cat "$MNT/file$home/own" >"$WORK/got" 2>/dev/null || fail "own, through the mount"
[ "$(as bob ls "$MNT/file$home" | tr '\n' ' ')" = "public " ] ||
	fail "bob sees $(as bob ls "$MNT/file$home" | tr '\n' ' ')"
stop_mount

say "a name that changes all the time never gives away what is not the user's"
as alice cp "$home/own" "$home/good"
as alice ln -s "$home/good" "$home/swapped"
touch "$WORK/swap"
as alice bash -c "while [ -e '$WORK/swap' ]; do
	ln -sfn '$home/roots' '$home/swapped.new'; mv -T '$home/swapped.new' '$home/swapped'
	ln -sfn '$home/good' '$home/swapped.new'; mv -T '$home/swapped.new' '$home/swapped'
done" &
swapper=$!
got=0
for round in {1..25}; do
	folder_of alice "box-swap$round"
	fetchfs prepare --method copy --user alice "$box" "file://$home/swapped" 2>/dev/null || continue
	cmp "$box/swapped" "$home/good" || fail "root's file was given away"
	got=$((got + 1))
done
rm "$WORK/swap"
wait "$swapper"
echo "($got of 25 times it was the user's file)"
for object in "$CACHE"/objects/*/*; do
	! cmp -s "$object" "$home/roots" || fail "root's file is in the cache"
done
