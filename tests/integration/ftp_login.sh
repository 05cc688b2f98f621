#!/bin/bash
# FTP: who may log in, how often at the same time, and what is said of it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/ftp.sh"
need_root
need_program vsftpd openssl jq python3

start_vsftpd
PY_CLIENTS=3 start_pyftpd
mkdir "$FTPROOT/private"
random_file 300K "$FTPROOT/private/a.bin" a
random_file 300K "$FTPROOT/private/b.bin" b
random_file 300K "$FTPROOT/private/c.bin" c
# what only "me" can read
chown -R 65534:65534 "$FTPROOT/private"

umask 077
chmod 600 "$CONFIG"
printf 'me:%s\n' "$PY_PASSWORD" >"$WORK/user"
printf 'me:wrong-%s\n' "$PY_PASSWORD" >"$WORK/wrong"
echo "machine 127.0.0.1 login me password $PY_PASSWORD" >"$WORK/netrc"
umask 022

# configure LINE…: of the section of pyftpdlib.
configure() {
	printf '[fetch]\nretries = 0\nttl = 0s\n[origin "%s/"]\n' "$PY" >"$CONFIG"
	printf '%s\n' "$@" >>"$CONFIG"
}

logins() {
	grep -c "^USER $1\$" "$PY_LOG" || :
}

say "anonymous, by a file, by netrc, by the URI"
configure
fetchfs cat "$PY/private/a.bin" | cmp - "$FTPROOT/private/a.bin" || fail "anonymous"
[ "$(logins anonymous)" -gt 0 ] || fail "$(<"$PY_LOG")"
configure "user_file = $WORK/user"
fetchfs cat "$PY/private/a.bin" | cmp - "$FTPROOT/private/a.bin" || fail "by a file"
[ "$(logins me)" -gt 0 ] || fail "$(<"$PY_LOG")"
: >"$PY_LOG"
configure "netrc = $WORK/netrc"
fetchfs cat "$PY/private/b.bin" | cmp - "$FTPROOT/private/b.bin" || fail "by netrc"
[ "$(logins me)" -gt 0 ] || fail "$(<"$PY_LOG")"
: >"$PY_LOG"
configure
fetchfs cat "${PY/:\/\//:\/\/me:$PY_PASSWORD@}/private/c.bin" | cmp - "$FTPROOT/private/c.bin" ||
	fail "by the URI"
[ "$(logins me)" -gt 0 ] || fail "$(<"$PY_LOG")"

say "wrong: EACCES, once, and the password is written nowhere"
configure "user_file = $WORK/wrong"
: >"$PY_LOG"
expect_failure 1 'the login was refused: 530' "${fetchfs[@]}" fetch "$PY/private/new.bin"
[ "$(logins me)" -eq 1 ] || fail "$(logins me) tries"
! grep -rqsF "$PY_PASSWORD" "$CACHE" "$WORK/stderr" || fail "the password is in the cache, or told"

say "a server that repeats the password in its answer"
start_bad_ftp
expect_failure 1 'the login was refused: 530$' "${fetchfs[@]}" fetch "${BAD/:\/\//:\/\/me:wrong-hunter2@}/good/a.bin"
! grep -rqsF wrong-hunter2 "$CACHE" "$WORK/stderr" || fail "the password is in the cache, or told"
stop_bad_ftp

say "one connection serves many files"
mkdir "$FTPROOT/many"
for n in {1..60}; do printf '%s' "$n" >"$FTPROOT/many/$n"; done
configure
: >"$PY_LOG"
for n in {1..60}; do echo "$PY/many/$n"; done >"$WORK/list"
fetchfs fetch -j 1 -i "$WORK/list"
[ "$(logins anonymous)" -le 2 ] || fail "$(logins anonymous) logins for 60 files"

# The most sessions that the bad server counted at the same time.
most() {
	awk '$1 == "open" && $2 > most { most = $2 } END { print most + 0 }' "$BAD_LOG"
}

say "no more connections to a host than are allowed, idle ones included, however many ask"
for n in {1..30}; do echo "/good/$n"; done >"$WORK/paths"
start_bad_ftp
printf '[fetch]\nretries = 0\nper_host = 3\n' >"$CONFIG"
sed "s|^|$BAD|" "$WORK/paths" | fetchfs fetch -j 30 -i -
[ "$(most)" -le 3 ] || fail "$(most) at the same time"
stop_bad_ftp
start_bad_ftp
printf '[fetch]\nretries = 0\n' >"$CONFIG"
sed "s|^|$BAD|" "$WORK/paths" | fetchfs fetch -j 30 -i -
[ "$(most)" -le 8 ] || fail "$(most) at the same time"
[ "$(most)" -gt 1 ] || fail "one after the other"
stop_bad_ftp

say "a server that takes fewer: the others wait, and come again"
start_bad_ftp max=2
printf '[fetch]\nretries = 20\n' >"$CONFIG"
sed "s|^|$BAD|" "$WORK/paths" | fetchfs fetch -j 8 -i - || fail "some failed"
stop_bad_ftp
start_bad_ftp greeting=421
printf '[fetch]\nretries = 0\n' >"$CONFIG"
expect_failure 3 '421' "${fetchfs[@]}" fetch "$BAD/good/x"
stop_bad_ftp
configure
sed -i 's/^retries = 0/retries = 20/' "$CONFIG"
fetchfs evict --all >/dev/null
fetchfs fetch -j 20 -i "$WORK/list" || fail "a full house is final"
