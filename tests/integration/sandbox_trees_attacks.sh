#!/bin/bash
# shellcheck disable=SC2016 # scripts for other shells
# A task cannot change what the cache has of an archive through its sandbox: by no method, not after
# the scheduler's chown -R, and not as root of a user namespace. What a hardlink, which the operator
# forced, lets through is noticed before the tree is handed out again. A hostile archive leaves the
# directory as it was.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
. "$(dirname "$0")/../support/archives.sh"
need_root
need_fuse
need_program setpriv unshare jq python3
as_task unshare -Urm true 2>/dev/null || skip "needs user namespaces"

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
make_source "$WORK/source"
tar -czf "$WWW/app.tgz" -C "$WORK/source" .
app=$HTTP/app.tgz
start_mount

say "hostile archives: the directory is as it was, and the message names the entry"
mkdir "$WORK/archives" "$WORK/outside"
python3 "$FETCHFS_SOURCE/tests/support/hostile.py" "$WORK/archives" "$WORK/outside" >"$WORK/list"
make_box hostile
for name in up.tar absolute.zip link-up.tar through-absolute.tar character-device.zip hard-up.tar \
	winding.tar fifo.tar; do
	cp "$WORK/archives/$name" "$WWW/$name"
	regex=$(awk -F'\t' -v name="$name" '$1 == name { print $2 }' "$WORK/list")
	expect_failure 1 "$name: .*$regex" "${fetchfs[@]}" prepare --user nobody --extract "$box" \
		"$app" "$HTTP/$name"
	contents_are ""
	leases_are 0
done
[ -z "$(ls -A "$WORK/outside")" ] || fail "outside: $(ls -A "$WORK/outside")"

say "what the task moves to where something of ours was is not removed with root's rights"
if FETCHFS_FAULT=: "$FETCHFS" --version >/dev/null 2>&1; then
	: # no fault points: nothing is left of a prepare that is killed there
else
	make_box moved
	{ FETCHFS_FAULT=place.folder:1:kill "${fetchfs[@]}" prepare --user nobody --extract --method copy \
		"$box" "$app" >/dev/null 2>&1 || :; } 2>/dev/null
	mkdir -m 700 "$box/logs"
	echo audit >"$box/logs/audit"
	left=("$box"/.fetchfs.*)
	[ -d "${left[0]}" ] || fail "nothing is left of the killed one"
	# shellcheck disable=SC2016 # for as_task's shell
	as_task sh -c 'mv "$1" "$1.away" && mv "$2/logs" "$1"' sh "${left[0]}" "$box" || fail "not moved"
	fetchfs release "$box" 2>"$WORK/stderr" || fail "release: $(<"$WORK/stderr")"
	grep -q 'left alone' "$WORK/stderr" || fail "nobody is told: $(<"$WORK/stderr")"
	grep -qx audit "${left[0]}/audit" || fail "what was root's is gone"
	leases_are 0
	rm -rf "$box"
fi

