#!/bin/bash
# shellcheck disable=SC2016 # a script for another shell
# What the kernel merely remembers is bounded, without its needing the memory: beyond so many names it
# is asked to give up the oldest. Whatever is in use stays: open, mapped, somebody's folder, bound
# elsewhere, mounted upon, be it in another namespace. Where all is in use, listings bring no more.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program python3 unshare
if [ "$(printf '%s\n' 6.18 "$(uname -r)" | sort -V | head -n 1)" != 6.18 ]; then
	skip "the kernel cannot be asked to give up nodes (Linux 6.18)"
fi

start_origin
mkdir "$ORIGINROOT/dir" "$ORIGINROOT/other"
for name in open mapped source under elsewhere; do
	echo "$name" >"$ORIGINROOT/dir/$name.bin"
	echo "$ORIGIN/dir/$name.bin"
done >"$WORK/uris"
for n in {1..50}; do
	echo "$n" >"$ORIGINROOT/other/$n.bin"
	echo "$ORIGIN/other/$n.bin"
done >>"$WORK/uris"
echo above >"$WORK/above"
: >"$WORK/bound"
printf '[fetch]\nttl = 1h\n' >"$CONFIG"
fetchfs fetch -i "$WORK/uris"
start_mount
tree=$MNT/${ORIGIN/:\//}
mount --bind "$WORK/above" "$tree/dir/under.bin"
mounts+=("$tree/dir/under.bin")

cat >"$WORK/use.py" <<-'END'
	import mmap, os, resource, sys, time

	mnt, tree, bound = sys.argv[1:]
	dir = f"{tree}/dir"
	most = 24576 + 2048  # then the kernel is asked
	full = most + 2048   # then listings bring nothing
	limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
	resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

	def nodes():
	    with open(f"{mnt}/.fetchfs/metrics") as lines:
	        return next(int(l.split()[1]) for l in lines if l.startswith("fetchfs_nodes "))

	# Names in uri/ ask nobody when they are looked up.
	def look_up(n):
	    return os.open(f"{mnt}/uri/http:%2F%2F127.0.0.1:1%2F{n}.bin", os.O_PATH)

	# In other processes, since one may have so many files only; until the pipe is closed.
	def hold(count):
	    share = min(limit, 20000) - 100
	    ready, wait = os.pipe(), os.pipe()
	    for first in range(0, count, share):
	        if os.fork() == 0:
	            os.close(wait[1])
	            fds = [look_up(n) for n in range(first, min(first + share, count))]
	            os.write(ready[1], b".")
	            os.read(wait[0], 1)
	            os._exit(0)
	        assert os.read(ready[0], 1)
	    return wait[1]

	def read(path):
	    with open(path) as file:
	        return file.read().strip()

	opened = open(f"{dir}/open.bin")
	with open(f"{dir}/mapped.bin", "rb") as file:
	    mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
	os.chdir(dir)
	numbers = {name: os.stat(name).st_ino for name in ("open.bin", "mapped.bin", "source.bin")}

	for n in range(most + 20000):
	    os.close(look_up(n))
	until = time.monotonic() + 60
	while nodes() > most:
	    assert time.monotonic() < until, nodes()
	    time.sleep(0.05)

	assert opened.read() == "open\n" and mapped[:] == b"mapped\n"
	assert os.getcwd() == dir and read("open.bin") == "open" and read("mapped.bin") == "mapped"
	assert read(bound) == "source" and read("source.bin") == "source"
	assert read("under.bin") == "above" and read("elsewhere.bin") == "above"
	assert os.stat(bound).st_ino == os.stat("source.bin").st_ino
	assert numbers == {name: os.stat(name).st_ino for name in numbers}

	other = os.open(f"{tree}/other", os.O_RDONLY | os.O_DIRECTORY)
	held = hold(full)
	before = nodes()
	assert before >= full, before
	assert len(os.listdir(other)) == 50
	assert nodes() <= before, (before, nodes())
	assert read(f"{tree}/other/7.bin") == "7"
	os.close(held)
END
timeout 100 unshare -m --propagation private bash -euc '
	mount --bind "$3/dir/source.bin" "$4"
	mount --bind "$5" "$3/dir/elsewhere.bin"
	exec python3 "$1" "$2" "$3" "$4"' _ \
	"$WORK/use.py" "$MNT" "$tree" "$WORK/bound" "$WORK/above" || fail "what was in use, or too much"
[ "$(<"$tree/dir/under.bin")" = above ] || fail "what was mounted upon a name has gone"
umount "$tree/dir/under.bin"
[ "$(<"$tree/dir/under.bin")" = under ] || fail "$(<"$tree/dir/under.bin")"
stop_mount
