#!/bin/bash
# oci: who may: user and password, tokens of a token server, Docker's configuration and its helpers, strangers
# at the mount; and that no secret is written anywhere.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
need_root
need_fuse
need_program docker-registry htpasswd openssl jq python3 getfattr setpriv

export HOME=$WORK/home
mkdir "$HOME"
unset DOCKER_CONFIG
make_ca
start_registry plain
PUSH=http://127.0.0.1:$REGISTRY_PORT
random_file 300K "$WORK/a.bin" a
push team/files v1 a.bin="$WORK/a.bin" b.bin="$WORK/a.bin" >/dev/null
push public/files v1 a.bin="$WORK/a.bin" >/dev/null

secret=Secret-$RANDOM-hunter2
refresh=Refresh-$RANDOM-hunter2
wrong=Wrong-$RANDOM-hunter2
htpasswd -nbB alice "$secret" >"$WORK/htpasswd" 2>>"$LOGS/htpasswd"
mapfile -t tls < <(registry_tls)
start_registry basic auth: '  htpasswd:' '    realm: files' "    path: $WORK/htpasswd" "${tls[@]}"
BASIC=localhost:$REGISTRY_PORT
start_token_server --user "alice:$secret" --refresh "$refresh" --tls-cert "$WORK/tls/server.pem" \
	--tls-key "$WORK/tls/server.key"
mapfile -t lines < <(token_lines https)
start_registry token "${lines[@]}" "${tls[@]}"
TOKEN=localhost:$REGISTRY_PORT
mapfile -t lines < <(token_lines http)
start_registry plain_realm "${lines[@]}" "${tls[@]}"
PLAIN_REALM=localhost:$REGISTRY_PORT
(umask 077 && echo "alice:$secret" >"$WORK/user" && echo "alice:$wrong" >"$WORK/wrong")

common="[fetch]
retries = 0
ttl = 0
negative_ttl = 0
lookup_head = none
ca_file = $CA"
words=$WORK/words # all that commands said
echo "$common" >"$CONFIG"

# get URI [FILE-OF-CONFIGURATION]
get() {
	timeout 100 "$FETCHFS" --cache "$CACHE" --config "${2-$CONFIG}" cat "$1" 2>>"$words"
}
refused() {
	expect_failure "$1" "$2" "$FETCHFS" --cache "$CACHE" --config "${4-$CONFIG}" cat "$3"
	cat "$WORK/stderr" >>"$words"
}

say "nobody gets in as nobody, apart from where anybody may"
refused 1 '401 unauthorized: the registry wants a user and a password' "oci://$BASIC/team/files:v1/a.bin"
refused 1 '401 unauthorized \(UNAUTHORIZED\)' "oci://$TOKEN/team/files:v1/a.bin"
get "oci://$TOKEN/public/files:v1/a.bin" | cmp - "$WORK/a.bin" || fail "what is public is not"
grep -q '^GET anybody repository:public/files:pull 200' "$TOKEN_LOG" || fail "$(<"$TOKEN_LOG")"

say "what docker login has written opens it for the owner"
mkdir "$HOME/.docker"
docker_login() { # REGISTRY USER PASSWORD
	(umask 077 && jq -n --arg r "$1" --arg a "$(printf '%s:%s' "$2" "$3" | base64 -w 0)" \
		'{auths: {($r): {auth: $a}}}' >"$HOME/.docker/config.json")
}
docker_login "$BASIC" alice "$secret"
get "oci://$BASIC/team/files:v1/a.bin" | cmp - "$WORK/a.bin" || fail "user and password"
refused 1 '401 unauthorized \(UNAUTHORIZED\)' "oci://$TOKEN/team/files:v1/b.bin"
docker_login "$TOKEN" alice "$secret"
get "oci://$TOKEN/team/files:v1/a.bin" | cmp - "$WORK/a.bin" || fail "a token"
grep -q '^GET alice repository:team/files:pull 200' "$TOKEN_LOG" || fail "$(<"$TOKEN_LOG")"
docker_login "$TOKEN" alice "$wrong"
refused 1 'a token from localhost: 401 the credentials are refused' "oci://$TOKEN/team/files:v1/b.bin"
docker_login "$BASIC" alice "$wrong"
refused 1 '401 unauthorized' "oci://$BASIC/team/files:v1/b.bin"
(umask 077 && jq -n --arg r "$TOKEN" --arg t "$refresh" '{auths: {($r): {identitytoken: $t}}}' \
	>"$HOME/.docker/config.json")