# What the cache has of the archive, to the last byte, owner, mode and time.
fingerprint() {
	(cd "$(tree_of app.tgz)" && find . ! -type d -printf '%p %y %m %U %s %T@ %l\n' -o -printf '%p %m %U\n' |
		sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

attempts=('echo x >"$d/README"' 'echo x >>"$d/app/lib/text"' 'chmod -R u+w "$d"; echo x >"$d/README"'
	'chmod 777 "$d/app" "$d/app/lib"; rm -rf "$d/app/lib"' 'touch "$d/app/new"; mkdir "$d/docs/new"'
	'truncate -s 0 "$d/app/lib/deep/big"' 'rm -rf "$d/app" "$d/README"'
	'mv "$d/app/lib" "$d/app/other"' 'ln -sf /etc/passwd "$d/app/link"'
	'touch -d 2001-01-01 "$d/README" "$d/app"' 'ln "$d/README" "$d/linked"; echo x >"$d/linked"'
	'python3 -c "import mmap, os, sys
d = os.open(sys.argv[1], os.O_RDWR)
mmap.mmap(d, 0)[0] = 0" "$d/README"'
	'mount -o remount,bind,rw "$d/app"; echo x >"$d/app/lib/text"; touch "$d/app/new"'
	'umount -l "$d/app"; echo x >"$d/app/lib/text"' 'mount --bind /tmp "$d/app"; echo x >"$d/app/x"; rm "$d/app/x"'
	'mkdir "$d/up" "$d/work" "$d/over"; mount -t overlay o -o "lowerdir=$d/app,upperdir=$d/up,workdir=$d/work" "$d/over"; echo x >"$d/over/run"')

# attack HOW…: all attempts on what is in the box, by the command that HOW begins.
attack() {
	local attempt
	for attempt in "${attempts[@]}"; do
		timeout 20 "$@" sh -c 'cd "$1" && d=$1 && eval "$2"' - "$box" "$attempt" \
			</dev/null >/dev/null 2>&1 || :
		[ "$(fingerprint)" = "$before" ] || fail "the tree was changed by: $attempt"
	done
}

prepared() {
	rm -rf "$WORK/box"
	make_box box
	fetchfs prepare --method "$1" --mount "$MNT" --user nobody --extract "$box" "$app"
}

released() {
	fetchfs release "$box" 2>/dev/null
	no_mounts "$box"
	leases_are 0
}

prepared copy
released
before=$(fingerprint)
for method in bind copy symlink hardlink; do
	say "$method: the task"
	prepared $method
	attack as_task
	released

	say "$method: the task, root of a user namespace"
	prepared $method
	attack as_task unshare -Urm --propagation private
	released

	# A hardlink is the cached file: see below.
	[ $method != hardlink ] || continue
	say "$method: the task, after chown -R and chmod -R by root"
	prepared $method
	chown -R $TASK "$box" 2>/dev/null || :
	chmod -R a+rwX "$box" 2>/dev/null || :
	attack as_task
	attack as_task unshare -Urm --propagation private
	released
done

say "a confined root, without CAP_SYS_ADMIN, cannot undo the mount"
rm -rf "$WORK/box"
make_box box 0
fetchfs prepare --user 0 --confined --extract --json "$box" "$app" |
	jq -e 'all(.method == "bind")' >/dev/null || fail "by another method"
attack setpriv --bounding-set=-sys_admin --inh-caps=-all --
released

# ---- hardlinks that the operator forced ----

# Changed without a trace in size and time of modification.
tamper() {
	local when
	when=$(stat -c %y "$1")
	printf x | dd of="$1" bs=1 seek=7 conv=notrunc status=none
	touch -d "$when" "$1"
}

# right_again METHOD: the next who asks gets the right files
right_again() {
	mkdir "$WORK/next"
	fetchfs prepare --method "$1" --extract "$WORK/next" "$app"
	unpacked_is "$WORK/next"
	fetchfs release "$WORK/next"
	rmdir "$WORK/next"
}

say "what was not changed is not unpacked again, whoever had it"
# Which one it is: inodes are used again.
made() {
	stat -c '%i %w %z' "$(tree_of app.tgz)"
}
first=$(made)
prepared hardlink
right_again hardlink
right_again bind
released
right_again copy
[ "$(made)" = "$first" ] || fail "unpacked again"

damage() {
	say "through a hardlink: $1"
	prepared hardlink
	eval "$2"
	right_again "$3"
	[ "$(made)" != "$first" ] || fail "it was not noticed"
	first=$(made)
	released
	right_again hardlink
}
damage "bytes" 'tamper "$box/app/lib/deep/big"' copy
damage "bytes, and the name is gone" 'tamper "$box/README"; rm "$box/README"' bind
damage "an owner" 'chown -R -h $TASK "$box"' hardlink
damage "a mode" 'chmod 666 "$box/app/run"' copy
damage "a size" 'truncate -s 3 "$box/app/lib/deep/big"' bind

say "who has it mounted keeps what is in it, until it is evicted"
prepared hardlink
make_box bound
fetchfs prepare --method bind --user nobody --extract "$box" "$app"
tamper "$WORK/box/README"
right_again copy
[ "$(find "$box" -type f | wc -l)" -eq "$(find "$WORK/source" -type f | wc -l)" ] || fail "files are lost"
[ -d "$CACHE/trees/.bad.$(sha256 "$WWW/app.tgz")" ] || fail "it is not set aside"
# what the bound one, and the one that was made anew, occupy
all_count() {
	local there
	there=$(du -scB1 "$CACHE/trees/"{,.bad.}"$(sha256 "$WWW/app.tgz")" | awk 'END { print $1 }')
	[ "$(fetchfs status --json | jq .trees)" -eq "$there" ] || fail "$1: $there bytes count as $(fetchfs status --json | jq .trees)"
}
all_count "set aside"
rm "$CACHE"/index.db*
all_count "the index was lost"
aside=("$CACHE/trees/.bad."*/.[!.]*)
right_again copy
again=("$CACHE/trees/.bad."*/.[!.]*)
[ ${#again[@]} -eq $((${#aside[@]} + 1)) ] || fail "it was not made anew"
all_count "the index was lost, and it was unpacked again"
fetchfs release "$box"
contents_are ""
box=$WORK/box
released
fetchfs evict "$app"
[ -z "$(find "$CACHE/trees" -name "*$(sha256 "$WWW/app.tgz")*")" ] || fail "left: $(ls -A "$CACHE/trees")"

say "in a mount, too, within a second or so"
prepared hardlink
unpacked=$MNT/${app/:\/\///}.unpacked
diff -r --no-dereference "$WORK/source" "$unpacked" || fail "other files in the mount"
tamper "$box/README"
right_in_mount() {
	[ "$(cat "$unpacked/README")" = "read me" ]
}
wait_for 20 right_in_mount || fail "the mount has $(cat "$unpacked/README")"
released

say "a seal that says nothing is no seal of good bytes"
prepared hardlink
echo rubbish >"$CACHE/trees/.seal.$(sha256 "$WWW/app.tgz")"
right_again copy
released
stop_mount
no_debris
