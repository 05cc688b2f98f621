#!/bin/bash
# The number of an inode is given again at once: what a task makes where something was placed, or a
# directory that is made where a sandbox was, is another thing although it has the number of that.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_program mkfs.ext4 jq python3

start_nginx
echo "[policy]
allow = $HTTP/" >"$CONFIG"
artifacts one two
disk=$WORK/disk
mkdir "$disk"
truncate -s 32M "$WORK/image"
mkfs.ext4 -q -I 256 "$WORK/image" >"$LOGS/mkfs" 2>&1 || fail "mkfs.ext4"
mount -o loop "$WORK/image" "$disk" || skip "needs to mount a loop device"
mounts+=("$disk")
[ "$(stat -c %W "$disk")" -gt 0 ] || skip "needs births on ext4"

# What is made now is of another moment than BIRTH: births are told in ticks of the kernel's clock.
is_later_than() {
	rm -f "$disk/now"
	touch "$disk/now"
	[ "$(stat -c %.9W "$disk/now")" != "$1" ]
}

# again PATH COMMAND…: COMMAND makes PATH, once it is removed, with the number that it had
again() {
	local path=$1 number birth i
	number=$(stat -c %i "$path")
	birth=$(stat -c %.9W "$path")
	shift
	wait_for 20 is_later_than "$birth" || fail "nothing is made later than $path"
	rm "$disk/now"
	rm -r "$path"
	for i in {1..200}; do
		as_task "$@"
		[ "$(stat -c %i "$path")" -ne "$number" ] || break
		mv "$path" "$disk/aside.$i"
	done
	rm -rf "$disk"/aside.*
	[ "$(stat -c %i "$path")" -eq "$number" ] || skip "no number was given again"
}

fresh_box() {
	rm -rf "$disk/box"
	make_box disk/box
}

foreign() {
	fetchfs release "$box" 2>"$WORK/stderr" || fail "release: $(<"$WORK/stderr")"
	grep -q "$1" "$WORK/stderr" || fail "$1 is not said to be another: $(<"$WORK/stderr")"
	leases_are 0
}

say "a file and a folder of the task's own"
chmod 1777 "$disk"
fresh_box
order=(--method copy --user nobody --spec "$WORK/spec" "$box")
jq -n --arg http "$HTTP" '[{value: ($http + "/one")}, {value: ($http + "/two"), output_file: "made/two"}]' \
	>"$WORK/spec"
fetchfs prepare "${order[@]}"
again "$box/one" sh -c "echo mine >'$box/one'"
expect_failure 1 'one exists and was not placed' "${fetchfs[@]}" prepare "${order[@]}"
again "$box/made" mkdir "$box/made"
foreign one
contents_are "./made ./one "
[ "$(<"$box/one")" = mine ] || fail "the task's own file: $(<"$box/one")"

say "a link"
fresh_box
start_mount
fetchfs prepare --method symlink --mount "$MNT" --user nobody "$box" "$HTTP/one"
again "$box/one" ln -s elsewhere "$box/one"
foreign one
[ "$(readlink "$box/one")" = elsewhere ] || fail "the task's own link is gone"
stop_mount

say "an empty file of the task's own, where one that was mounted upon had been"
fresh_box
fetchfs prepare --method bind --user nobody "$box" "$HTTP/one"
umount "$box/one"
again "$box/one" touch "$box/one"
expect_failure 1 'one exists and was not placed' "${fetchfs[@]}" prepare --method bind --user nobody "$box" "$HTTP/one"
no_mounts "$box"
foreign one
contents_are "./one "

say "a directory where a sandbox was: that one is gone, and this one's own"
fresh_box
fetchfs prepare --method copy --user nobody "$box" "$HTTP/one"
again "$box" mkdir "$box"
fetchfs sandboxes | grep -q "^$box .*gone" || fail "it is not said to be gone: $(fetchfs sandboxes)"
fetchfs prepare --method copy --user nobody "$box" "$HTTP/two"
leases_are 2
[ "$(fetchfs gc | grep -c 'is gone: released 1 file, 0 mounted')" -eq 1 ] || fail "gc: $(fetchfs gc)"
leases_are 1
same two
fetchfs release "$box"
contents_are ""
leases_are 0

say "… and where that is released, its leases go and nothing else"
fetchfs prepare --method copy --user nobody "$box" "$HTTP/one"
again "$box" mkdir "$box"
as_task cp "$WWW/two" "$box/one"
fetchfs release "$box"
leases_are 0
same one two

say "leases of an earlier version know no births: nothing is compared"
fresh_box
fetchfs prepare --method copy --user nobody "$box" "$HTTP/one"
in_index 'UPDATE lease SET born = 0, file_born = 0'
[ -z "$(fetchfs gc)" ] || fail "gc takes it for gone"
fetchfs prepare --method copy --user nobody "$box" "$HTTP/one"
leases_are 1
fetchfs release "$box"
contents_are ""
leases_are 0

mkdir "$disk/upper" "$disk/work" "$disk/lower"
make_box disk/lower/box
mkdir "$WORK/over"
if ! mount -t overlay -o "lowerdir=$disk/lower,upperdir=$disk/upper,workdir=$disk/work" overlay "$WORK/over"; then
	say "(no overlay can be mounted here: that part is left out)"
	exit 0
fi
mounts+=("$WORK/over")
say "an overlay makes a directory anew with the first change: it stays the same"
box=$WORK/over/box
for method in copy bind; do
	fetchfs prepare --method $method --user nobody "$box" "$HTTP/one"
	fetchfs prepare --method $method --user nobody "$box" "$HTTP/one"
	[ -z "$(fetchfs gc)" ] || fail "gc takes it for gone"
	leases_are 1
	fetchfs release "$box"
	contents_are ""
	leases_are 0
done