get "oci://$TOKEN/team/files:v1/a.bin" | cmp - "$WORK/a.bin" || fail "an identity token"
grep -q '^POST refreshed repository:team/files:pull 200' "$TOKEN_LOG" || fail "$(<"$TOKEN_LOG")"
(umask 077 && jq -n --arg r "$TOKEN" --arg t "$wrong" '{auths: {($r): {identitytoken: $t}}}' \
	>"$HOME/.docker/config.json")
refused 1 'a token from localhost: 401 the credentials are refused' "oci://$TOKEN/team/files:v1/b.bin"

say "a helper is asked, and only when somebody wants to know"
mkdir "$WORK/bin"
cat >"$WORK/bin/docker-credential-test" <<-END
	#!/bin/sh
	read -r server
	echo "\$1 \$server" >>"$WORK/helped"
	[ "\$1" = get ] && [ "\$server" = "$BASIC" ] || { echo 'credentials not found in native keychain'; exit 1; }
	cat "$WORK/answer"
END
chmod 755 "$WORK/bin/docker-credential-test"
(umask 077 && printf '{"ServerURL":"%s","Username":"alice","Secret":"%s"}\n' "$BASIC" "$secret" >"$WORK/answer")
echo '{"credsStore": "test"}' >"$HOME/.docker/config.json"
export PATH=$WORK/bin:$PATH
get "oci://$BASIC/team/files:v1/b.bin" | cmp - "$WORK/a.bin" || fail "by a helper"
grep -qxF "get $BASIC" "$WORK/helped" || fail "$(<"$WORK/helped")"
get "oci://$TOKEN/public/files:v1/a.bin" | cmp - "$WORK/a.bin" || fail "without an answer of the helper"
: >"$WORK/helped"
printf '%s\n' "$common" "[oci \"oci://${PUSH#http://}/\"]" "endpoint = $PUSH" >"$WORK/open.conf"
get "oci://${PUSH#http://}/team/files:v1/a.bin" "$WORK/open.conf" | cmp - "$WORK/a.bin" || fail "open"
[ ! -s "$WORK/helped" ] || fail "asked for nothing: $(<"$WORK/helped")"
echo '{"credsStore": "absent"}' >"$HOME/.docker/config.json"
refused 1 'no program docker-credential-absent in PATH' "oci://$BASIC/team/files:v1/b.bin"

say "a user in the URI"
get "oci://alice:$secret@$BASIC/team/files:v1/a.bin" | cmp - "$WORK/a.bin" || fail "the URI's user"
refused 1 '401 unauthorized' "oci://alice:$wrong@$BASIC/team/files:v1/b.bin"

say "no secret goes to a token server over plain http"
docker_login "$PLAIN_REALM" alice "$secret"
refused 1 'plain http, where no secret goes' "oci://$PLAIN_REALM/team/files:v1/a.bin"

say "many files of one repository need one token"
docker_login "$TOKEN" alice "$secret"
: >"$TOKEN_LOG"
list=()
for i in {1..40}; do
	random_file 3K "$WORK/many$i" "$i"
	printf '%s\t%s\n' "$i" "$WORK/many$i" >>"$WORK/many"
	list+=("oci://$TOKEN/team/many:v1/$i")
done
PUSH_OPTIONS="--list $WORK/many" push team/many v1 >/dev/null
timeout 100 "${fetchfs[@]}" fetch -j 16 "${list[@]}" 2>>"$words" || fail "many: $(tail -n 3 "$words")"
[ "$(wc -l <"$TOKEN_LOG")" -eq 1 ] || fail "$(<"$TOKEN_LOG")"
for i in 1 40; do
	get "oci://$TOKEN/team/many:v1/$i" | cmp - "$WORK/many$i" || fail "many: $i"
done

