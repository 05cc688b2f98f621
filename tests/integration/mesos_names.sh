#!/bin/bash
# mesos-fetcher: names, modes and owners of what it fetches; local paths; what is refused.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/users.sh"
. "$(dirname "$0")/../support/mesos.sh"
start_nginx
start_vsftpd
start_vsftpd_tls

for name in tool a%20b 'q?x' plain; do random_file 30K "$WWW/$name" "$name"; done
chmod 755 "$WWW/tool"
mkdir "$WWW/dir"
echo "[fetch]
ca_file = $CA
retries = 1
[policy]
private = allow" >"$CONFIG"
USER_NAME=alice

say "every scheme"
cp "$WWW/plain" "$FTPROOT/ftped"
cp "$WWW/plain" "$FTPROOT/ftpsed"
new_box
fetched "$(item "$HTTP/tool")" "$(item "$HTTPS/plain")" "$(item "$FTP/ftped")" "$(item "$FTPS/ftpsed")"
same tool "$WWW/tool"
same plain "$WWW/plain"
same ftped "$WWW/plain"
same ftpsed "$WWW/plain"
said "Downloading resource from '$HTTP/tool' to '$box/tool'"

say "files are the user's, 0644; what is executable has just 0755; a local file keeps its x"
fetched "$(item "$HTTP/plain" '{"executable": true, "output_file": "x"}')" \
	"$(item "$WWW/tool" '{"output_file": "local"}')" \
	"$(item "$WWW/plain" '{"output_file": "local.x", "executable": true}')"
for name in tool plain ftped x local local.x; do
	[ "$(stat -c %U:%G "$box/$name")" = alice:alice ] || fail "$name: of $(stat -c %U:%G "$box/$name")"
done
mode_is "$box/tool" 644
mode_is "$box/x" 755
mode_is "$box/local" 755
mode_is "$box/local.x" 755
chmod 4755 "$WWW/tool"
(umask 027 && fetched "$(item "$WWW/tool" '{"output_file": "masked"}')" \
	"$(item "$HTTP/plain" '{"output_file": "masked2"}')")
mode_is "$box/masked" 750
mode_is "$box/masked2" 640

say "the query is part of the name, its last slash too; output_file wins"
new_box
fetched "$(item "$HTTP/tool?a=b")" "$(item "$HTTP/tool?a=b/c")" \
	"$(item "$HTTP/tool?q" '{"output_file": "sub/./fol//der/name"}')"
[ "$(contents)" = "./c ./sub ./sub/fol ./sub/fol/der ./sub/fol/der/name ./tool?a=b " ] ||
	fail "there is $(contents)"
mode_is "$box/sub/fol" 755
[ "$(stat -c %U "$box/sub/fol/der")" = alice ] || fail "a folder of $(stat -c %U "$box/sub/fol/der")"

say "local paths: by file://, by localhost, bare, below frameworks_home; never unescaped"
new_box
fetched "$(item "file://$WWW/a%20b")" "$(item "file://localhost$WWW/q?x")" "$(item "localhost$WWW/tool")"
same a%20b "$WWW/a%20b"
same 'q?x' "$WWW/q?x"
same tool "$WWW/tool"
new_box
fetcher "$(info "$(item plain)" | jq -c --arg home "$WWW" '.frameworks_home = $home')"
[ $status -eq 0 ] || fail "frameworks_home: $(<"$WORK/stderr")"
same plain "$WWW/plain"
said "Prepended Mesos frameworks home to relative path, making it: '$WWW/plain'"
refused 'framework home was not specified' "$(item plain)"
refused 'only supports absolute paths' "$(item file://rel/plain)"

say "what is no name, and what leads out of the sandbox"
new_box
refused 'Malformed URI \(missing path\)' "$(item "$HTTP")"
refused 'Malformed URI \(missing path\)' "$(item "$HTTP/")"
refused 'Malformed URI' "$(item "$HTTP/dir/")"
refused 'Malformed URI' "$(item "$HTTP/dir/..")"
refused 'Illegal characters' "$(item "$HTTP/a\\b")"
refused 'Illegal characters' "$(item "$HTTP/a'b")"
for name in ../out a/../../out /out '' a/ . ..; do
	refused 'output_file' "$(item "$HTTP/plain")" \
		"$(item "$HTTP/plain" "$(jq -cn --arg name "$name" '{output_file: $name}')")"
