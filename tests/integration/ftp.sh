#!/bin/bash
# What every backend has to show, on real FTP servers: vsftpd, plain, by AUTH TLS and by ftps, and
# pyftpdlib.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/ftp.sh"
need_root
need_fuse
need_program vsftpd openssl curl jq python3 getfattr

make_ca
start_vsftpd
mapfile -t tls < <(explicit_tls)
another_vsftpd EXPLICIT ftp://localhost "${tls[@]}"
start_vsftpd_tls
start_pyftpd
declare -A bases=([vsftpd]=$FTP [explicit]=$EXPLICIT [ftps]=$FTPS [pyftpdlib]=$PY)
cat >"$CONFIG" <<-END
	[fetch]
	ca_file = $CA
	ttl = 0s
	negative_ttl = 0s
	retries = 1
	[policy]
	private = allow
	[origin "$EXPLICIT/"]
	ftp_tls = yes
END

# each FUNCTION: for each server: its name is $server, its address $base.
each() {
	for server in "${!bases[@]}"; do
		base=${bases[$server]}
		"$@" || fail "$server: $*"
	done
}

# The commands that the servers got.
commands() {
	sed -n 's/.*FTP command: Client "[^"]*"[^"]*"\(.*\)"$/\1/p' "$VSFTPD_LOG"
	cat "$PY_LOG"
}

forget_commands() {
	: >"$VSFTPD_LOG"
	: >"$PY_LOG"
}

random_file 3M "$FTPROOT/whole.bin"
: >"$FTPROOT/empty.bin"
truncate -s 1G "$FTPROOT/big.img"
printf end | dd of="$FTPROOT/big.img" bs=1 seek=$(((1 << 30) - 3)) conv=notrunc status=none
random_file 40M "$FTPROOT/far.bin" far
mkdir "$FTPROOT/folder"
random_file 10K "$FTPROOT/folder/in.bin" in
random_file 10K "$FTPROOT/denied.bin"
chmod 600 "$FTPROOT/denied.bin"

start_mount

says() {
	local got
	got=$(stat -c '%F %s' "$(at "$base/$1")")
	[ "$got" = "$2" ] || fail "$base/$1: $got"
}

say "stat: size and time, without the bytes"
sizes() {
	says whole.bin "regular file $((3 << 20))"
	says empty.bin "regular empty file 0"
	says big.img "regular file $((1 << 30))"
	[ "$(stat -c %Y "$(at "$base/whole.bin")")" -eq "$(stat -c %Y "$FTPROOT/whole.bin")" ] ||
		fail "another time"
}
forget_commands
each sizes
! commands | grep RETR || fail "a stat took the bytes"

say "whole files, also empty ones, by way of the mount and without"
whole() {
	cmp "$FTPROOT/whole.bin" "$(at "$base/whole.bin")" || fail "other bytes"
	[ -z "$(cat "$(at "$base/empty.bin")")" ] || fail "not empty"
	fetchfs cat "$base/folder/in.bin" | cmp - "$FTPROOT/folder/in.bin" || fail "cat"
}
each whole

