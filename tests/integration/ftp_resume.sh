#!/bin/bash
# FTP: a download that was cut goes on where it was, if the file is the same one still; and what
# becomes of a server that is gone.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/ftp.sh"
need_root
need_program vsftpd jq python3

start_vsftpd
SLOW_LOG=$LOGS/vsftpd-slow
another_vsftpd SLOW ftp://127.0.0.1 anon_max_rate=4000000 "vsftpd_log_file=$SLOW_LOG"
SLOW_PID=${children[-1]}
cat >"$CONFIG" <<-END
	[fetch]
	ttl = 0s
	retries = 3
	per_host = 1
END
for name in cut killed changed; do random_file 12M "$FTPROOT/$name.bin" $name; done

has_arrived() {
	[ "$(fetchfs status --json | jq '[.transfers[].bytes] | add // 0')" -ge "$1" ]
}

# begin NAME: a fetch of it from the slow server, $pid, is on its way, 3 MiB have come.
begin() {
	: >"$SLOW_LOG"
	"${fetchfs[@]}" fetch "$SLOW/$1" >"$LOGS/$1" 2>&1 &
	pid=$!
	children+=("$pid")
	wait_for 30 has_arrived $((3 << 20)) || fail "nothing comes"
}

kill_it() {
	kill -KILL "$pid"
	! wait "$pid" 2>/dev/null || fail "it was not killed"
	: >"$SLOW_LOG"
}

same() {
	fetchfs cat "$SLOW/$1" | cmp - "$FTPROOT/$1" || fail "other bytes"
}

goes_on() {
	grep -Eq 'REST [1-9][0-9]{5}' "$SLOW_LOG" || fail "from the beginning: $(<"$SLOW_LOG")"
}

# The processes that serve the slow server's clients: each session has two, one below the other.
sessions() {
	local pid
	for pid in $(pgrep -P "$SLOW_PID"); do
		pgrep -P "$pid" || :
		echo "$pid"
	done
}

say "cut by the server: the same command goes on behind what came"
begin cut.bin
for session in $(sessions); do kill -KILL "$session" 2>/dev/null || :; done
wait "$pid" || fail "the fetch failed: $(<"$LOGS/cut.bin")"
same cut.bin
goes_on

say "killed: the next command goes on"
begin killed.bin
kill_it
fetchfs fetch "$SLOW/killed.bin"
same killed.bin
goes_on

say "changed meanwhile: from the beginning, and no mixture"
begin changed.bin
kill_it
random_file 12M "$FTPROOT/new.bin" new
touch -d '+1 hour' "$FTPROOT/new.bin"
mv "$FTPROOT/new.bin" "$FTPROOT/changed.bin"
fetchfs fetch "$SLOW/changed.bin"
same changed.bin

say "the server is gone: temporary, and an old copy stands in"
kill "$SLOW_PID"
wait_for 10 gone "$SLOW_PID" || fail "vsftpd stays"
for session in $(sessions); do kill "$session"; done
sed -i 's/^retries.*/retries = 0/' "$CONFIG"
expect_failure 3 'connect|refused' "${fetchfs[@]}" fetch "$SLOW/never.bin"
fetchfs cat "$SLOW/cut.bin" 2>/dev/null | cmp - "$FTPROOT/cut.bin" || fail "the old copy"
no_debris
