#!/bin/bash
# What one user fetched by a credential no other user reads, sees, or hears of, by any path under the
# mount and by any command through it: while it is on its way, while it is open, from the cache, after
# it was evicted; whatever the credential was: of a section, in the URI, or a signed query.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program nginx jq setpriv getfattr python3

token=Token-$RANDOM-hunter2
NGINX_MORE="
	location /own/ { alias $WWW/own/; if (\$http_authorization != \"Bearer $token\") { return 401; } }
	location /lazy/ { alias $WWW/own/; limit_rate 12k; if (\$http_authorization != \"Bearer $token\") { return 401; } }
	location /signed/ { alias $WWW/own/; if (\$arg_sig != \"$token\") { return 403; } }
	location /login/ { alias $WWW/own/; auth_basic x; auth_basic_user_file $WORK/htpasswd; }
"
start_nginx
mkdir "$WWW/own"
random_file 300K "$WWW/own/secret.bin" secret
mkdir "$WORK/packed"
echo "inside $token" >"$WORK/packed/hidden.txt"
tar -C "$WORK/packed" -czf "$WWW/own/secret.tar.gz" hidden.txt
printf 'me:%s\n' "$(openssl passwd -apr1 "$token")" >"$WORK/htpasswd"
(umask 077 && echo "$token" >"$WORK/token")
cat >"$CONFIG" <<-END
	[policy]
	private = allow
	[fetch]
	retries = 0
	ttl = 1h
	negative_ttl = 0s
	[origin "$HTTP/own/"]
	bearer_file = $WORK/token
	users = 12345
	[origin "$HTTP/lazy/"]
	bearer_file = $WORK/token
	users = 12345
END
chmod 755 "$WORK"
start_mount
tree=$MNT/http/${HTTP#*//}
first=(setpriv --reuid=12345 --regid=12345 --clear-groups)
second=(setpriv --reuid=54321 --regid=54321 --clear-groups)
plain=$WWW/own/secret.bin
sum=$(sha256 "$plain")
packed=$(sha256 "$WWW/own/secret.tar.gz")
said=$WORK/said # all that the second user ever gets to see

# A prefix of the bytes would be as bad as all of them.
leaks() {
	grep -qaF "inside $token" "$said" && return
	python3 - "$said" "$plain" <<-'END'
		import sys
		got = open(sys.argv[1], "rb").read()
		secret = open(sys.argv[2], "rb").read()
		sys.exit(0 if secret[:32] in got or secret[-32:] in got else 1)
	END
}

# try WHEN: by all ways
try() {
	local path name
	: >"$said"
	for path in "$tree/own/secret.bin" "$tree/lazy/secret.bin" "$(at "$HTTP/own/secret.bin")" \
		"$(at "$HTTP/lazy/secret.bin")" "$(at "$HTTP/signed/secret.bin?sig=")" \
		"$(at "$HTTP/signed/secret.bin?sig=wrong")" "$tree/signed/secret.bin" \
		"$(at "$HTTP/login/secret.bin")" "$(at "${HTTP/\/\////me@}/login/secret.bin")" \
		"$(at "${HTTP/\/\////me:wrong@}/login/secret.bin")" \
		"$MNT/digest/sha256/$sum" "$MNT/digest/sha256/$packed" \
		"$tree/own/secret.tar.gz" "$tree/own/secret.tar.gz.unpacked/hidden.txt" \
		"$MNT/digest/sha256/$packed.unpacked/hidden.txt"; do
		timeout 60 "${second[@]}" cat "$path" >>"$said" 2>&1 && fail "$1: $path can be read"
		for name in uri sha256 etag state cached_bytes error last_used; do
			timeout 60 "${second[@]}" getfattr --only-values -n "user.fetchfs.$name" "$path" \
				>"$WORK/attribute" 2>/dev/null || continue
			! grep -qaE "complete|$sum|$packed" "$WORK/attribute" ||
				fail "$1: $path: $name is $(<"$WORK/attribute")"
		done
	done
	timeout 60 "${second[@]}" ls -R "$tree" "$MNT/uri" >"$WORK/names" 2>/dev/null || :
	! grep -E 'secret|hidden' "$WORK/names" || fail "$1: it is listed"
	"${second[@]}" cat "$MNT/.fetchfs/log" "$MNT/.fetchfs/status" "$MNT/.fetchfs/metrics" >"$WORK/control" || :
	# (of its own failures it hears)
	! jq -e --arg sum "$sum" 'select(.uri? // "" | test("secret")) | select(.scope? // "" | test("12345"))' \
		"$MNT/.fetchfs/status" >/dev/null 2>&1 || fail "$1: shown in status"
	! grep -F "$token" "$WORK/control" || fail "$1: the secret itself is shown"
	! grep -E '(fetched|evicted|confirmed).*secret' "$WORK/control" || fail "$1: it is told of: $(<"$WORK/control")"
	for uri in "$HTTP/own/secret.bin" "$HTTP/lazy/secret.bin" "$HTTP/login/secret.bin"; do
		timeout 60 "${second[@]}" "$FETCHFS" cat --mount "$MNT" "$uri" >>"$said" 2>&1 &&
			fail "$1: cat --mount"
		timeout 60 "${second[@]}" "$FETCHFS" stat --json --mount "$MNT" "$uri" >"$WORK/stat" 2>&1 || :
		! grep -E 'complete|'"$sum" "$WORK/stat" || fail "$1: stat --mount: $(<"$WORK/stat")"
		timeout 60 "${second[@]}" "$FETCHFS" path --mount "$MNT" "$uri" >>"$said" 2>&1 || :
	done
	timeout 60 "${second[@]}" "$FETCHFS" ls -l --mount "$MNT" >"$WORK/ls" 2>&1 || :
	! grep secret "$WORK/ls" || fail "$1: ls --mount"
	timeout 60 "${second[@]}" "$FETCHFS" log --mount "$MNT" >"$WORK/ls" 2>&1 || :
	! grep -E '(fetched|evicted).*secret' "$WORK/ls" || fail "$1: log --mount"
	! leaks || fail "$1: bytes were read"
}

get_all() {
	timeout 60 "${first[@]}" cmp "$tree/own/secret.bin" "$plain" || fail "the first cannot read its own"
	timeout 60 "${first[@]}" cmp "$(at "$HTTP/signed/secret.bin?sig=$token")" "$plain" || fail "signed"
	timeout 60 "${first[@]}" cmp "$(at "${HTTP/\/\///\/me:$token@}/login/secret.bin")" "$plain" || fail "login"
	timeout 60 "${first[@]}" cmp "$tree/own/secret.tar.gz.unpacked/hidden.txt" "$WORK/packed/hidden.txt" ||
		fail "unpacked"
}

say "while it is on its way"
"${first[@]}" cat "$tree/lazy/secret.bin" >"$WORK/own" &
reader=$!
children+=("$reader")
is_on_its_way() {
	jq -e '.in_flight > 0' "$MNT/.fetchfs/status" >/dev/null
}
wait_for 20 is_on_its_way || fail "nothing arrives"
try "in flight"
kill -0 "$reader" 2>/dev/null || fail "it was over before: this proves nothing"
wait "$reader"
cmp "$WORK/own" "$plain" || fail "other bytes"

say "from the cache, and while it is open"
get_all
try "cached"
# shellcheck disable=SC2016 # for the other shell
exec {held}< <("${first[@]}" bash -c 'exec 3<"$1" 4<"$2" 5<"$3" && echo open && sleep 300' bash \
	"$tree/own/secret.bin" "$tree/lazy/secret.bin" "$tree/own/secret.tar.gz.unpacked/hidden.txt")
holder=$!
children+=("$holder")
read -r -u "$held"
try "open"
kill "$holder"
exec {held}<&-

say "the same content, once it is also everybody's, is everybody's: not before"
settle_nginx
before=$(requests GET '/own/secret.bin')
cp "$plain" "$WWW/public.bin"
timeout 60 "${second[@]}" cmp "$tree/public.bin" "$plain" || fail "public"
"${second[@]}" cmp "$MNT/digest/sha256/$sum" "$plain" || fail "by its digest"
timeout 60 "${second[@]}" cat "$tree/own/secret.bin" >/dev/null 2>&1 && fail "by the private name"
settle_nginx
[ "$(requests GET '/own/secret.bin')" -eq "$before" ] || fail "the second asked as the first"
fetchfs evict "$HTTP/public.bin"

say "after it was evicted, and again"
fetchfs evict --all >/dev/null
try "evicted"
get_all
try "again"
stop_mount
start_mount
try "after a restart"
stop_mount