done
[ -z "$(contents)" ] || fail "one bad item, and something was fetched: $(contents)"
ln -s "$WORK" "$box/link"
refused 'link' "$(item "$HTTP/plain" '{"output_file": "link/out"}')"
[ ! -e "$WORK/out" ] || fail "written through a link"

say "folders, missing things, other schemes"
refused 'folder' "$(item "file://$WWW/dir")"
refused 'no such file' "$(item "file://$WWW/none")"
refused 'not found|404' "$(item "$HTTP/none")"
refused 'unknown scheme xyz' "$(item "xyz://nn/x")"
said "Downloading resource with Hadoop client from 'xyz://nn/x' to '$box/x'"
refused 'error|stat' "$(item "$HTTP/status/500")"
[ "$(contents)" = "./link " ] || fail "left behind: $(contents)"

say "what is in the way is replaced: no tail of it, and nothing behind a link"
new_box
random_file 90K "$box/plain" longer
random_file 5K "$WORK/elsewhere"
cp "$WORK/elsewhere" "$WORK/kept"
ln -s "$WORK/elsewhere" "$box/tool"
chown -h alice "$box/plain" "$box/tool" "$WORK/elsewhere"
fetched "$(item "$HTTP/plain")" "$(item "$HTTP/tool")"
same plain "$WWW/plain"
same tool "$WWW/tool"
[ ! -L "$box/tool" ] || fail "the link is still there"
cmp "$WORK/elsewhere" "$WORK/kept" || fail "written through a link"
mkdir "$box/dir"
refused 'directory' "$(item "$HTTP/plain" '{"output_file": "dir"}')"

say "a disk that is full, a name that cannot be given: what was there stays, and nothing else"
new_box
cp "$WWW/tool" "$box/plain"
for fault in put.copy:1:ENOSPC put.rename:1:EDQUOT; do
	FETCHFS_FAULT=$fault fetcher "$(info "$(item "$HTTP/plain")")"
	if [ $status -eq 0 ]; then
		say "(no fault points in this build)"
		break
	fi
	said "Failed to write '$box/plain': "
	same plain "$WWW/tool"
	[ "$(contents)" = "./plain " ] || fail "$fault: there is $(contents)"
done

say "the agent's log is not for downloads"
for word in stdout stderr; do
	: >"$box/$word"
	status=0
	MESOS_FETCHER_INFO=$(info "$(item "$HTTP/plain" "{\"output_file\": \"$word\"}")") \
		"$FETCHER" >"$box/stdout" 2>"$box/stderr" || status=$?
	[ $status -eq 1 ] || fail "$word: status $status"
	grep -q "own words go" "$box/stderr" || fail "$word: $(<"$box/stderr")"
done

say "with the user's rights: not into a folder of others, not from one"
new_box
chown bob:bob "$box"
fetcher "$(info "$(item "$HTTP/plain")")"
[ $status -eq 1 ] || fail "bob's folder: status $status"
said 'belongs to uid'
USER_NAME=bob
new_box
USER_NAME=alice
chown root:root "$box"
refused 'Permission denied' "$(item "$HTTP/plain")"
random_file 1K "$WORK/private"
chmod 600 "$WORK/private"
new_box
refused 'permission denied' "$(item "$WORK/private")"
refused 'permission denied' "$(item /etc/shadow)"
[ -z "$(contents)" ] || fail "there is $(contents)"
USER_NAME=nosuchuser
fetcher "$(info "$(item "$HTTP/plain")")"
[ $status -eq 1 ] || fail "nosuchuser: status $status"
said 'chown'

say "not root: for oneself only"
USER_NAME=alice
new_box
mkdir "$WORK/own"
chown alice "$WORK/own"
chmod 755 "$(dirname "$FETCHFS")" 2>/dev/null || :
cp "$FETCHFS" "$WORK/own/mesos-fetcher"
as alice env FETCHFS_CACHE="$WORK/own/cache" MESOS_FETCHER_INFO="$(info "$(item "$HTTP/plain")")" \
	"$WORK/own/mesos-fetcher" 2>"$WORK/stderr" || fail "as alice: $(<"$WORK/stderr")"
same plain "$WWW/plain"
status=0
USER_NAME=bob
as alice env FETCHFS_CACHE="$WORK/own/cache" MESOS_FETCHER_INFO="$(info "$(item "$HTTP/plain")")" \
	"$WORK/own/mesos-fetcher" 2>"$WORK/stderr" || status=$?
[ $status -eq 1 ] || fail "alice for bob: status $status"
said "chown to user 'bob'"
