#!/bin/bash
# `list = yes`: folders show what is at the origin, whose servers list them as HTML or not at all.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program nginx jq python3 getfattr

mkdir -p "$WWW/pub/sub/deep" "$WWW/other" "$WWW/page"
printf 'four' >"$WWW/pub/four"
printf 'sp' >"$WWW/pub/a b#c%41?.txt"
printf 'utf' >"$WWW/pub/Ä.txt"
printf 'quo' >"$WWW/pub/q\"<&'.txt"
for n in {1..200}; do
	printf '%*s' "$n" '' >"$WWW/pub/sub/$n.bin"
done
printf 'deep' >"$WWW/pub/sub/deep/x.tgz"
echo secret >"$WWW/other/hidden.txt"
mkdir "$WWW/many"
(cd "$WWW/many" && printf 'tool_%s_amd64.deb\n' {1..10000} | xargs touch)
cat >"$WWW/page/index.html" <<'END'
<!doctype html><base href="/page/"><p><A HREF=one.txt>one</A><a href='two/'>two</a><a>none</a>
<a href="/page/three%2etxt">3</a><a href="//elsewhere.invalid/page/no">x</a><a href="..">up</a>
<a href="?C=M;O=D">by time</a><a href="#top">top</a><a href="a/b">below</a><a href="">self</a>
<a href="mailto:x@y">mail</a><a href="one.txt">again</a><a href="two">and as a file</a>
<a href="javascript:alert(1)">j</a><a href="%2e%2e/x">dots</a><a href="sl%2Fash">slash</a><a href="/page">
END
mkdir -p "$WWW/slash/dir"
printf below >"$WWW/slash/dir/x.txt"
echo '<a href=dir>dir</a>' >"$WWW/slash/index.html"
echo '<a href=x.txt>x</a>' >"$WWW/slash/dir/index.html"
NGINX_MORE="location /pub/ { alias $WWW/pub/; autoindex on; }
	location /cached/ { alias $WWW/pub/sub/; autoindex on; add_header Cache-Control max-age=0; }
	location /many/ { alias $WWW/many/; autoindex on; }
	location = /page/two { return 200 two; }
	location /moved/ { return 302 /pub/sub/; }"
start_nginx
cat >"$CONFIG" <<-END
	[fetch]
	negative_ttl = 0
	[origin "$HTTP/pub"]
	list = yes
	[origin "$HTTP/cached"]
	list = yes
	[origin "$HTTP/many"]
	list = yes
	[origin "$HTTP/page"]
	list = yes
	[origin "$HTTP/slash"]
	list = yes
	[origin "$HTTP/moved"]
	list = yes
	[origin "$HTTP/gone"]
	list = yes
	[origin "$HTTP/four"]
	list = yes
