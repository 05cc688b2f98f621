#!/bin/bash
# An artifact changes at its origin: who opens it anew, by whatever way, gets the new version by one
# download; what was open, and what was placed in a sandbox, keeps the old one.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

start_nginx
start_origin
start_vsftpd
mkdir -p "$WORK/local.d/files"
cat >"$CONFIG" <<-END
	[cache]
	hardlink = yes
	[fetch]
	ttl = 0s
	[policy]
	private = allow
	file = $WORK/local.d/files
END
start_mount

tree() {
	printf '%s/%s' "$MNT" "${1/:\/\//\/}"
}

# version WHICH FILE: the file, new as a whole, with that version's bytes
version() {
	cp "$WORK/$1" "$2.new"
	mv "$2.new" "$2"
}

# same WHICH FILE…: all have the bytes of that version
same() {
	local file
	for file in "${@:2}"; do
		cmp "$WORK/$1" "$file" || fail "$uri: $file: not the $1 version"
	done
}

# Eight processes, all at the same moment and by different ways.
all_see() {
	local i pids=()
	for i in 1 2; do
		cat "$(at "$uri")" >"$WORK/seen.$i" &
		pids+=($!)
		cat "$(tree "$uri")" >"$WORK/seen.1$i" &
		pids+=($!)
		"${fetchfs[@]}" cat "$uri" >"$WORK/seen.2$i" &
		pids+=($!)
		"${fetchfs[@]}" fetch "$uri" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "$uri: one of them failed"
	done
	same "$1" "$WORK"/seen.*
}

# sandbox NAME: the artifact in it, as a copy and as a hardlink
sandbox() {
	mkdir "$WORK/$1"
	chown 65534 "$WORK/$1"
	fetchfs prepare --user nobody --method copy "$WORK/$1" "$uri"
	mkdir "$WORK/$1/linked"
	chown 65534 "$WORK/$1/linked"
	fetchfs prepare --user nobody --method hardlink "$WORK/$1/linked" "$uri"
	[ "$(stat -c %h "$WORK/$1/linked/a.bin")" -gt 1 ] || fail "not a hardlink"
}

# changes URI FILE CHANGE: FILE is the origin's; CHANGE makes it the new version
changes() {
	local file=$2
	uri=$1
	rm -rf "$WORK/before" "$WORK/after"
	all_see old
	sandbox before
	exec 3<"$(at "$uri")" 4<"$(tree "$uri")" 5<"$(at "$uri")"
	same old - <&3

	"$3" "$file"
	all_see new
	sandbox after
	same new "$WORK/after/a.bin" "$WORK/after/linked/a.bin" "$(at "$uri")" "$(tree "$uri")"
	same old "$WORK/before/a.bin" "$WORK/before/linked/a.bin"
	# one that was read before, and two that were only opened, while the old version lets go
	fetchfs evict --all >/dev/null 2>&1 || :
	same old - <&4
	python3 - "$WORK/old" 3<&3 5<&5 <<-'END' || fail "$uri: an open file changed"
		import os, sys
		right = open(sys.argv[1], "rb").read()
		for fd in 3, 5:
		    for at in 0, 300000, 100, 650000:
		        if os.pread(fd, 5000, at) != right[at:at + 5000]:
		            sys.exit(f"{fd}: other bytes at {at}")
	END
	exec 3<&- 4<&- 5<&-
	same old "$WORK/before/a.bin" "$WORK/before/linked/a.bin"
}

later() {
	version new "$1"
	touch -d '+1 hour' "$1"
}

in_place() {
	cat "$WORK/new" >"$1"
}

same_time() {
	version new "$1"
	touch -r "$WORK/old" "$1"
}

random_file 700K "$WORK/old" old
random_file 900K "$WORK/new" new

say "http, by entity tag: two bodies, whoever asked, and no body in a confirmation"
version old "$WWW/a.bin"
changes "$HTTP/a.bin" "$WWW/a.bin" later
settle_nginx
[ "$(grep -c '^GET /a.bin 200 ' "$NGINX_LOG")" -eq 2 ] || fail "$(grep -c '^GET /a.bin 200 ' "$NGINX_LOG") bodies"
[ "$(served /a.bin)" -eq $((1600 << 10)) ] || fail "$(served /a.bin) bytes"
! grep -E '^GET /a.bin 304 [^0]' "$NGINX_LOG" || fail "a 304 with a body"
settle_mount

say "another origin"
version old "$ORIGINROOT/a.bin"
changes "$ORIGIN/a.bin" "$ORIGINROOT/a.bin" later

say "ftp, by time and size; a confirmation has no body"
version old "$FTPROOT/a.bin"
changes "$FTP/a.bin" "$FTPROOT/a.bin" later
[ "$(downloads /a.bin)" -eq 2 ] || fail "vsftpd sent it $(downloads /a.bin) times"
! grep "FAIL DOWNLOAD" "$VSFTPD_LOG" || fail "one was broken off"

say "file: another size; in place and of the same size; another file of the same size and time"
version old "$WORK/local.d/files/a.bin"
changes "file://$WORK/local.d/files/a.bin" "$WORK/local.d/files/a.bin" later
random_file 700K "$WORK/new" "as long"
version old "$WORK/local.d/files/a.bin"
changes "file://$WORK/local.d/files/a.bin" "$WORK/local.d/files/a.bin" in_place
version old "$WORK/local.d/files/a.bin"
touch -r "$WORK/old" "$WORK/local.d/files/a.bin"
changes "file://$WORK/local.d/files/a.bin" "$WORK/local.d/files/a.bin" same_time

say "ftp, of the same time"
random_file 900K "$WORK/new" new
rm "$FTPROOT/a.bin"
version old "$FTPROOT/a.bin"
touch -r "$WORK/old" "$FTPROOT/a.bin"
changes "$FTP/a.bin" "$FTPROOT/a.bin" same_time
random_file 700K "$WORK/new" "as long"

say "ftp, of the same size"
rm "$FTPROOT/a.bin"
version old "$FTPROOT/a.bin"
changes "$FTP/a.bin" "$FTPROOT/a.bin" later
settle_mount
stop_mount
