#!/bin/bash
# s3: a folder of a hundred thousand keys is listed page by page, each page asked for once; listing it again and
# again takes no more memory than doing it once.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program python3

names=100000 folders=100
pages=$(((names + folders + 999) / 1000))
unset "${!AWS_@}"
export HOME=$WORK/home
mkdir "$HOME"
# what is freed is given back, or all that the daemon ever had would count
export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=1

log=$LOGS/s3list-requests
: >"$log"
python3 "$FETCHFS_SOURCE/tests/support/s3list.py" "$WORK/port" "$log" 2>"$LOGS/s3list" &
children+=($!)
wait_for 20 test -s "$WORK/port" || fail "the server does not start"
(umask 077 && printf '[default]\naws_access_key_id = AKIDME\naws_secret_access_key = secret\n' >"$WORK/keys")
cat >"$CONFIG" <<-END
	[fetch]
	ttl = 0
	[s3 "s3://bucket/"]
	endpoint = http://127.0.0.1:$(<"$WORK/port")
	credentials = $WORK/keys
	list = yes
END
many=$MNT/s3/bucket/many

resident() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$MOUNT_PID/status"
}

# Sets $memory (KiB), after all names were read once more.
list_all() {
	local began=${EPOCHREALTIME/[.,]/}
	: >"$log"
	ls -U "$many" >"$WORK/shown"
	memory=$(resident)
	say "$(((${EPOCHREALTIME/[.,]/} - began) / 1000)) ms, $(wc -l <"$log") requests, $memory KiB"
	LC_ALL=C sort "$WORK/shown" | cmp - "$WORK/right" || fail "other names: $(wc -l <"$WORK/shown")"
	# besides, it may be asked what "many" is
	grep '^list many/ [^ ]* -$' "$log" >"$WORK/asked" || fail "nothing was asked for"
	[ "$(sort -u "$WORK/asked" | wc -l)" -eq $pages ] || fail "these are not $pages pages: $(<"$log")"
	[ "$(wc -l <"$WORK/asked")" -eq $pages ] || fail "a page was asked for twice"
	[ "$(wc -l <"$log")" -le $((pages + 2)) ] || fail "something else was asked for: $(<"$log")"
}

seq -f 'name%%20%06.0f' 0 $((names - 1)) >"$WORK/right"
seq -f 'folder%%20%02.0f' 0 $((folders - 1)) >>"$WORK/right"
LC_ALL=C sort -o "$WORK/right" "$WORK/right"
start_mount

say "$names names and $folders folders, from $pages pages, each asked for once"
before=$(resident)
list_all
first=$memory
[ $((first - before)) -lt $((32 << 10)) ] || fail "the daemon grew by $((first - before)) KiB"

say "a key and a folder of the last page, and of the first"
[ "$(<"$many/name%20099999")" = "many/name 099999" ] || fail "other bytes"
[ "$(find "$many/folder%2000/" -type f | wc -l)" -eq 10 ] || fail "not ten keys in a folder"

say "again and again it takes no more"
list_all
list_all
[ $((memory - first)) -lt $((16 << 10)) ] || fail "the daemon grew by $((memory - first)) KiB more"
stop_mount