END
start_mount
tree=$MNT/${HTTP/:\//}

# names FOLDER: of the listing, one a line, in the order of bytes.
names() {
	LC_ALL=C ls -A1 --color=never "$1"
}

say "a folder that nobody declared shows what the origin has; each name leads to its file"
names "$tree/pub" >"$WORK/seen"
printf '%s\n' 'a%20b%23c%2541%3F.txt' four 'q%22%3C%26%27.txt' sub '%C3%84.txt' | LC_ALL=C sort |
	diff - "$WORK/seen" || fail "other names"
[ "$(cat "$tree/pub/a%20b%23c%2541%3F.txt")" = sp ] || fail "another file"
[ "$(cat "$tree/pub/q%22%3C%26%27.txt")" = quo ] || fail "another file"
[ "$(cat "$tree/pub/%C3%84.txt")" = utf ] || fail "another file"

say "a listed file without a suffix is one at once, a listed folder needs no question"
settle_nginx
before=$(requests '[A-Z]+' /pub/sub)
[ "$(stat -c '%F %s' "$tree/pub/four")" = "regular file 4" ] || fail "$(stat "$tree/pub/four")"
[ "$(stat -c %F "$tree/pub/sub")" = directory ] || fail "$(stat "$tree/pub/sub")"
[ "$(cat "$tree/pub/four")" = four ] || fail "cat"
settle_nginx
[ "$(requests '[A-Z]+' /pub/sub)" -eq "$before" ] || fail "asked for the folder"

say "find and du walk it all, each folder asked for once while it is fresh"
[ "$(find "$tree/pub" -type f | wc -l)" -eq 205 ] || fail "$(find "$tree/pub" | wc -l)"
[ "$(find "$tree/pub" -name x.tgz -size 4c)" = "$tree/pub/sub/deep/x.tgz" ] || fail "find"
ls -l "$tree/pub/sub" >"$WORK/long"
[ "$(awk '$9 == "150.bin" { print $5 }' "$WORK/long")" = 150 ] || fail "$(<"$WORK/long")"
settle_nginx
[ "$(requests GET '/pub/sub/')" -eq 1 ] || fail "$(requests GET '/pub/sub/') requests"

say "a page of ten thousand names, a megabyte, has all of them"
names "$tree/many" | diff - <(LC_ALL=C ls "$WWW/many") || fail "other names"

say "what is cached, complete or absent, is shown once"
cat "$tree/pub/sub/7.bin" >/dev/null
[ "$(names "$tree/pub/sub" | grep -c '^7.bin$')" -eq 1 ] || fail "twice"
[ "$(names "$tree/pub/sub" | wc -l)" -eq 201 ] || fail "$(names "$tree/pub/sub" | wc -l)"

say "without list = yes: only what the cache knows"
cat "$tree/other/hidden.txt" >/dev/null
echo more >"$WWW/other/more.txt"
[ "$(names "$tree/other")" = hidden.txt ] || fail "$(names "$tree/other")"
settle_nginx
[ "$(requests '[A-Z]+' '/other/')" -eq 0 ] || fail "asked"

say "a listing goes with the time that its server gives it"
names "$tree/cached" >/dev/null
printf new >"$WWW/pub/sub/new.bin"
rm "$WWW/pub/sub/8.bin"
[ "$(names "$tree/cached" | grep -c '^new.bin$\|^8.bin$')" -eq 1 ] || fail "not asked again"

say "any page is a listing of what it links to directly below itself"
names "$tree/page" >"$WORK/seen"
printf '%s\n' one.txt sl%2Fash three.txt two | diff - "$WORK/seen" || fail "other names"
[ "$(stat -c %F "$tree/page/two")" = directory ] || fail "two"
[ "$(names "$tree/moved" | wc -l)" -eq 201 ] || fail "not behind a redirect"

say "a link without a slash may be a folder; a name that is a file elsewhere, too, is one"
names "$tree/slash" >/dev/null
[ "$(cat "$tree/slash/dir/x.txt")" = below ] || fail "not below it"
[ "$(find "$tree/slash" -type f)" = "$tree/slash/dir/x.txt" ] || fail "$(find "$tree/slash")"
both=uri/$(jq -rn --arg uri "$HTTP/page/two" '$uri | gsub("%"; "%25") | gsub("/"; "%2F")')
cat "$MNT/$both" >/dev/null
[ "$(find "$tree/page" -maxdepth 1 -name two -type d)" = "$tree/page/two" ] || fail "two is a file"

say "no listing: what is known, and why that is all"
names "$tree/gone" >"$WORK/seen"
[ ! -s "$WORK/seen" ] || fail "$(<"$WORK/seen")"
getfattr --absolute-names --only-values -n user.fetchfs.error "$tree/gone" >"$WORK/why"
grep -qw 404 "$WORK/why" || fail "$(<"$WORK/why")"
mkdir "$WWW/gone"
echo '<a href=back.txt>' >"$WWW/gone/index.html"
[ "$(names "$tree/gone")" = back.txt ] || fail "not asked again"
getfattr --absolute-names --only-values -n user.fetchfs.error "$tree/gone" >"$WORK/why" 2>&1 || :
! grep -w 404 "$WORK/why" || fail "an old error"

say "an origin that is down takes nothing back"
kill "$NGINX_PID"
wait_for 10 gone "$NGINX_PID" || fail "nginx stays"
timeout 60 ls --color=never "$tree/cached" >"$WORK/seen" || fail "ls"
[ "$(wc -l <"$WORK/seen")" -eq 201 ] || fail "other names"
stop_mount

say "mount -o known asks nobody"
start_mount -o known
[ "$(names "$tree/page")" = two ] || fail "$(names "$tree/page")"
cmp "$WWW/pub/sub/7.bin" "$tree/pub/sub/7.bin" || fail "what is cached is not there"
stop_mount

say "an origin that does not answer: others do, and who waits for it can leave"
start_origin
cat >"$CONFIG" <<-END
	[origin "$ORIGIN/hang/dir"]
	list = yes
END
start_mount
tree=$MNT/${ORIGIN/:\//}
ls "$tree/hang/dir" >/dev/null 2>&1 &
children+=($!)
connected() {
	local hex
	printf -v hex '%04X' "${ORIGIN##*:}"
	grep -q "^ *[0-9]*: [0-9A-F]*:[0-9A-F]* 0100007F:$hex 01" /proc/net/tcp
}
wait_for 10 connected || fail "not asked"
[ "$(milliseconds ls "$MNT" "$MNT/http")" -lt 2000 ] || fail "the root hangs"
wait_for 10 became_program $! || fail "ls does not start"
kill $!
wait_for 10 gone $! || fail "ls cannot be interrupted"
stop_mount

say "local folders, below the roots that are allowed; other users see what everybody may"
mkdir -p "$WORK/data/open" "$WORK/data/closed"
printf one >"$WORK/data/open/one"
printf two >"$WORK/data/closed/two"
ln -s open "$WORK/data/link"
ln -s . "$WORK/data/itself"
mkdir "$WORK/data/a" "$WORK/data/b"
ln -s ../b "$WORK/data/a/l"
ln -s ../a "$WORK/data/b/m"
ln -s .. "$WORK/data/open/up"
ln -s / "$WORK/data/out"
ln -s none "$WORK/data/dangling"
chmod 711 "$WORK/data/closed"
cat >"$CONFIG" <<-END
	[policy]
	file = $WORK/data
	[origin "file://$WORK/data"]
	list = yes
END
start_mount
tree=$MNT/file$WORK/data
[ "$(names "$tree" | tr '\n' ' ')" = "a b closed dangling link open " ] || fail "$(names "$tree")"
[ "$(cat "$tree/link/one")" = one ] || fail "through the link"
[ "$(names "$tree/closed")" = two ] || fail "root sees all"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	[ "$("${nobody[@]}" ls "$tree/open")" = one ] || fail "another user sees nothing"
	[ -z "$("${nobody[@]}" ls "$tree/closed")" ] || fail "another user sees what is closed"
fi
: >"$WORK/data/open/later"
[ "$(names "$tree/open" | tr '\n' ' ')" = "later one " ] || fail "$(names "$tree/open")"
[ "$(timeout 60 find "$tree" -type f 2>/dev/null | wc -l)" -eq 5 ] || fail "$(find "$tree")"
stop_mount
