#!/bin/bash
# A folder of many names is listed page by page: nobody keeps all of it, each name comes once whatever
# comes and goes meanwhile, and every place in it is found again.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program python3

names=20000
base=http://bulk.invalid/flat
fill=$FETCHFS_BUILD/tests/support/fillcache
mkdir -m 700 "$CACHE"
# what is freed is given back, or all that the daemon ever had would count
export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=1

say "$names names"
seq -f "$base/f%05.0f.bin" 0 $((names - 1)) | "$fill" "$CACHE"
start_mount
tree=$MNT/http/bulk.invalid/flat


say "each once, also to many who have it open at the same time, for which the daemon needs little"
python3 - "$tree" $names "/proc/$MOUNT_PID/status" <<-'END' || fail "the listing, or the memory for it"
	import os, sys
	tree, names, status = sys.argv[1], int(sys.argv[2]), sys.argv[3]

	def resident():
	    with open(status) as lines:
	        return next(int(l.split()[1]) for l in lines if l.startswith("VmRSS"))

	def check(names_read):
	    assert sorted(names_read) == [f"f{n:05d}.bin" for n in range(names)], len(names_read)

	check(os.listdir(tree))
	before = resident()
	folders = [os.open(tree, os.O_RDONLY | os.O_DIRECTORY) for _ in range(24)]
	readers = [os.scandir(folder) for folder in folders]
	for reader in readers:
	    check([entry.name for entry in reader])
	grown = resident() - before
	print(f"{grown} KiB for {len(folders)} readers")
	assert grown < 16 << 10, grown
END

say "telldir, seekdir, rewinddir"
python3 - "$tree" $names <<-'END' || fail "a place is not where it was"
	import ctypes, random, sys

	class Entry(ctypes.Structure):
	    _fields_ = [("ino", ctypes.c_ulong), ("off", ctypes.c_long), ("len", ctypes.c_ushort),
	                ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]

	libc = ctypes.CDLL(None, use_errno=True)
	libc.opendir.restype = ctypes.c_void_p
	libc.readdir.restype = ctypes.POINTER(Entry)
	libc.telldir.restype = ctypes.c_long
	for name in ("readdir", "telldir", "rewinddir"):
	    getattr(libc, name).argtypes = [ctypes.c_void_p]
	libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
	folder = libc.opendir(sys.argv[1].encode())

	def read():
	    entry = libc.readdir(folder)
	    return entry.contents.name if entry else None

	def read_all():
	    places, name = [], b"."
	    while name:
	        place = libc.telldir(folder)
	        name = read()
	        places.append((place, name))
	    return places

	places = read_all()
	assert len(places) == int(sys.argv[2]) + 3, len(places)
	for place, name in random.sample(places, 300):
	    libc.seekdir(folder, place)
	    assert read() == name, (place, name)
	libc.rewinddir(folder)
	assert [name for _, name in read_all()] == [name for _, name in places]
END

say "names that come and go while it is listed: the others come once each"
