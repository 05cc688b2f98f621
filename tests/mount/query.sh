#!/bin/bash
# Queries: a secret of who asks, unless the section of the origin says otherwise.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program setpriv getfattr

start_nginx
mkdir "$WWW/pub" "$WWW/own"
random_file 200K "$WWW/pub/a.bin" pub
random_file 200K "$WWW/own/a.bin" own
cat >"$CONFIG" <<-END
	[policy]
	allow = $HTTP/
	[origin "$HTTP/pub/"]
	public_query = yes
END
start_mount
tree=$MNT/http/${HTTP#*//}
other=(setpriv --reuid=12345 --regid=12345 --clear-groups)

cmp "$(at "$HTTP/pub/a.bin?v=1&p=/x")" "$WWW/pub/a.bin" || fail "other bytes"
cmp "$(at "$HTTP/own/a.bin?v=1")" "$WWW/own/a.bin" || fail "other bytes"
cmp "$tree/pub/a.bin?v=2" "$WWW/pub/a.bin" || fail "other bytes"
settle_mount

say "a public one is listed, shown and everybody's"
ls "$tree/pub" >"$WORK/ls"
[ "$(<"$WORK/ls")" = 'a.bin?v=2' ] || fail "ls: $(<"$WORK/ls")" # the other has a slash
[ "$(getfattr --only-values -n user.fetchfs.uri "$tree/pub/a.bin?v=2")" = "$HTTP/pub/a.bin?v=2" ] ||
	fail "not shown"
"${other[@]}" cmp "$tree/pub/a.bin?v=2" "$WWW/pub/a.bin" || fail "other bytes"
"${other[@]}" cmp "$(at "$HTTP/pub/a.bin?v=1&p=/x")" "$WWW/pub/a.bin" || fail "other bytes"
settle_nginx
[ "$(requests GET '/pub/a.bin.*')" -eq 2 ] || fail "not shared"

say "any other is not, and is fetched for each user"
[ -z "$(ls "$tree/own")" ] || fail "listed"
"${other[@]}" cmp "$(at "$HTTP/own/a.bin?v=1")" "$WWW/own/a.bin" || fail "other bytes"
settle_nginx
[ "$(requests GET '/own/a.bin.*')" -eq 2 ] || fail "shared"
fetchfs ls >"$WORK/ls"
grep -qxF "$HTTP/pub/a.bin?v=2" "$WORK/ls" || fail "not shown: $(<"$WORK/ls")"
grep -qxF "$HTTP/own/a.bin?…" "$WORK/ls" || fail "shown: $(<"$WORK/ls")"
stop_mount
