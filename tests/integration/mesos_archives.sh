#!/bin/bash
# mesos-fetcher: archives, unpacked into the sandbox by their suffix; what of them may not be.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/users.sh"
. "$(dirname "$0")/../support/mesos.sh"
need_program bzip2 xz python3
start_nginx
echo "[policy]
private = allow" >"$CONFIG"
USER_NAME=alice

# pack NAME COMMAND…: $WWW/NAME is what COMMAND makes of $WORK/tree
mkdir -p "$WORK/tree/dir/deep"
random_file 30K "$WORK/tree/dir/file"
random_file 1K "$WORK/tree/dir/deep/prog"
chmod 700 "$WORK/tree/dir/deep/prog"
ln -s deep/prog "$WORK/tree/dir/link"
ln "$WORK/tree/dir/file" "$WORK/tree/dir/hard"
touch -d '2001-02-03 04:05:06' "$WORK/tree/dir/file" "$WORK/tree/dir/deep"
(
	cd "$WORK/tree"
	tar cf "$WWW/a.tar" dir
	for name in a.tgz a.tar.gz; do tar czf "$WWW/$name" dir; done
	for name in a.tbz2 a.tar.bz2; do tar cjf "$WWW/$name" dir; done
	for name in a.txz a.tar.xz; do tar cJf "$WWW/$name" dir; done
	python3 -c "import shutil; shutil.make_archive('$WWW/a', 'zip', '.', 'dir')"
)
tree="./dir ./dir/deep ./dir/deep/prog ./dir/file ./dir/hard ./dir/link "

say "each suffix is unpacked, as the user's, with modes and times; the archive stays"
for name in a.tar a.tgz a.tar.gz a.tbz2 a.tar.bz2 a.txz a.tar.xz; do
	new_box
	fetched "$(item "$HTTP/$name")"
	[ "$(contents)" = "./$name $tree" ] || fail "$name: there is $(contents)"
	same "$name" "$WWW/$name"
	same dir/file "$WORK/tree/dir/file"
	mode_is "$box/dir/file" 644
	mode_is "$box/dir/deep/prog" 755
	mode_is "$box/dir/deep" 755
	[ "$(readlink "$box/dir/link")" = deep/prog ] || fail "$name: link"
	[ "$(stat -c %Y "$box/dir/file" "$box/dir/deep" | sort -u)" = 981173106 ] || fail "$name: times"
	[ -z "$(find "$box" -mindepth 1 ! -user alice)" ] || fail "$name: not alice's"
done
new_box
fetched "$(item "$HTTP/a.zip")"
same dir/file "$WORK/tree/dir/file"
as alice sh -c "echo more >>'$box/dir/file' && rm -r '$box/dir'" || fail "alice's own is not hers"
fetched "$(item "$HTTP/a.zip")"
same dir/file "$WORK/tree/dir/file"

say "the content decides what it is: a zip that is called .tar"
cp "$WWW/a.zip" "$WWW/zip.tar"
new_box
fetched "$(item "$HTTP/zip.tar")"
same dir/file "$WORK/tree/dir/file"

say "other suffixes and other cases are copied, with a word of warning"
new_box
for name in a.tzst a.7z a.TAR a.tar.gz.x; do
	cp "$WWW/a.tgz" "$WWW/$name"
	fetched "$(item "$HTTP/$name")"
	said "Copying instead of extracting resource from URI with 'extract' flag, because it does not seem to be an archive: $HTTP/$name"
done
[ "$(contents)" = "./a.7z ./a.TAR ./a.tar.gz.x ./a.tzst " ] || fail "there is $(contents)"

say "extract: false, and what is executable, are not unpacked"
new_box
fetched "$(item "$HTTP/a.tgz" '{"extract": false}')" \
	"$(item "$HTTP/a.tar" '{"extract": true, "executable": true}')"
[ "$(contents)" = "./a.tar ./a.tgz " ] || fail "there is $(contents)"
mode_is "$box/a.tar" 755
unsaid 'Copying instead'

say "an output_file gives the suffix, and a query takes it; contents go to the top"
new_box
fetched "$(item "$HTTP/a.tgz?x" '{"output_file": "sub/b.tgz"}')"
[ "$(contents)" = "$tree./sub ./sub/b.tgz " ] || fail "there is $(contents)"
new_box
fetched "$(item "$HTTP/a.tgz?x")" "$(item "$HTTP/a.tgz" '{"output_file": "plain"}')"
[ "$(contents)" = "./a.tgz?x ./plain " ] || fail "there is $(contents)"

