#!/bin/bash
# What stat and statfs say: of folders, and of files before, while and after they come.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq python3
start_origin
mkdir "$ORIGINROOT/dir"
random_file 4M "$ORIGINROOT/a.bin" a
random_file 1000 "$ORIGINROOT/dir/b.bin" b
touch -d '2001-02-03 04:05:06 UTC' "$ORIGINROOT/a.bin"
printf '[policy]\nprivate = allow\n[cache]\nsize = 200M\n' >"$CONFIG"
start_mount
host=$MNT/http/${ORIGIN#http://}
file=$host/stall/2000000/a.bin
is() {
	[ "$(stat -c "$1" "$3")" = "$2" ] || fail "$3: $1 is $(stat -c "$1" "$3") instead of $2"
}
# On a busy machine the origin may answer later than a lookup waits; then the next one knows.
known() {
	wait_for 30 test -e "$1" || fail "$1 is not there"
}
here() {
	local blocks
	blocks=$(stat -c %b "$1")
	if [ "$blocks" -lt 1953 ] || [ "$blocks" -ge 8192 ]; then
		fail "$1: $blocks blocks of 1000000 bytes and more, but not of 4 MiB"
	fi
}

say "known only: size and time, nothing here; never no block at all, tar(1) would take it for a hole"
known "$file"
is '%F %s %b %h %a' "regular file 4194304 1 1 444" "$file"
is %Y 981173106 "$file"
is %Z 981173106 "$file"
inode=$(stat -c %i "$file")

say "in flight: what is here, by each name"
exec 3<"$file"
head -c 1000000 <&3 >/dev/null
here "$file"
here "$(at "$ORIGIN/stall/2000000/a.bin")"
is '%s %i' "4194304 $inode" "$file"

say "interrupted: what is here, too"
exec 3<&-
wait_for 30 nothing_in_flight || fail "it goes on"
here "$file"
is '%s %i' "4194304 $inode" "$file"

say "complete: all of it, the same inode, by each name"
known "$host/a.bin"
cmp "$ORIGINROOT/a.bin" "$host/a.bin" || fail "a.bin"
settle_mount
is '%s %b %Y %h' "4194304 8192 981173106 1" "$host/a.bin"
[ "$(stat -c %i "$host/a.bin")" = "$(stat -c %i "$(at "$ORIGIN/a.bin")")" ] || fail "two inodes"
known "$host/dir/b.bin"
cmp "$ORIGINROOT/dir/b.bin" "$host/dir/b.bin" || fail "b.bin"
settle_mount
is '%s %b' "1000 2" "$host/dir/b.bin"
[ "$(du -B1 --apparent-size "$host/dir/b.bin" | cut -f1)" = 1000 ] || fail "du"

say "folders: how many are in them nobody counts, which one link says"
is '%F %h %a' "directory 1 555" "$host/dir"
is '%F %h %i' "directory 1 1" "$MNT"

say "evicted and back: the same inode, though the node is new; who has it open does not notice"
inode=$(stat -c %i "$host/dir/b.bin")
exec 3<"$host/dir/b.bin"
python3 - "$host/dir/b.bin" "$FETCHFS" "$CACHE" "$CONFIG" "$ORIGIN/dir/b.bin" <<'END' || fail "b.bin"
import os, subprocess, sys
name, fetchfs, cache, config, uri = sys.argv[1:]
fd = os.open(name, os.O_PATH)
before = os.stat(name)
run = [fetchfs, "--cache", cache, "--config", config]
assert subprocess.run(run + ["evict", uri], stderr=subprocess.DEVNULL).returncode == 1, "it is open"
assert os.fstat(fd).st_ino == before.st_ino and os.stat(name).st_ino == before.st_ino
END
cmp "$ORIGINROOT/dir/b.bin" - <&3 || fail "who has it open"
exec 3<&-
evicted() {
	fetchfs evict "$ORIGIN/dir/b.bin" 2>/dev/null
}
wait_for 10 evicted || fail "evict"
cmp "$ORIGINROOT/dir/b.bin" "$host/dir/b.bin" || fail "b.bin, again"
is '%i %s' "$inode 1000" "$host/dir/b.bin"

say "attributes that are not ours: none of user., and no place for the others, so that ls -l gives up asking"
python3 - "$host/dir/b.bin" <<'END' || fail "foreign attributes"
import errno, os, sys
for name, expected in (("user.other", errno.ENODATA), ("security.selinux", errno.ENOTSUP),
                       ("system.posix_acl_access", errno.ENOTSUP), ("trusted.x", errno.ENOTSUP)):
    try:
        os.getxattr(sys.argv[1], name)
        raise AssertionError(name)
    except OSError as e:
        assert e.errno == expected, (name, e)
END

say "statfs: the limit of the cache, and what it holds"
settle_mount
python3 - "$MNT" "$(fetchfs status --json)" <<'END' || fail "statfs: $(stat -f "$MNT")"
import json, os, sys
st, status = os.statvfs(sys.argv[1]), json.loads(sys.argv[2])
near = lambda a, b: abs(a - b) <= 1 << 20
assert st.f_blocks * st.f_frsize == status["limit"] == 200 << 20, (st, status)
assert near(st.f_bfree * st.f_frsize, status["limit"] - status["used"]), (st, status)
assert st.f_bavail == st.f_bfree and st.f_files == status["entries"] and st.f_namemax == 255
assert st.f_flag & os.ST_RDONLY and st.f_flag & os.ST_NOSUID, st
END
stop_mount