say "a section, and whom it serves"
rm -r "$HOME/.docker"
{
	cat <<-END
		$common
		[oci "oci://$TOKEN/team"]
		user_file = $WORK/user
		users = 65534
		list = yes
		[oci "oci://$TOKEN/public"]
		anonymous = yes
		[oci "oci://$BASIC/"]
		user_file = $WORK/wrong
		[policy]
		allow = https://localhost:$TOKEN_PORT/
	END
} >"$CONFIG"
get "oci://$TOKEN/team/files:v1/a.bin" | cmp - "$WORK/a.bin" || fail "a section"
refused 1 '401' "oci://$BASIC/team/files:v1/a.bin"
start_mount
as() {
	setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
M=$MNT/oci/$TOKEN
as 65534 cmp "$M/team/files:v1/a.bin" "$WORK/a.bin" || fail "whom the section names is not served"
as 65534 ls "$M/team/files:v1/" | sort | xargs | grep -qx 'a.bin b.bin' || fail "$(as 65534 ls "$M/team/files:v1/")"
! as 12345 cat "$M/team/files:v1/a.bin" >/dev/null 2>>"$words" || fail "whom it does not name is served"
! as 12345 ls "$M/team/files:v1/" 2>>"$words" | grep a.bin || fail "whom it does not name is told"
as 12345 cmp "$M/public/files:v1/a.bin" "$WORK/a.bin" || fail "what is public is not"
! as 12345 cat "$MNT/oci/$BASIC/team/files:v1/a.bin" >/dev/null 2>>"$words" || fail "without users"
! as 12345 cat "$MNT/oci/${PUSH#http://}/team/files:v1/a.bin" >/dev/null 2>>"$words" || fail "without a section"
expect_errno EACCES "$MNT/oci/$BASIC/team/files:v1/b.bin"
for file in "$M/team/files:v1/a.bin" "$MNT/oci/$BASIC/team/files:v1/b.bin"; do
	getfattr -d -m - "$file" >>"$words" 2>&1 || :
	for name in uri etag error state; do
		getfattr -n "user.fetchfs.$name" "$file" >>"$words" 2>&1 || :
	done
done
cat "$MNT/.fetchfs/status" "$MNT/.fetchfs/log" "$MNT/.fetchfs/metrics" >>"$words"

say "a token that has expired is replaced"
stop_mount
start_token_server --user "alice:$secret" --tls-cert "$WORK/tls/server.pem" --tls-key "$WORK/tls/server.key" \
	--expires 1
mapfile -t lines < <(token_lines https)
start_registry brief "${lines[@]}" "${tls[@]}"
BRIEF=localhost:$REGISTRY_PORT
{
	cat <<-END
		$common
		[oci "oci://$BRIEF/"]
		user_file = $WORK/user
	END
} >"$CONFIG"
start_mount
cmp "$MNT/oci/$BRIEF/team/files:v1/a.bin" "$WORK/a.bin" || fail "a brief token"
first=$(wc -l <"$TOKEN_LOG")
asked_again() {
	cmp "$MNT/oci/$BRIEF/team/files:v1/a.bin" "$WORK/a.bin" || fail "after it has expired"
	[ "$(wc -l <"$TOKEN_LOG")" -gt "$first" ]
}
wait_for 20 asked_again || fail "$(<"$TOKEN_LOG")"
stop_mount

say "no secret is written or shown anywhere"
{
	cat <<-END
		$common
		first_byte = 100s
		[oci "oci://$BRIEF/"]
		user_file = $WORK/user
	END
} >"$CONFIG"
kill -STOP "$REGISTRY_PID"
"${fetchfs[@]}" cat "oci://alice:$secret@$BRIEF/team/files:v1/none" >/dev/null 2>>"$words" &
hanging=$!
children+=("$hanging")
hidden() {
	became_program $hanging && tr '\0' ' ' <"/proc/$hanging/cmdline" >"$WORK/shown" &&
		! grep -qF "$secret" "$WORK/shown"
}
wait_for 20 hidden || fail "shown by ps: $(<"$WORK/shown")"
kill "$hanging"
kill -CONT "$REGISTRY_PID"
wait "$hanging" || :
fetchfs -vv cat "oci://$BRIEF/team/files:v1/none" >/dev/null 2>>"$words" || :
for text in "$secret" "$refresh" "$wrong" 'Bearer ey' eyJ "$(printf 'alice:%s' "$secret" | base64 | cut -c 1-24)"; do
	! grep -rlF -- "$text" "$CACHE" "$words" "$LOGS/mount" || fail "written: $text"
done
