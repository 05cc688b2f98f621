# shellcheck shell=bash disable=SC2034 # variables are for the tests
# FTP servers beside those of lib.sh, all of which serve $FTPROOT (start_vsftpd comes first).

# another_vsftpd NAME URI LINE…: one more, with other lines of configuration, at URI:PORT, which becomes
# $NAME.
another_vsftpd() {
	local name=$1 uri=$2 port
	port=$(free_port)
	shift 2
	sed "s/^listen_port=.*/listen_port=$port/" "$WORK/vsftpd.conf" >"$WORK/$name.conf"
	printf '%s\n' "$@" >>"$WORK/$name.conf"
	vsftpd "$WORK/$name.conf" >>"$LOGS/vsftpd-stderr" 2>&1 &
	children+=($!)
	wait_for 10 listening "$port" || fail "vsftpd $name does not start"
	printf -v "$name" '%s:%s' "$uri" "$port"
}

# AUTH TLS, and nothing without; data connections have to go on with the session of the commands'.
explicit_tls() {
	printf '%s\n' ssl_enable=YES allow_anon_ssl=YES force_anon_logins_ssl=YES \
		force_anon_data_ssl=YES "rsa_cert_file=$WORK/tls/server.pem" \
		"rsa_private_key_file=$WORK/tls/server.key"
}

# pyftpdlib, at $PY, as a user without privileges; anybody may log in, and "me" with $PY_PASSWORD. Commands
# are in $PY_LOG. It has what vsftpd lacks: MLSD, and users that are not the machine's. (Debian's other
# servers cannot be installed beside vsftpd.)
start_pyftpd() {
	need_program setpriv
	/usr/bin/python3 -W ignore -c 'import pyftpdlib' 2>/dev/null || skip "needs pyftpdlib"
	PY_LOG=$WORK/pyftpd/commands
	PY_PASSWORD=Pass-$RANDOM-hunter2
	mkdir "$WORK/pyftpd"
	: >"$PY_LOG"
	chown -R 65534:65534 "$WORK/pyftpd"
	setpriv --reuid=65534 --regid=65534 --clear-groups -- /usr/bin/python3 -W ignore \
		"$FETCHFS_SOURCE/tests/support/pyftpd.py" "$WORK/pyftpd/port" "$PY_LOG" "$FTPROOT" \
		"$PY_PASSWORD" "${PY_CLIENTS:-50}" >"$LOGS/pyftpd" 2>&1 &
	children+=($!)
	wait_for 10 test -s "$WORK/pyftpd/port" || fail "pyftpdlib does not start"
	PY=ftp://127.0.0.1:$(<"$WORK/pyftpd/port")
}

# start_bad_ftp [NAME=VALUE…]: tests/support/ftpserver.py at $BAD; its log is $BAD_LOG.
start_bad_ftp() {
	BAD_LOG=$LOGS/bad-ftp
	: >"$BAD_LOG"
	rm -f "$WORK/bad.port"
	python3 "$FETCHFS_SOURCE/tests/support/ftpserver.py" "$WORK/bad.port" "$BAD_LOG" "$@" \
		>>"$LOGS/bad-ftp-stderr" 2>&1 &
	BAD_PID=$!
	children+=("$BAD_PID")
	wait_for 10 test -s "$WORK/bad.port" || fail "the bad FTP server does not start"
	BAD=ftp://127.0.0.1:$(<"$WORK/bad.port")
}

stop_bad_ftp() {
	kill "$BAD_PID"
	wait_for 10 gone "$BAD_PID" || fail "the bad FTP server stays"
}
