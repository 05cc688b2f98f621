#!/bin/bash
# The same 100 MiB, byte for byte, whatever the origin speaks; and asked for only once.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

start_nginx
start_vsftpd
random_file 100M "$WWW/big.bin"
ln "$WWW/big.bin" "$FTPROOT/big.bin"
cat >"$CONFIG" <<-END
	[fetch]
	ca_file = $CA
	[policy]
	file = $WWW
END
uris=("$HTTP/big.bin" "$HTTPS/big.bin" "$FTP/big.bin" "file://$WWW/big.bin")
size=$((100 << 20))

read_all() {
	local uri
	for uri in "${uris[@]}"; do
		cmp "$WWW/big.bin" "$(at "$uri")" || fail "$1: $uri: other bytes"
	done
}

start_mount
say "http, https with a CA of one's own, ftp and file, through the mount"
read_all cold
cmp "$WWW/big.bin" "$MNT/${HTTP/:\/\//\/}/big.bin" || fail "the natural tree has other bytes"
settle_nginx
[ "$(served /big.bin)" -eq $((2 * size)) ] || fail "nginx sent $(served /big.bin) bytes"
[ "$(downloads /big.bin)" -eq 1 ] || fail "vsftpd sent it $(downloads /big.bin) times"

say "the second read makes no request, nor does one after the daemon was started anew"
before=$(requests '[A-Z]+' /big.bin)
read_all warm
stop_mount
start_mount
read_all "warm, new daemon"
settle_nginx
requests_are '[A-Z]+' /big.bin "$before" || fail "nginx was asked again"
[ "$(downloads /big.bin)" -eq 1 ] || fail "vsftpd was asked again"
settle_mount
stop_mount
no_debris

say "ftps, by the same CA"
start_vsftpd_tls
random_file 3M "$FTPROOT/tls.bin" tls
fetchfs cat "$FTPS/tls.bin" | cmp "$FTPROOT/tls.bin" - || fail "ftps: other bytes"
expect_failure '[13]' 'certificate' \
	"$FETCHFS" --cache "$WORK/other" --config /dev/null fetch "$FTPS/tls.bin"

say "a server whose CA is unknown is refused"
expect_failure '[13]' 'certificate' \
	"$FETCHFS" --cache "$WORK/other" --config /dev/null fetch "$HTTPS/big.bin"
