#!/bin/bash
# A listing brings the nodes of complete files with it (READDIRPLUS): the same ones that a lookup
# finds, with the same attributes, and they go and change as those do.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program python3

count=300
start_origin
mkdir -p "$ORIGINROOT/dir/sub"
for ((n = 1; n <= count; n++)); do
	head -c $n /dev/zero >"$ORIGINROOT/dir/$n.bin"
	echo "$ORIGIN/dir/$n.bin"
done >"$WORK/uris"
echo below >"$ORIGINROOT/dir/sub/x.bin"
printf '[fetch]\nttl = 1h\n' >"$CONFIG"
fetchfs fetch -i "$WORK/uris" "$ORIGIN/dir/sub/x.bin"
tree=$MNT/${ORIGIN/:\//}/dir

nodes() {
	sed -n 's/^fetchfs_nodes //p' "$MNT/.fetchfs/metrics"
}

# All of it by one scandir, whose entries have been looked up when their attributes are asked for.
check() {
	python3 - "$tree" $count "$@" <<-'END' || fail "the listing, or what it brought"
		import os, sys
		tree, count, gone = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
		seen = {}
		for entry in os.scandir(tree):
		    assert entry.name not in seen, entry.name
		    seen[entry.name] = (entry.inode(), entry.is_dir(), entry.stat())
		expected = {f"{n}.bin": n for n in range(1, count + 1) if f"{n}.bin" not in gone}
		assert seen.keys() == expected.keys() | {"sub"}, seen.keys() ^ expected.keys()
		for name, size in expected.items():
		    inode, is_dir, st = seen[name]
		    again = os.stat(f"{tree}/{name}")
		    assert not is_dir and st.st_size == size and st.st_ino == inode, (name, st)
		    assert (again.st_ino, again.st_size, again.st_mode, again.st_mtime) == (
		        st.st_ino, st.st_size, st.st_mode, st.st_mtime), (st, again)
		    with open(f"{tree}/{name}", "rb") as file:
		        assert file.read() == bytes(size), name
		assert seen["sub"][1] and os.listdir(f"{tree}/sub") == ["x.bin"]
	END
}

start_mount
ls -d "$tree" >/dev/null
before=$(nodes)
ls -f "$tree" >/dev/null # it asks for nothing but names: the kernel wants more than those at first
[ "$(nodes)" -gt "$before" ] || fail "the listing brought no nodes"
check
check

say "what is evicted is not listed, and is fetched again by its name"
fetchfs evict "$ORIGIN/dir/7.bin" "$ORIGIN/dir/8.bin"
check 7.bin 8.bin
[ "$(stat -c %s "$tree/7.bin")" -eq 7 ] || fail "7.bin"

say "what has changed is another node when it is opened"
head -c 9999 /dev/urandom >"$ORIGINROOT/dir/9.bin"
fetchfs fetch --refresh "$ORIGIN/dir/9.bin"
changed() {
	ls -l "$tree" >/dev/null && [ "$(stat -c %s "$tree/9.bin")" -eq 9999 ]
}
wait_for 30 changed || fail "still the old one: $(stat "$tree/9.bin")"
cmp "$tree/9.bin" "$ORIGINROOT/dir/9.bin" || fail "9.bin"

say "many list, look up, read and evict at once"
# shellcheck disable=SC2317 # called by name
churn() {
	case $1 in
	0) for _ in {1..10}; do ls -l "$tree" >/dev/null || return; done ;;
	1) for _ in {1..10}; do find "$tree" -size +1000c >/dev/null || return; done ;;
	2) for n in {100..140}; do [ "$(wc -c <"$tree/$n.bin")" -eq "$n" ] || return; done ;;
	3) for n in {100..140..3}; do fetchfs evict "$ORIGIN/dir/$n.bin" 2>/dev/null || :; done ;;
	esac
}
pids=()
for n in 0 1 2 3; do
	churn $n &
	pids+=($!)
	children+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || fail "one of them failed"
done
settle_mount
stop_mount
