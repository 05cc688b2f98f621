#!/bin/bash
# Credentials of the configuration: they open what they are for, serve whom they name, go nowhere
# else, and are written nowhere.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program nginx openssl jq setpriv getfattr

# Each of them is looked for, in the end, in all that the program wrote.
pass=Pass-$RANDOM-hunter2
old=Old-$RANDOM.hunter2
new=New-$RANDOM.hunter2
value=Value-$RANDOM-hunter2
secrets=("$pass" "$old" "$new" "$value" "$(printf 'me:%s' "$pass" | base64)")

other_headers=$WORK/other-headers
start_origin --trace "$other_headers"
OTHER=http://localhost:${ORIGIN##*:}

NGINX_MORE="
	location /basic/ { alias $WWW/; auth_basic x; auth_basic_user_file $WORK/htpasswd; }
	location /bearer/old/ { alias $WWW/; if (\$http_authorization != \"Bearer $old\") { return 401; } }
	location /bearer/new/ { alias $WWW/; if (\$http_authorization != \"Bearer $new\") { return 401; } }
	location /bearer/away/ { if (\$http_authorization = \"\") { return 401; }
		rewrite ^/bearer/away/(.*)\$ $OTHER/\$1 redirect; }
	location /header/ { alias $WWW/; if (\$http_x_key != \"$value\") { return 403; } }
	location /header/away/ { return 302 $OTHER/away.bin; }
	ssl_client_certificate $WORK/tls/ca.pem;
	ssl_verify_client optional;
	location /cert/ { alias $WWW/; if (\$ssl_client_verify != SUCCESS) { return 403; } }
	location /who/ { default_type text/plain; return 200 \"who: \$ssl_client_s_dn\\n\"; }
"
start_nginx
for name in a b c; do random_file 300K "$WWW/$name.bin" $name; done
random_file 300K "$ORIGINROOT/away.bin" away
printf 'me:%s\n' "$(openssl passwd -apr1 "$pass")" >"$WORK/htpasswd"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=client" \
	-keyout "$WORK/tls/client.key" -out "$WORK/tls/client.csr" 2>>"$LOGS/openssl"
openssl x509 -req -days 2 -in "$WORK/tls/client.csr" -CA "$CA" -CAkey "$WORK/tls/ca.key" \
	-CAcreateserial -out "$WORK/tls/client.crt" 2>>"$LOGS/openssl"
cat "$WORK/tls/client.crt" "$WORK/tls/client.key" >"$WORK/client.pem"
chmod 600 "$WORK/client.pem"

umask 077
chmod 600 "$CONFIG"
printf 'me:%s\n' "$pass" >"$WORK/user"
echo "$old" >"$WORK/token"
echo "machine 127.0.0.1 login me password $pass" >"$WORK/netrc"
cat >"$CONFIG" <<-END
	[fetch]
	ca_file = $CA
	retries = 0
	[policy]
	allow = $OTHER/, $HTTPS/who/
	[origin "$HTTP/basic/"]
	user_file = $WORK/user
	users = nobody
	[origin "$HTTP/basic/netrc/"]
	netrc = $WORK/netrc
	[origin "$HTTP/bearer/"]
	bearer_file = $WORK/token
	[origin "$HTTP/header/"]
	header = X-Key: $value
	users = *
	[origin "$HTTP/mirrored/"]
	mirrors = $OTHER/
	user_file = $WORK/user
	bearer_file = $WORK/token
	header = X-Key: $value
	[origin "$HTTPS/cert/"]
	client_cert = $WORK/client.pem
	users = 65534
END
umask 022
mkdir "$WWW/netrc"
cp "$WWW/a.bin" "$WWW/netrc/"
words=$WORK/words # all that commands said
get() {
	timeout 60 "${fetchfs[@]}" cat "$1" 2>>"$words"
}

say "each opens its door, and nothing else does"
get "$HTTP/basic/a.bin" | cmp - "$WWW/a.bin" || fail "user_file"
get "$HTTP/basic/netrc/a.bin" | cmp - "$WWW/a.bin" || fail "netrc"
get "$HTTP/bearer/old/a.bin" | cmp - "$WWW/a.bin" || fail "bearer_file"
get "$HTTP/header/a.bin" | cmp - "$WWW/a.bin" || fail "header"
get "$HTTPS/cert/a.bin" | cmp - "$WWW/a.bin" || fail "client_cert"
expect_failure 1 '401' "${fetchfs[@]}" cat "$HTTP/bearer/new/b.bin"
cat "$WORK/stderr" >>"$words"
expect_failure 1 'cat .*: 401' "${fetchfs[@]}" cat "http://me@${HTTP#*//}/basic/b.bin"
get "http://me:$pass@${HTTP#*//}/basic/b.bin" | cmp - "$WWW/b.bin" || fail "userinfo"

say "a new token counts at once, and keeps what the old one brought"
start_mount
cmp "$(at "$HTTP/bearer/old/a.bin")" "$WWW/a.bin" || fail "other bytes"
expect_errno EACCES "$(at "$HTTP/bearer/new/c.bin")"
(umask 077 && echo "$new" >"$WORK/token.new" && mv "$WORK/token.new" "$WORK/token")
cmp "$(at "$HTTP/bearer/new/c.bin")" "$WWW/c.bin" || fail "the new token is not used"
settle_nginx
[ "$(requests GET /bearer/old/a.bin)" -eq 1 ] || fail "the new token emptied the cache"

say "a redirect to another host carries nothing there"
cmp "$(at "$HTTP/bearer/away/away.bin")" "$ORIGINROOT/away.bin" || fail "other bytes"
cmp "$(at "$HTTP/header/away/")" "$ORIGINROOT/away.bin" || fail "other bytes"
grep -c "/away.bin" "$other_headers" | grep -qx '[2-9]' || fail "the other host was not asked"
! grep -iE 'authorization|x-key|hunter2' "$other_headers" || fail "sent to another host"

say "nor does a mirror get any of it, nor what the URI has"
cmp "$(at "$HTTP/mirrored/away.bin")" "$ORIGINROOT/away.bin" || fail "other bytes"
cmp "$(at "http://me:$pass@${HTTP#*//}/mirrored/away.bin")" "$ORIGINROOT/away.bin" || fail "other bytes"
[ "$(grep -c "GET./away.bin" "$other_headers")" -ge 4 ] || fail "the mirror was not asked"
! grep -iE 'authorization|x-key|hunter2' "$other_headers" || fail "sent to a mirror"

say "a connection that a certificate opened is for its section only"
[ "$(cat "$(at "$HTTPS/who/1")")" = "who: " ] || fail "$(cat "$(at "$HTTPS/who/1")")"
cmp "$(at "$HTTPS/cert/b.bin")" "$WWW/b.bin" || fail "other bytes"
[ "$(cat "$(at "$HTTPS/who/2")")" = "who: " ] || fail "known elsewhere: $(cat "$(at "$HTTPS/who/2")")"

say "credentials serve whom the section names"
as() {
	setpriv --reuid="$1" --regid="$1" --clear-groups -- "${@:2}"
}
as 65534 cmp "$(at "$HTTP/basic/a.bin")" "$WWW/a.bin" || fail "nobody is not served"
as 65534 cmp "$(at "$HTTPS/cert/c.bin")" "$WWW/c.bin" || fail "nobody is not served"
as 12345 cmp "$(at "$HTTP/header/a.bin")" "$WWW/a.bin" || fail "not everybody is served"
for uri in "$HTTP/basic/a.bin" "$HTTP/basic/c.bin" "$HTTPS/cert/a.bin" "$HTTP/bearer/old/a.bin"; do
	! as 12345 cat "$(at "$uri")" >"$WORK/stdout" 2>"$WORK/stderr" || fail "12345 reads $uri"
	grep -q 'Permission denied' "$WORK/stderr" || fail "$uri: $(<"$WORK/stderr")"
	[ ! -s "$WORK/stdout" ] || fail "12345 got bytes"
done
as 65534 cat "$(at "$HTTP/bearer/old/a.bin")" 2>"$WORK/stderr" >&2 &&
	fail "a section without users serves nobody"
! as 12345 "$FETCHFS" cat --mount "$MNT" "$HTTP/basic/a.bin" >"$WORK/stdout" 2>>"$words" ||
	fail "12345 reads by command"
mkdir "$WORK/sandbox"
expect_failure 1 "'users = …' in \[origin \"$HTTP/basic/\"\] does not name uid 1$" \
	"${fetchfs[@]}" prepare --user 1 "$WORK/sandbox" "$HTTP/basic/a.bin"
chown 65534 "$WORK/sandbox"
fetchfs prepare --user 65534 "$WORK/sandbox" "$HTTP/basic/a.bin" 2>>"$words" ||
	fail "prepare: $(<"$words")"
cmp "$WORK/sandbox/a.bin" "$WWW/a.bin" || fail "prepare: other bytes"

say "what is private is invisible to others"
tree=$MNT/http/${HTTP#*//}
as 65534 ls "$tree/basic" | grep -qx a.bin || fail "nobody does not see it"
! as 12345 ls "$tree/basic" 2>/dev/null | grep . || fail "12345 sees it"
! as 65534 ls "$tree/bearer/old" 2>/dev/null | grep . || fail "nobody sees the owner's"
sum=$(sha256 "$WWW/netrc/a.bin")
as 65534 cmp "$MNT/digest/sha256/$sum" "$WWW/a.bin" || fail "nobody cannot reach the content"
as 12345 cmp "$MNT/digest/sha256/$sum" "$WWW/a.bin" || fail "the header's is everybody's"
sum=$(sha256 "$WWW/c.bin")
as 65534 cmp "$MNT/digest/sha256/$sum" "$WWW/c.bin" || fail "nobody cannot reach the content"
! as 12345 cat "$MNT/digest/sha256/$sum" >"$WORK/stdout" 2>/dev/null || fail "reached by its digest"

say "what ps shows has neither password nor query"
"${fetchfs[@]}" cat "http://me:$pass@${OTHER#*//}/hang/away.bin?sig=$value" &
hanging=$!
children+=("$hanging")
wait_for 20 grep -q "/hang/away.bin" "$other_headers" || fail "it was not asked for"
tr '\0' ' ' <"/proc/$hanging/cmdline" >"$WORK/shown"
! grep -F -e "$pass" -e "$value" "$WORK/shown" || fail "shown"
grep -qF "@${OTHER#*//}/hang/away.bin?***" "$WORK/shown" || fail "$(<"$WORK/shown")"
kill $hanging

say "no secret is anywhere"
getfattr -R -d -m - "$MNT/http" "$MNT/https" >>"$words" 2>/dev/null || :
for name in uri sha256 state etag error; do
	getfattr -n user.fetchfs.$name "$(at "$HTTP/basic/a.bin")" "$(at "$HTTP/bearer/new/c.bin")" \
		>>"$words" 2>&1 || :
done
tr '\0' ' ' <"/proc/$MOUNT_PID/cmdline" >>"$words"
cat "$MNT/.fetchfs/status" >>"$words"
stop_mount
for command in status "status --json" "ls -l" "ls --json" "stat $HTTP/basic/a.bin"; do
	# shellcheck disable=SC2086 # words
	fetchfs $command >>"$words" 2>&1
done
for secret in "${secrets[@]}"; do
	! grep -rqaF -- "$secret" "$CACHE" || fail "in the cache: $secret"
	! grep -qaF -- "$secret" "$words" "$LOGS/mount" || fail "said: $secret"
done
