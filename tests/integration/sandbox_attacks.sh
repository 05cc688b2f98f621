#!/bin/bash
# shellcheck disable=SC2016 # scripts for other shells
# A task cannot change, replace or delete cached bytes through its sandbox: by no method, not after
# the scheduler's chown -R, and not as root of a user namespace.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_fuse
need_program setpriv unshare jq
as_task unshare -Urm true 2>/dev/null || skip "needs user namespaces"

start_nginx
echo "[cache]
hardlink = yes
[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
artifacts one two
start_mount

# What a task may think of. In a loop of its own each, with $f being the file: whether they succeed
# depends on the method; what they do to the cached bytes must not.
attempts=('echo x >"$f"' 'echo x >>"$f"' 'chmod 666 "$f"; echo x >"$f"' 'truncate -s 0 "$f"'
	'dd if=/dev/zero of="$f" bs=1 count=1 conv=notrunc' 'touch -d 2001-01-01 "$f"'
	'chown $(id -u) "$f"; chmod 777 "$f"; echo x >"$f"' 'ln "$f" "$f.link"; echo x >"$f.link"'
	'cp "$f" "$f.mine"; mv -f "$f.mine" "$f"'
	'python3 -c "import mmap, os, sys
d = os.open(sys.argv[1], os.O_RDWR)
mmap.mmap(d, 0)[0] = 0" "$f"'
	'mount -o remount,rw "$f"; mount -o remount,bind,rw "$f"; echo x >"$f"'
	'umount -l "$f"; echo x >"$f"' 'mount --bind /dev/null "$f"'
	'mkdir "$f.d"; mount -t tmpfs none "$f.d"; cp "$f" "$f.d/x"; mount --move "$f" "$f.d/x"; echo x >"$f.d/x"'
	'rm -f "$f"; echo x >"$f"')

# attack HOW…: all attempts on the file "one" of the box, by the command that HOW begins.
attack() {
	local attempt
	for attempt in "${attempts[@]}"; do
		timeout 20 "$@" sh -c 'cd "$1" && f=$1/one && eval "$2"' - "$box" "$attempt" \
			</dev/null >/dev/null 2>&1 || :
		cached_is "${uris[0]}" one
	done
}

# prepared METHOD: the box anew, with both files
prepared() {
	rm -rf "$WORK/box"
	make_box box
	fetchfs prepare --method "$1" --mount "$MNT" --user nobody "$box" "${uris[@]}"
}

released() {
	fetchfs release "$box" 2>/dev/null
	no_mounts "$box"
	leases_are 0
}

for method in bind copy symlink hardlink; do
	say "$method: the task"
	prepared $method
	same one
	attack as_task
	released

	say "$method: the task, root of a user namespace"
	prepared $method
	attack as_task unshare -Urm --propagation private
	same two
	released

	# A hardlink is the cached file: see sandbox_lent.sh for what is done about that.
	[ $method != hardlink ] || continue
	say "$method: the task, after chown -R and chmod -R by root"
	prepared $method
	chown -R $TASK "$box" 2>/dev/null || :
	chmod -R a+rwX "$box" 2>/dev/null || :
	attack as_task
	attack as_task unshare -Urm --propagation private
	[ "$(stat -c %u "$CACHE"/objects/*/"$(sha256 "$WWW/two")")" -eq 0 ] || fail "the object was given away"
	released
done

say "a confined root, without CAP_SYS_ADMIN, cannot undo the mount"
rm -rf "$WORK/box"
make_box box 0
fetchfs prepare --user 0 --confined --json "$box" "${uris[@]}" |
	jq -e 'all(.method == "bind")' >/dev/null || fail "by another method"
attack setpriv --bounding-set=-sys_admin --inh-caps=-all --
same one
same two
released

say "a root task with auto has a file of its own"
rm -rf "$WORK/box"
make_box box 0
fetchfs prepare --user 0 --json "$box" "${uris[@]}" |
	jq -e 'all(.method == "copy" or .method == "reflink")' >/dev/null || fail "by another method"
attack unshare -m --propagation private
released
stop_mount
no_debris