say "what is not there, is a folder, is denied"
wrong() {
	expect_errno ENOENT "$(at "$base/none.bin")"
	expect_errno ENOENT "$(at "$base/none/none.bin")"
	expect_failure 1 'it is a folder' "${fetchfs[@]}" fetch "$base/folder"
	[ "$(stat -c %F "$MNT/${base/:\/\//\/}/folder")" = directory ] || fail "no directory"
	expect_errno EACCES "$(at "$base/denied.bin")"
	expect_failure 1 'denied.bin: 550: ' "${fetchfs[@]}" fetch "$base/denied.bin"
}
each wrong

say "names: spaces, UTF-8, any letter that means something somewhere"
names=('two words' 'Ä ö' 'a+b' '100%' '%41' 'what?' 'a#b' 'x;type=a' "q'\"&<" 'a\b' '-la' '[x]*' ' lead'
	'x..y' '...' '~me')
for name in "${names[@]}"; do
	printf '%s' "$name" >"$FTPROOT/$name"
done
encode() {
	jq -rn --arg name "$1" '$name | @uri'
}
odd() {
	local name
	for name in "${names[@]}"; do
		[ "$(fetchfs cat "$base/$(encode "$name")")" = "$name" ] || fail "'$name'"
	done
	[ "$(fetchfs cat "$base/a+b")" = a+b ] || fail "a plus"
	[ "$(fetchfs cat "$base/two words")" = "two words" ] || fail "a blank as it is"
}
each odd

say "names that are refused before anybody is asked"
refused() {
	local name
	for name in 'whole.bin%0D%0ADELE%20whole.bin' 'a%0Ab' 'x%00' '..%2F..%2Fetc%2Fpasswd' \
		'folder%2F..%2Fwhole.bin' 'whole.bin;type=a'; do
		expect_failure 1 "control character|no file name|'\.\.'|binary" \
			"${fetchfs[@]}" fetch "$base/$name"
	done
	expect_failure 1 'no queries' "${fetchfs[@]}" fetch "$base/whole.bin?x"
	expect_failure 1 'folder' "${fetchfs[@]}" fetch "$base/folder%2F"
	expect_failure 1 'control character|malformed' \
		"${fetchfs[@]}" fetch "${base/:\/\//:\/\/me%0D%0ADELE%20x:x@}/whole.bin"
}
settle_mount
forget_commands
each refused
[ -z "$(commands)" ] || fail "asked: $(commands)"

say "a changed file is fetched anew; one that is not is only asked about"
changed() {
	printf 'first' >"$FTPROOT/changes.bin"
	touch -d '2020-01-01 00:00:00' "$FTPROOT/changes.bin"
	[ "$(fetchfs cat "$base/changes.bin")" = first ] || fail "first"
	forget_commands
	[ "$(fetchfs cat "$base/changes.bin")" = first ] || fail "unchanged"
	! commands | grep RETR || fail "fetched again"
	printf 'again' >"$FTPROOT/changes.bin"
	[ "$(fetchfs cat "$base/changes.bin")" = again ] || fail "of another time"
	printf 'longer' >"$FTPROOT/changes.bin"
	touch -d '2020-01-01 00:00:00' "$FTPROOT/changes.bin"
	[ "$(fetchfs cat "$base/changes.bin")" = longer ] || fail "of another size"
	rm "$FTPROOT/changes.bin"
	expect_failure 1 'no such file' "${fetchfs[@]}" fetch --refresh "$base/changes.bin"
}
each changed
stop_mount

say "1 GiB, of which most is a hole"
big() {
	[ "$(fetchfs cat "$base/big.img" | sha256)" = "$big_sum" ] || fail "other bytes"
	fetchfs evict "$base/big.img" >/dev/null
}
big_sum=$(sha256 "$FTPROOT/big.img")
each big

say "a part: what is read far from the beginning is asked for by REST"
sed -i 's/^\[fetch\]/&\nlazy = ranges/' "$CONFIG"
start_mount
has_rest() {
	grep -q 'REST [1-9]' <(commands)
}
part() {
	local file
	file=$(at "$base/far.bin")
	forget_commands
	cmp <(dd if="$file" bs=4K skip=9000 count=2 status=none) \
		<(dd if="$FTPROOT/far.bin" bs=4K skip=9000 count=2 status=none) || fail "other bytes"
	wait_for 10 has_rest || fail "no REST: $(commands)" # servers write their log when they like
	[ "$(getfattr --absolute-names --only-values -n user.fetchfs.cached_bytes "$file")" -lt $((20 << 20)) ] ||
		fail "more than a part"
	cmp "$file" "$FTPROOT/far.bin" || fail "the whole has other bytes"
}
each part
settle_mount # it is asked once more, though nobody reads any longer
stop_mount

say "active: the server connects to us"
sed -i '/^\[origin/,$d' "$CONFIG"
for server in "${!bases[@]}"; do
	printf '[origin "%s/"]\nftp_active = yes\nftp_tls = %s\n' "${bases[$server]}" \
		"$([ "$server" = explicit ] && echo yes || echo no)" >>"$CONFIG"
done
old_curl() {
	[[ $(curl --version) =~ libcurl/[0-7]\. ]]
}
active() {
	random_file 2M "$FTPROOT/active.$server" "$server"
	forget_commands
	if [[ $server == explicit || $server == ftps ]] && old_curl; then
		expect_failure 1 'need libcurl 8.0' "${fetchfs[@]}" fetch "$base/active.$server"
		return
	fi
	fetchfs cat "$base/active.$server" | cmp - "$FTPROOT/active.$server" || fail "other bytes"
	commands | grep -Eq '^(EPRT|PORT)' || fail "not active: $(commands)"
	! commands | grep -E '^(EPSV|PASV)' || fail "passive"
}
each active

say "TLS that the server does not have, and TLS that it demands: not a matter of the login"
printf '[fetch]\nca_file = %s\nretries = 0\n' "$CA" >"$CONFIG"
printf '[origin "%s/"]\nftp_tls = yes\n' "$FTP" "$PY" >>"$CONFIG"
expect_failure 1 'the server has no TLS, which ftp_tls demands: 5[0-9]+ to AUTH' \
	"${fetchfs[@]}" fetch "$FTP/never.bin"
expect_failure 1 'the server has no TLS, which ftp_tls demands: 5[0-9]+ to AUTH' \
	"${fetchfs[@]}" fetch "$PY/never.bin"
expect_failure 1 'the server demands TLS \(ftp_tls = yes\): 530' \
	"${fetchfs[@]}" fetch "$EXPLICIT/never.bin"
another_vsftpd DATA ftp://localhost "${tls[@]}" force_anon_logins_ssl=NO
expect_failure 1 'the server demands TLS \(ftp_tls = yes\): 522' \
	"${fetchfs[@]}" fetch "$DATA/whole.bin"
no_debris
