#!/bin/bash
# Certificates that nobody vouches for: whatever is spoken over TLS, it is told at once what is wrong and what can
# be done, and what is here already goes on to serve.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/ftp.sh"
need_root
need_fuse
need_program vsftpd nginx openssl curl jq

unset "${!AWS_@}" "${!HADOOP_@}"
export HOME=$WORK/home
mkdir "$HOME"
NGINX_MORE="location /list/ { alias $WWW/; autoindex on; }"
start_nginx
start_vsftpd
mapfile -t tls < <(explicit_tls)
another_vsftpd EXPLICIT ftp://localhost "${tls[@]}"
start_vsftpd_tls
random_file 40K "$WWW/a.bin"
ln "$WWW/a.bin" "$FTPROOT/a.bin"
host=${HTTPS#https://}
# config [LINE…]: retries that would take minutes
config() {
	printf '%s\n' '[fetch]' 'retries = 40' 'ttl = 0' "$@"
	cat <<-END
		[origin "$EXPLICIT/"]
		ftp_tls = yes
		[origin "$HTTPS/list/"]
		list = yes
		[s3 "s3://bucket/"]
		endpoint = $HTTPS
		style = path
		anonymous = yes
	END
}

say "https, ftps, AUTH TLS, s3, WebHDFS, a registry: not trusted, and how it would be"
config >"$CONFIG"
for uri in "$HTTPS/a.bin" "$FTPS/a.bin" "$EXPLICIT/a.bin" s3://bucket/a.bin "swebhdfs://$host/a.bin" \
	"oci://$host/team/files:v1/a.bin"; do
	expect_failure 1 ': the certificate of the server is not trusted: .*issuer.* \(.ca_file = FILE. in \[fetch\]' \
		"${fetchfs[@]}" cat "$uri"
done
start_mount
expect_errno EACCES "$(at "$HTTPS/a.bin")"
expect_errno EACCES "$(at "$FTPS/a.bin")"
stop_mount

say "what speaks no TLS is told from that"
expect_failure 1 ': what answers speaks no TLS$' "${fetchfs[@]}" cat "https${HTTP#http}/a.bin"
expect_failure 1 ': what answers speaks no TLS$' "${fetchfs[@]}" cat "ftps${FTP#ftp}/a.bin"

say "one for another name"
config "ca_file = $CA" >"$CONFIG"
expect_failure 1 'is not trusted: no alternative certificate .*other.localhost.* \(ask for a name that it is for' \
	"${fetchfs[@]}" cat "https://other.$host/a.bin"

say "a proxy's, too"
config "proxy = $HTTPS" >"$CONFIG"
expect_failure 1 ': the certificate of the proxy is not trusted: .*ca_file' "${fetchfs[@]}" cat http://origin.example/a.bin

say "an old copy may stand in, and a folder is shown as it was"
config "ca_file = $CA" 'stale_if_error = 1h' >"$CONFIG"
fetchfs cat "$HTTPS/a.bin" | cmp - "$WWW/a.bin" || fail "a.bin differs"
start_mount
tree=$MNT/https/$host/list
[ "$(ls "$tree")" = a.bin ] || fail "$(ls "$tree")"
cp "$CA" "$WORK/ca.pem"
sed -i "s,$CA,$WORK/ca.pem," "$CONFIG"
make_ca
kill -HUP "$NGINX_PID"
is_another() {
	curl -s --cacert "$CA" -o /dev/null "$HTTPS/status/404"
}
wait_for 20 is_another || fail "the server has no other certificate"
[ "$(ls "$tree")" = a.bin ] || fail "listed: $(ls "$tree")"
stop_mount
fetchfs cat "$HTTPS/a.bin" 2>"$WORK/why" | cmp - "$WWW/a.bin" || fail "no old copy stands in"
grep -q 'is not trusted' "$WORK/why" || fail "$(<"$WORK/why")"