say "a bare .gz is one file, also the second time"
gzip -c "$WORK/tree/dir/file" >"$WWW/some.gz"
new_box
for _ in 1 2; do
	fetched "$(item "$HTTP/some.gz" '{"output_file": "sub/one.txt.gz"}')"
	[ "$(contents)" = "./one.txt ./sub ./sub/one.txt.gz " ] || fail "there is $(contents)"
	same one.txt "$WORK/tree/dir/file"
	mode_is "$box/one.txt" 644
	said "Extracted '$box/sub/one.txt.gz' into '$box'"
done

say "what is no archive, half of one, or nothing"
new_box
cp "$WORK/tree/dir/file" "$WWW/text.tar"
cp "$WWW/some.gz" "$WWW/some.tgz"
head -c 20000 "$WWW/a.tgz" >"$WWW/half.tgz"
head -c 20000 "$WWW/a.tgz" >"$WWW/half.gz"
: >"$WWW/empty.tar"
refused 'Unrecognized archive format' "$(item "$HTTP/text.tar")"
refused 'Unrecognized archive format' "$(item "$HTTP/some.tgz")"
refused 'extract' "$(item "$HTTP/half.tgz")"
refused 'extract' "$(item "$HTTP/half.gz")"
[ "$(contents)" = "./half.gz ./half.tgz ./some.tgz ./text.tar " ] || fail "half a tree: $(contents)"
fetched "$(item "$HTTP/empty.tar")"

say "nothing leads out of the sandbox: neither by the archive …"
python3 - "$WWW" "$WORK" <<-'END'
	import io, sys, tarfile
	www, work = sys.argv[1:]
	def make(name, *members):
	    with tarfile.open(f"{www}/{name}", "w") as tar:
	        for path, kind, target in members:
	            info = tarfile.TarInfo(path)
	            info.type, info.linkname = kind, target
	            data = b"evil"
	            info.size = len(data) if kind == tarfile.REGTYPE else 0
	            info.mode = 0o4755
	            tar.addfile(info, io.BytesIO(data))
	F, S, H = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
	make("up.tar", ("../out", F, ""))
	make("link.tar", ("ln", S, work), ("ln/out", F, ""))
	make("linkup.tar", ("ln", S, ".."), ("ln/out", F, ""))
	make("hard.tar", ("h", H, "../../etc/passwd"))
	make("fifo.tar", ("f", tarfile.FIFOTYPE, ""))
	make("device.tar", ("d", tarfile.CHRTYPE, ""))
	make("setuid.tar", ("s", F, ""))
	make("into.tar", ("out/file", F, ""))
	make("log.tar", ("a/b", F, ""))
END
for name in up link linkup hard fifo device; do
	new_box
	refused 'extract archive' "$(item "$HTTP/$name.tar")"
	[ "$(contents)" = "./$name.tar " ] || fail "$name.tar: there is $(contents)"
	[ ! -e "$WORK/out" ] || fail "$name.tar: written outside"
done
new_box
fetched "$(item "$HTTP/setuid.tar")"
mode_is "$box/s" 755

say "… nor by what is in the sandbox already"
new_box
mkdir "$WORK/outside"
chown alice "$WORK/outside"
as alice ln -s "$WORK/outside" "$box/out"
refused 'out is no folder, or a symbolic link' "$(item "$HTTP/into.tar")"
[ -z "$(ls "$WORK/outside")" ] || fail "written through a link"
new_box
mkdir -p "$box/dir/link" "$box/dir/deep"
echo old >"$box/dir/deep/prog"
chown -R alice "$box"
ln -s "$WORK/outside/file" "$box/dir/file"
chown -h alice "$box/dir/file"
refused 'dir/link' "$(item "$HTTP/a.tar")"
rmdir "$box/dir/link"
fetched "$(item "$HTTP/a.tar")"
same dir/file "$WORK/tree/dir/file"
same dir/deep/prog "$WORK/tree/dir/deep/prog"
[ -z "$(ls "$WORK/outside")" ] || fail "written through a link"

say "unpacked once, whoever wants it and how often"
[ "$(fetchfs cat "$HTTP/a.tar" | sha256sum | cut -c1-64)" = "$(sha256 "$WWW/a.tar")" ] || fail "a.tar"
trees=("$CACHE"/trees/*)
for _ in 1 2 3; do
	new_box
	fetched "$(item "$HTTP/a.tar")"
done
again=("$CACHE"/trees/*)
[ "${#again[@]}" -eq "${#trees[@]}" ] || fail "${#trees[@]} trees, then ${#again[@]}"
no_debris
