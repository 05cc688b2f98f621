#!/bin/bash
# `list = yes` of FTP servers: one that knows MLSD, and one that only has what is for people.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/ftp.sh"
need_root
need_fuse
need_program vsftpd openssl jq python3

start_vsftpd
start_pyftpd
cat >"$CONFIG" <<-END
	[fetch]
	ttl = 1h
	[origin "$FTP/"]
	list = yes
	[origin "$PY/"]
	list = yes
END
mkdir -p "$FTPROOT/pub/sub/deep" "$FTPROOT/many" "$FTPROOT/empty" "$FTPROOT/-a b"
printf four >"$FTPROOT/pub/four"
printf sp >"$FTPROOT/pub/a b#c%41?.txt"
printf utf >"$FTPROOT/pub/Ä -> b.txt"
printf lead >"$FTPROOT/pub/ lead"
printf year >"$FTPROOT/pub/old.bin"
touch -d '2001-02-03 04:05:06' "$FTPROOT/pub/old.bin"
printf deep >"$FTPROOT/pub/sub/deep/x.tgz"
printf dash >"$FTPROOT/-a b/-l"
ln -s four "$FTPROOT/pub/link"
ln -s sub "$FTPROOT/pub/way"
ln -s . "$FTPROOT/pub/itself"
mkfifo "$FTPROOT/pub/fifo"
(cd "$FTPROOT/many" && seq -f 'file-%05.0f.bin' 1 10000 | xargs touch)
start_mount

names() {
	LC_ALL=C ls -A1 --color=never "$1"
}

for base in "$FTP" "$PY"; do
	tree=$MNT/${base/:\/\//\/}

	say "$base: a folder shows what the server has; each name leads to its file"
	names "$tree/pub" >"$WORK/seen"
	# pyftpdlib does not say what is a link, or a pipe
	[ "$base" = "$FTP" ] || sed -i '/^itself$\|^fifo$/d' "$WORK/seen"
	printf '%s\n' four 'a%20b%23c%2541%3F.txt' '%C3%84%20-%3E%20b.txt' '%20lead' old.bin sub link way |
		LC_ALL=C sort | diff - "$WORK/seen" || fail "other names"
	[ "$(cat "$tree/pub/a%20b%23c%2541%3F.txt")" = sp ] || fail "another file"
	[ "$(cat "$tree/pub/%C3%84%20-%3E%20b.txt")" = utf ] || fail "another file"
	[ "$(cat "$tree/pub/%20lead")" = lead ] || fail "another file"
	[ "$(cat "$tree/pub/link")" = four ] || fail "through the link"
	[ "$(cat "$tree/pub/way/deep/x.tgz")" = deep ] || fail "through the link to a folder"
	[ "$(stat -c '%F %s' "$tree/pub/old.bin")" = "regular file 4" ] || fail "$(stat "$tree/pub/old.bin")"

	say "$base: folders below, empty ones, names that look like options"
	[ "$(find "$tree/pub/sub" -type f)" = "$tree/pub/sub/deep/x.tgz" ] || fail "$(find "$tree/pub/sub")"
	[ "$(stat -c %F "$tree/pub/sub")" = directory ] || fail "$(stat "$tree/pub/sub")"
	[ -z "$(names "$tree/empty")" ] || fail "not empty"
	[ "$(names "$tree/-a%20b")" = -l ] || fail "$(names "$tree/-a%20b")"
	[ "$(cat "$tree/-a%20b/-l")" = dash ] || fail "another file"

	say "$base: no folder"
	names "$tree/none" >"$WORK/seen" 2>/dev/null || :
	[ ! -s "$WORK/seen" ] || fail "$(<"$WORK/seen")"

	say "$base: 10,000 names"
	names "$tree/many" >"$WORK/seen"
	(cd "$FTPROOT/many" && printf '%s\n' *) | diff -q - "$WORK/seen" || fail "$(wc -l <"$WORK/seen") names"
done
grep -q '^MLSD' "$PY_LOG" || fail "pyftpdlib was not asked for facts"
! grep -q '^LIST' "$PY_LOG" || fail "pyftpdlib was asked for more than facts"
[ "$(grep -c '"MLSD' "$VSFTPD_LOG")" -le "$(grep -c CONNECT "$VSFTPD_LOG")" ] ||
	fail "vsftpd was asked for facts again and again"
stop_mount
