#!/bin/bash
# NAME.unpacked: what is in an archive, as a folder beside it.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq getfattr setpriv

start_origin
mkdir -p "$ORIGINROOT/dist" "$WORK/tree/bin" "$WORK/tree/lib/deep/er" "$WORK/tree/empty"
cat >"$CONFIG" <<-END
	[policy]
	allow = $ORIGIN/
END

# ---- an archive of all kinds of things ----

printf '#!/bin/sh\necho "run with $*"\n' >"$WORK/tree/bin/tool"
chmod 755 "$WORK/tree/bin/tool"
random_file 100 "$WORK/tree/lib/small" 1
random_file 3M "$WORK/tree/lib/large" 2
: >"$WORK/tree/lib/deep/er/nothing"
echo accents >"$WORK/tree/lib/"$'caf\xc3\xa9'
ln -s ../lib/small "$WORK/tree/bin/link"
ln -s lib "$WORK/tree/folder-link"
touch -d '2020-02-03 04:05:06 UTC' "$WORK/tree/lib/small"
tar -C "$WORK/tree" -czf "$ORIGINROOT/dist/a.tar.gz" .

start_mount
tree=$MNT/http/${ORIGIN#*//}
a=$tree/dist/a.tar.gz.unpacked

# as_in FOLDER TREE: the same names, kinds, bytes and targets of links
as_in() {
	diff -r --no-dereference "$1" "$2" || fail "$1 is not $2"
	diff <(cd "$1" && find . -printf '%P %y %l\n' | sort) \
		<(cd "$2" && find . -printf '%P %y %l\n' | sort) || fail "$1: other names"
}

say "a cold path into it"
[ "$(cat "$a/lib/$(printf 'caf\xc3\xa9')")" = accents ] || fail "not read"

say "the whole of it, and what is in the archive still beside it"
as_in "$a" "$WORK/tree"
cmp "$tree/dist/a.tar.gz" "$ORIGINROOT/dist/a.tar.gz" || fail "the archive"
quiet_origin
[ "$(origin_requests GET /dist/a.tar.gz)" -eq 1 ] || fail "more than one download"
[ "$(ls "$CACHE/trees")" = "$(sha256 "$ORIGINROOT/dist/a.tar.gz")" ] || fail "trees: $(ls "$CACHE/trees")"

say "programs run, times are those of the archive, nothing can be changed"
[ "$("$a/bin/tool" x)" = "run with x" ] || fail "not run"
[ "$(stat -c '%Y %s %a' "$a/lib/small")" = "$(date -d '2020-02-03 04:05:06 UTC' +%s) 100 444" ] ||
	fail "stat: $(stat -c '%Y %s %a' "$a/lib/small")"
[ "$(stat -c '%a %F' "$a/bin/tool" "$a/lib" | paste -sd ' ')" = '555 regular file 555 directory' ] ||
	fail "modes: $(stat -c '%a %F' "$a/bin/tool" "$a/lib")"
(cd "$a/lib/deep/er" && cmp ../../small "$WORK/tree/lib/small") ||
	fail "from within"
! touch "$a/new" 2>/dev/null || fail "made a file"
! rm -f "$a/lib/small" 2>/dev/null || fail "removed a file"
expect_errno ENOENT "$a/none"
expect_errno ENOENT "$a/lib/none"

say "it is not listed, and names that are no archive's are not there"
[ "$(ls "$tree/dist")" = a.tar.gz ] || fail "listed: $(ls "$tree/dist")"
[ ! -e "$tree/dist/none.tar.gz.unpacked" ] || fail "there"
[ ! -e "$tree/dist.unpacked" ] || fail "of a folder"

say "of what is no archive the error tells"
echo text >"$ORIGINROOT/dist/b.txt"
! ls "$tree/dist/b.txt.unpacked" 2>"$WORK/stderr" || fail "listed"
grep -q 'not supported' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
getfattr --only-values -n user.fetchfs.error "$tree/dist/b.txt.unpacked" >"$WORK/error"
grep -q 'no archive' "$WORK/error" || fail "said: $(<"$WORK/error")"
[ "$(cat "$tree/dist/b.txt")" = text ] || fail "the file"

say "one that leads outside: nothing of it"
mkdir "$WORK/evil"
ln -s /etc "$WORK/evil/escape"
echo harmless >"$WORK/evil/first"
tar -C "$WORK/evil" -czf "$ORIGINROOT/dist/evil.tgz" first escape
! ls "$tree/dist/evil.tgz.unpacked" >/dev/null 2>&1 || fail "listed"
expect_errno EBADMSG "$tree/dist/evil.tgz.unpacked/first"
getfattr --only-values -n user.fetchfs.error "$tree/dist/evil.tgz.unpacked" >"$WORK/error"
grep -q 'escape' "$WORK/error" || fail "said: $(<"$WORK/error")"

say "what was compressed by itself has the name without its suffix"
gzip -c "$WORK/tree/lib/large" >"$ORIGINROOT/dist/large.gz"
[ "$(ls "$tree/dist/large.gz.unpacked")" = large ] || fail "ls: $(ls "$tree/dist/large.gz.unpacked")"
cmp "$tree/dist/large.gz.unpacked/large" "$WORK/tree/lib/large" || fail "other bytes"
expect_errno ENOENT "$tree/dist/large.gz.unpacked/data"

say "a slow archive holds up neither the folder nor those who are killed"
slow=$tree/rate/100000/dist/a.tar.gz.unpacked
ls "$slow" >/dev/null 2>&1 &
reader=$!
children+=("$reader")
wait_for 20 origin_stat_is running 1 || fail "it is not fetched"
timeout 10 ls "$tree/rate/100000/dist" >/dev/null || fail "the folder is held up"
timeout 10 cmp "$tree/rate/100000000/dist/b.txt" "$ORIGINROOT/dist/b.txt" || fail "a name beside it"
timeout 10 as_in "$a" "$WORK/tree" 2>/dev/null || timeout 10 diff -r --no-dereference "$a" "$WORK/tree" ||
	fail "another archive is held up"
kill "$reader"
wait_for 10 gone "$reader" || fail "who waits for it cannot be killed"

say "many that wait for archives hold up no other; killed, they end the downloads"
echo new >"$WORK/new"
tar -C "$WORK" -czf "$ORIGINROOT/dist/new.tar.gz" new
cmp "$tree/dist/new.tar.gz" "$ORIGINROOT/dist/new.tar.gz" || fail "new.tar.gz"
pids=()
for i in {1..40}; do
	ln -s a.tar.gz "$ORIGINROOT/dist/slow$i.tar.gz"
	timeout 60 ls "$tree/stall/1000/dist/slow$i.tar.gz.unpacked" >/dev/null 2>&1 &
	pids+=($!)
	children+=($!)
done
wait_for 30 origin_stat_is running 40 || fail "$(origin_stat running) downloads"
took=$(milliseconds timeout 20 ls "$tree/dist/new.tar.gz.unpacked")
echo "- unpacked in $took ms"
origin_stat_is running 40 || fail "they wait no more"
kill "${pids[@]}"
for pid in "${pids[@]}"; do ! wait "$pid" || fail "a slow one was quick"; done
wait_for 20 origin_stat_is running 0 || fail "$(origin_stat running) downloads for nobody"

say "many at once: one download, unpacked once"
cp "$ORIGINROOT/dist/a.tar.gz" "$ORIGINROOT/dist/c.tar.gz"
printf x >>"$ORIGINROOT/dist/c.tar.gz" # (gzip warns of it, and is right)
pids=()
for _ in 1 2 3 4 5 6 7 8; do
	cmp "$tree/dist/c.tar.gz.unpacked/lib/large" "$WORK/tree/lib/large" &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "one of many"; done
quiet_origin
[ "$(origin_requests GET /dist/c.tar.gz)" -eq 1 ] || fail "more than one download"

say "it changes at its origin: a new walk finds the new one, who is inside the old one stays there"
mkdir "$WORK/tree2"
echo new >"$WORK/tree2/only"
tar -C "$WORK/tree" -czf "$ORIGINROOT/dist/v.tar.gz" .
v=$tree/header/Cache-Control/max-age%3D0/dist/v.tar.gz.unpacked
cmp "$v/lib/small" "$WORK/tree/lib/small" || fail "the first version"
exec 3<"$v/lib/large"
cd "$v/lib"
tar -C "$WORK/tree2" -czf "$WORK/v.tar.gz" .
mv "$WORK/v.tar.gz" "$ORIGINROOT/dist/v.tar.gz"
[ "$(cat "$v/only")" = new ] || [ "$(cat "$v/only")" = new ] || fail "the second version"
as_in "$v" "$WORK/tree2"
cmp - "$WORK/tree/lib/large" <&3 || fail "what was open"
cmp small "$WORK/tree/lib/small" || fail "from within the first version"
cd /
exec 3<&-

say "what is open is not evicted; afterwards it is, and comes again"
exec 3<"$a/lib/large"
expect_failure 1 'in use|open' "${fetchfs[@]}" evict "$ORIGIN/dist/a.tar.gz"
exec 3<&-
fetchfs evict "$ORIGIN/dist/a.tar.gz" || fail "not evicted"
[ ! -e "$CACHE/trees/$(sha256 "$ORIGINROOT/dist/a.tar.gz")" ] || fail "the tree is left"
as_in "$a" "$WORK/tree"

say "one with a query belongs to who asked"
q=$(printf '%s/dist/a.tar.gz?secret=1.unpacked' "$tree")
as_in "$q" "$WORK/tree"
[ "$(stat -c %a "$q/lib/small")" = 440 ] || fail "mode: $(stat -c %a "$q/lib/small")"
quiet_origin
before=$(origin_requests GET '/dist/a.tar.gz.*')
setpriv --reuid=12345 --regid=12345 --clear-groups cat "$q/lib/small" | cmp - "$WORK/tree/lib/small" ||
	fail "the other's own"
quiet_origin
[ "$(origin_requests GET '/dist/a.tar.gz.*')" -gt "$before" ] || fail "shared"
stop_mount

say "without asking anybody: what is here can be unpacked"
fetchfs evict --all >/dev/null
cp "$ORIGINROOT/dist/a.tar.gz" "$ORIGINROOT/dist/quick.tar.gz"
fetchfs fetch "$ORIGIN/dist/a.tar.gz" "$ORIGIN/header/Cache-Control/max-age%3D0/dist/quick.tar.gz"
before=$(wc -l <"$ORIGIN_LOG")
start_mount -o known
as_in "$a" "$WORK/tree"
as_in "$tree/header/Cache-Control/max-age%3D0/dist/quick.tar.gz.unpacked" "$WORK/tree"
quiet_origin
[ "$(wc -l <"$ORIGIN_LOG")" -eq "$before" ] || fail "asked: $(tail -n 3 "$ORIGIN_LOG")"
[ ! -e "$tree/dist/c.tar.gz.unpacked" ] || fail "of what is not here"
stop_mount
