#!/bin/bash
# Every name of the mount: what it shows, what it asks, and what it refuses.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq getfattr setpriv
start_origin
mkdir -p "$ORIGINROOT/dir/sub"
random_file 300K "$ORIGINROOT/a.bin" a
random_file 10K "$ORIGINROOT/dir/sub/b.tar.gz" b
: >"$ORIGINROOT/empty.bin"
printf '[policy]\nprivate = allow\n' >"$CONFIG"
start_mount
host=${ORIGIN#http://}
names() {
	find "$1" -mindepth 1 -maxdepth 1 -not -name '.*' -printf '%f\n' | sort | xargs
}
asked() {
	grep -Ec "^$1 $2 " "$ORIGIN_LOG" || :
}

say "the root lists schemes, and neither uri nor what was never asked"
[ "$(names "$MNT")" = "digest file ftp ftps hdfs http https oci s3 swebhdfs webhdfs" ] || fail "root: $(names "$MNT")"
[ "$(ls -A "$MNT/.fetchfs")" = $'log\nmetrics\nstatus' ] || fail ".fetchfs: $(ls -A "$MNT/.fetchfs")"
[ -z "$(ls -A "$MNT/uri")" ] || fail "uri/ is listed"
[ -z "$(ls -A "$MNT/http/$host")" ] || fail "an unknown host is not empty"

say "an exact name is read once, whatever its spelling"
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/a.bin")" || fail "bytes differ"
cmp "$ORIGINROOT/a.bin" "$MNT/uri/HTTP:%2f%2F$host%2Fdir%2F..%2F%61.bin" || fail "spelling"
[ "$(asked GET /a.bin)" -eq 1 ] || fail "$(asked GET /a.bin) downloads"
[ "$(stat -c %i "$(at "$ORIGIN/a.bin")")" = "$(stat -c %i "$MNT/uri/HTTP:%2F%2F$host%2F%61.bin")" ] ||
	fail "two spellings are two files"

say "the natural tree: cold by way of folders nobody declared, then known"
cmp "$ORIGINROOT/dir/sub/b.tar.gz" "$MNT/http/$host/dir/sub/b.tar.gz" || fail "bytes differ"
cmp "$ORIGINROOT/a.bin" "$MNT/http/$host/a.bin" || fail "bytes differ"
[ "$(asked GET /a.bin)" -eq 1 ] || fail "the tree downloads again"
[ "$(cd "$MNT/http/$host" && find . | sort | xargs)" = ". ./a.bin ./dir ./dir/sub ./dir/sub/b.tar.gz" ] ||
	fail "tree: $(cd "$MNT/http/$host" && find . | sort | xargs)"
[ "$(ls "$MNT/http")" = "$host" ] || fail "hosts: $(ls "$MNT/http")"

say "attributes"
[ "$(stat -c '%a %u %h %s %F' "$MNT/http/$host/a.bin")" = "444 0 1 307200 regular file" ] ||
	fail "$(stat -c '%a %u %h %s %F' "$MNT/http/$host/a.bin")"
[ "$(stat -c %Y "$MNT/http/$host/a.bin")" = "$(stat -c %Y "$ORIGINROOT/a.bin")" ] || fail "mtime"
python3 - "$MNT/http/$host" <<'END' ||
import os, sys
for entry in os.scandir(sys.argv[1]):
    assert entry.inode() == os.stat(entry.path).st_ino, entry.name
END
	fail "readdir and stat disagree on the inode number"
[ "$(stat -c '%a %F' "$MNT/http/$host/dir")" = "555 directory" ] || fail "folder"
[ "$(stat -c %s "$(at "$ORIGIN/dir/sub/b.tar.gz")")" -eq 10240 ] || fail "size"
[ ! -s "$(at "$ORIGIN/empty.bin")" ] || fail "the empty file is not"
cmp "$ORIGINROOT/empty.bin" "$(at "$ORIGIN/empty.bin")" || fail "the empty file"

say "by digest"
sum=$(sha256 "$ORIGINROOT/a.bin")
cmp "$ORIGINROOT/a.bin" "$MNT/digest/sha256/$sum" || fail "by digest"
expect_errno ENOENT "$MNT/digest/sha256/${sum//[0-9]/0}"
expect_errno ENOENT "$MNT/digest/sha256/${sum^^}"
expect_errno ENOENT "$MNT/digest/sha256/x"
[ "$(ls "$MNT/digest")" = sha256 ] || fail "digest: $(ls "$MNT/digest")"
[ -z "$(ls "$MNT/digest/sha256")" ] || fail "digests are listed"

say "what is not there"
expect_errno ENOENT "$(at "$ORIGIN/none.bin")"
expect_errno ENOENT "$MNT/http/$host/none.bin"
expect_errno ENOENT "$MNT/uri/nonsense"
expect_errno ENOENT "$MNT/nonsense"
expect_errno ENOENT "$MNT/.fetchfs/nonsense"
expect_errno EPROTONOSUPPORT "$(at gopher://x/y)"

say "extended attributes: by name, and not listed"
attribute() {
	getfattr --absolute-names --only-values -n "user.fetchfs.$1" "$(at "$ORIGIN/a.bin")"
}
[ "$(attribute uri)" = "$ORIGIN/a.bin" ] || fail "uri: $(attribute uri)"
[ "$(attribute sha256)" = "$sum" ] || fail "sha256"
[ "$(attribute state)" = complete ] || fail "state: $(attribute state)"
[ "$(attribute cached_bytes)" = 307200 ] || fail "cached_bytes"
[ -z "$(getfattr --absolute-names -m - "$(at "$ORIGIN/a.bin")")" ] || fail "they are listed"
getfattr --absolute-names --only-values -n user.fetchfs.error "$(at "$ORIGIN/none.bin")" 2>/dev/null &&
	fail "an error that nobody kept"

say "status"
jq -e ".pid == $MOUNT_PID and .cache == \"$CACHE\" and .entries == 3 and .used <= .limit and
	.fetched_bytes >= 317440 and .in_flight == 0" "$MNT/.fetchfs/status" >/dev/null ||
	fail "status: $(<"$MNT/.fetchfs/status")"
[ "$(stat -c %s "$MNT/.fetchfs/status")" -gt 0 ] || fail "the status looks empty"

say "nothing can be changed"
refused() {
	local text
	if text=$("$@" 2>&1); then fail "not refused: $*"; fi
	[[ $text == *"Read-only file system"* ]] || fail "$*: $text"
}
refused cp "$ORIGINROOT/a.bin" "$MNT/http/$host/c.bin"
refused rm -f "$MNT/http/$host/a.bin"
refused mkdir "$MNT/new"
refused mv "$MNT/http/$host/a.bin" "$MNT/http/$host/c.bin"
refused chmod 777 "$MNT/http/$host/a.bin"
refused truncate -s 0 "$MNT/http/$host/a.bin"
refused setfattr -n user.x -v y "$MNT/http/$host/a.bin"
refused ln -s x "$MNT/http/$host/link.txt"

say "a URI with a query belongs to whom it was fetched by, and is not in the tree"
secret="$(at "$ORIGIN/a.bin?token=1")"
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
cmp "$ORIGINROOT/a.bin" "$secret" || fail "with a query"
before=$(wc -l <"$ORIGIN_LOG")
cmp "$ORIGINROOT/a.bin" "$secret" || fail "with a query, again"
[ "$(wc -l <"$ORIGIN_LOG")" -eq "$before" ] || fail "the owner's second read asks"
[ "$(stat -c %a "$secret")" = 440 ] || fail "mode $(stat -c %a "$secret")"
"${nobody[@]}" cmp "$ORIGINROOT/a.bin" "$secret" || fail "another user's own"
[ "$(wc -l <"$ORIGIN_LOG")" -gt "$before" ] || fail "another user reads what is not its own"
[ "$(names "$MNT/http/$host")" = "a.bin dir empty.bin" ] || fail "listed: $(names "$MNT/http/$host")"

stop_mount
say "-o xattrs lists, -o known asks nobody"
start_mount -o xattrs,known
[ "$(getfattr --absolute-names -m - "$(at "$ORIGIN/a.bin")" | grep -c '^user.fetchfs')" -ge 8 ] || fail "not listed"
before=$(wc -l <"$ORIGIN_LOG")
cmp "$ORIGINROOT/a.bin" "$MNT/http/$host/a.bin" || fail "what is known"
expect_errno ENOENT "$(at "$ORIGIN/unknown.bin")"
expect_errno ENOENT "$MNT/http/$host/unknown.bin"
expect_errno ENOENT "$MNT/http/$host/unknown"
[ "$(wc -l <"$ORIGIN_LOG")" -eq "$before" ] || fail "it asked"
stop_mount
no_debris

say "a folder on the way to what is allowed is one, though it is called like a file"
mkdir -p "$WORK/local.d/files" "$WORK/other.d"
cp "$ORIGINROOT/a.bin" "$WORK/local.d/files/a.bin"
cp "$ORIGINROOT/a.bin" "$WORK/other.d/a.bin"
printf '[policy]\nfile = %s\n' "$WORK/local.d/files" >"$CONFIG"
start_mount
cmp "$ORIGINROOT/a.bin" "$MNT/file$WORK/local.d/files/a.bin" || fail "bytes differ"
expect_errno EACCES "$MNT/file$WORK/other.d"
expect_errno EACCES "$MNT/file$WORK/local.d/a.bin"

say "links lead out of it neither to files nor to folders, but may lead on inside, and the folder be one"
ln -s ../../other.d/a.bin "$WORK/local.d/files/out.bin"
ln -s ../../other.d "$WORK/local.d/files/out"
ln -s /etc/passwd "$WORK/local.d/files/passwd.txt"
ln -s a.bin "$WORK/local.d/files/in.bin"
for name in out.bin out/a.bin passwd.txt; do
	expect_errno EACCES "$MNT/file$WORK/local.d/files/$name"
	expect_errno EACCES "$(at "file://$WORK/local.d/files/$name")"
done
cmp "$ORIGINROOT/a.bin" "$MNT/file$WORK/local.d/files/in.bin" || fail "a link inside"
stop_mount
ln -s local.d/files "$WORK/link"
printf '[policy]\nfile = %s\n' "$WORK/link" >"$CONFIG"
start_mount
cmp "$ORIGINROOT/a.bin" "$MNT/file$WORK/link/a.bin" || fail "by way of a folder that is a link"
expect_errno EACCES "$MNT/file$WORK/link/out.bin"
stop_mount
