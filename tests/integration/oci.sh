#!/bin/bash
# oci: against Debian's docker-registry, behind TLS: what is asked, in each state that a file in a registry can
# be in; by commands and by the mount. Who may is in oci_login.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
need_root
need_fuse
need_program docker-registry nginx openssl curl jq python3 getfattr setpriv

export HOME=$WORK/home
mkdir "$HOME"
start_registry plain
PUSH=http://127.0.0.1:$REGISTRY_PORT
# shellcheck disable=SC2016 # nginx's variables
NGINX_MORE='client_max_body_size 0;
	location /v2/ { proxy_pass '$PUSH'; proxy_set_header Host $http_host;
		proxy_set_header X-Forwarded-Proto $scheme; proxy_buffering off; }
	location /v2/team/slow/blobs/ { proxy_pass '$PUSH'; proxy_set_header Host $http_host; limit_rate 20m; }'
start_nginx
REG=${HTTPS#https://}
OCI=oci://$REG/team
cat >"$CONFIG" <<-END
	[fetch]
	retries = 0
	ttl = 1d
	negative_ttl = 0
	ca_file = $CA
	[oci "oci://$REG/"]
	anonymous = yes
	list = yes
	[oci "oci://$REG/team/fresh"]
	anonymous = yes
	ttl = 0
	[oci "oci://gone.example/"]
	endpoint = http://127.0.0.1:$(free_port)
	anonymous = yes
END
words=$WORK/words # all that commands said

say "filling the registry"
put=$WORK/put
mkdir "$put"
random_file 3M "$put/a.bin" a
random_file 40K "$put/small.bin" small
random_file 20K "$put/b.bin" b
random_file 5K "$put/bare" bare
: >"$put/empty"
names=("with space" "a+b" "100%" "what?" "sharp#" "Ünïcode→" "q=1&r=2" "semi;colon" "a@b:c" "(x)!*'" "%41" '~-_.')
list=()
for name in "${names[@]}"; do
	random_file 5K "$put/$name" "$name"
	printf '%s\t%s\n' "$name" "$put/$name" >>"$WORK/list"
	list+=("$name")
done
manifest=$(push team/files v1 a.bin="$put/a.bin" small.bin="$put/small.bin" empty="$put/empty" \
	dir/sub/b.bin="$put/b.bin" ="$put/bare")
PUSH_OPTIONS="--list $WORK/list" push team/names v1 >/dev/null
push team/deep/er/files latest a.bin="$put/a.bin" >/dev/null
blob=sha256:$(sha256 "$put/bare")

get() {
	timeout 100 "${fetchfs[@]}" cat "$1" 2>>"$words"
}

say "size and version without the bytes"
fetchfs stat --json "$OCI/files:v1/a.bin" >"$WORK/stat"
[ "$(jq .size "$WORK/stat")" -eq $((3 << 20)) ] || fail "$(<"$WORK/stat")"
[ "$(jq -r .etag "$WORK/stat")" = "\"sha256:$(sha256 "$put/a.bin")\"" ] || fail "$(<"$WORK/stat")"
settle_nginx
requests_are GET "/v2/team/files/manifests/v1" 1 || fail "the manifest is not asked for once"
requests_are GET "/v2/team/files/blobs/.*" 0 || fail "stat fetches"

say "whole, small, empty, by title, by digest"
get "$OCI/files:v1/a.bin" | cmp - "$put/a.bin" || fail "a.bin differs"
get "$OCI/files:v1/small.bin" | cmp - "$put/small.bin" || fail "small.bin differs"
get "$OCI/files:v1/empty" | cmp - "$put/empty" || fail "empty is not"
get "$OCI/files:v1/dir/sub/b.bin" | cmp - "$put/b.bin" || fail "b.bin differs"
get "$OCI/files:v1/$blob" | cmp - "$put/bare" || fail "the layer without a title differs"
get "$OCI/files@$blob" | cmp - "$put/bare" || fail "the blob differs"
get "$OCI/files@$manifest/a.bin" | cmp - "$put/a.bin" || fail "a.bin differs"
get "$OCI/files:v1@$manifest/small.bin" | cmp - "$put/small.bin" || fail "small.bin differs"
get "$OCI/deep/er/files:latest/a.bin" | cmp - "$put/a.bin" || fail "a.bin differs"

say "what a digest names is not asked for again"
settle_nginx
before=$(wc -l <"$NGINX_LOG")
get "$OCI/files@$blob" | cmp - "$put/bare" || fail "the blob differs"
get "$OCI/files@$manifest/a.bin" | cmp - "$put/a.bin" || fail "a.bin differs"
[ "$(fetchfs stat --json "$OCI/files@$blob" | jq '.expires - .verified')" -gt $((365 * 86400)) ] ||
	fail "it expires"
[ "$(wc -l <"$NGINX_LOG")" -eq "$before" ] || fail "$(tail -n 2 "$NGINX_LOG")"

say "any name"
for name in "${names[@]}"; do
	get "$OCI/names:v1/$(uri_of "$name")" | cmp - "$put/$name" || fail "$name"
done
get "$OCI/names:v1/a+b" | cmp - "$put/a+b" || fail "a + is a +"
get "$OCI/names:v1/a@b:c" | cmp - "$put/a@b:c" || fail "marks"
get "$OCI/files%3Av1%2Fdir%2Fsub%2Fb.bin" | cmp - "$put/b.bin" || fail "an escaped slash is one"

say "what is not to be had, and why"
refused() {
	expect_failure "$1" "$2" "${fetchfs[@]}" cat "$3"
	cat "$WORK/stderr" >>"$words"
}
refused 1 '404 no such tag or manifest \(MANIFEST_UNKNOWN\)' "$OCI/files:v9/a.bin"
refused 1 '404 no such tag or manifest \(MANIFEST_UNKNOWN\)' "$OCI/none:v1/a.bin"
refused 1 'no layer is called so: there are a.bin, dir/, empty, sha256:.* …|5 in all' "$OCI/files:v1/none"
refused 1 'it is a folder: append the name of a file, which there are: a.bin, dir/' "$OCI/files:v1"
refused 1 'it is a folder: .* there is: sub/ \(1 in all\)' "$OCI/files:v1/dir"
refused 1 'it is a folder: .* a.bin' "$OCI/files@$manifest"
refused 1 '404' "$OCI/files@sha256:$(printf '%064d' 7)"
refused 1 'sha256:HEX or sha512:HEX' "$OCI/files@sha256:12"
refused 1 'no tag can be called so' "$OCI/files:"
refused 1 'no repository can be called so' "oci://$REG/Team/files:v1/a.bin"
refused 1 'has no query' "$OCI/files:v1/a?b"
refused 1 'it is a registry' "oci://$REG/"
refused 3 'cat oci://gone.example/x:v1/y: ' oci://gone.example/x:v1/y
refused 1 "speaks no TLS: for plain http \[oci .oci://${PUSH#http://}/.\] needs 'endpoint = $PUSH'" \
	"oci://${PUSH#http://}/team/files:v1/a.bin"
expect_failure 1 'MANIFEST_UNKNOWN' "${fetchfs[@]}" stat "$OCI/files:v9/a.bin"

say "a tag that moves is a new version, one that stays is not sent again"
push team/fresh v1 c="$put/b.bin" >/dev/null
get "$OCI/fresh:v1/c" | cmp - "$put/b.bin" || fail "c differs"
get "$OCI/fresh:v1/c" | cmp - "$put/b.bin" || fail "c differs"
settle_nginx
[ "$(served '/v2/team/fresh/blobs/.*')" -eq 20480 ] || fail "sent again"
push team/fresh v1 c="$put/small.bin" >/dev/null
get "$OCI/fresh:v1/c" | cmp - "$put/small.bin" || fail "the new one is not seen"
push team/fresh v1 d="$put/small.bin" >/dev/null
refused 1 'no layer is called so: there is d \(1 in all\)' "$OCI/fresh:v1/c"

say "what was broken off goes on where it was, unless the tag has moved"
random_file 64M "$put/large.bin" large
random_file 63M "$put/other.bin" other
push team/slow v1 large.bin="$put/large.bin" >/dev/null
(set +o pipefail; get "$OCI/slow:v1/large.bin" | head -c 20M >/dev/null) || :
get "$OCI/slow:v1/large.bin" | cmp - "$put/large.bin" || fail "large.bin differs"
settle_nginx
[ "$(served '/v2/team/slow/blobs/.*')" -lt $((80 << 20)) ] ||
	fail "sent twice: $(served '/v2/team/slow/blobs/.*')"
grep -q 'GET /v2/team/slow/blobs/[^ ]* 206 .*bytes=' "$NGINX_LOG" || fail "no range was asked for"
push team/slow v2 large.bin="$put/large.bin" >/dev/null
(set +o pipefail; get "$OCI/slow:v2/large.bin" | head -c 20M >/dev/null) || :
push team/slow v2 large.bin="$put/other.bin" >/dev/null
get "$OCI/slow:v2/large.bin" | cmp - "$put/other.bin" || fail "of two versions"

say "the mount: parts, folders, names"
start_mount
M=$MNT/oci/$REG/team
cmp "$M/files:v1/a.bin" "$put/a.bin" || fail "a.bin differs"
cmp "$M/files:v1/dir/sub/b.bin" "$put/b.bin" || fail "b.bin differs"
cmp <(dd if="$M/deep/er/files:latest/a.bin" bs=4096 skip=500 count=3 status=none) \
	<(dd if="$put/a.bin" bs=4096 skip=500 count=3 status=none) || fail "a part differs"
printf '%s\n' a.bin dir/ empty "$blob/" small.bin | sed 's,\(sha256.*\)/,\1,' | sort >"$WORK/expected"
find "$M/files:v1/" -mindepth 1 -maxdepth 1 \( -type d -printf '%f/\n' -o -printf '%f\n' \) | sort |
	diff "$WORK/expected" - || fail "the listing differs"
[ "$(ls "$M/files:v1/dir/sub/")" = b.bin ] || fail "$(ls "$M/files:v1/dir/sub/")"
[ -d "$M/files@$manifest" ] || fail "a manifest is no folder"
[ "$(stat -c %s "$M/files@$manifest/a.bin")" -eq $((3 << 20)) ] || fail "size"
[ "$(stat -c %s "$M/files@$blob")" -eq 5120 ] || fail "a blob is no file"
python3 - "${list[@]}" >"$WORK/expected" <<-'END'
	import sys, urllib.parse
	for name in sys.argv[1:]:
	    print(urllib.parse.quote(name, safe="!$&'()*+,;=:@~"))
END
find "$M/names:v1/" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort >"$WORK/listed"
sort "$WORK/expected" | diff - "$WORK/listed" || fail "the listing differs"
for name in "${names[@]}"; do
	cmp "$M/names:v1/$(python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe="!$&'"'"'()*+,;=:@~"))' "$name")" \
		"$put/$name" || fail "$name"
done
cmp "$M/names:v1/with space" "$put/with space" || fail "a blank"
cmp "$(at "$OCI/names:v1/what%3F")" "$put/what?" || fail "at uri/"
expect_errno ENOENT "$M/files:v1/none.bin"
expect_errno ENOENT "$M/files:v9/a.bin"
expect_errno EISDIR "$M/files:v1"
setpriv --reuid 12345 --regid 12345 --clear-groups cmp "$M/files:v1/a.bin" "$put/a.bin" || fail "what is public is not"
expect_as() { # REGEX FILE
	! setpriv --reuid 12345 --regid 12345 --clear-groups cat "$2" >/dev/null 2>"$WORK/as" || fail "$2 is served"
	grep -q "$1" "$WORK/as" || fail "$(<"$WORK/as")"
}
expect_as 'Permission denied' "$MNT/oci/other.example/a:v1/x.bin"

say "the server goes away in the middle, and comes back"
push team/slow v3 large.bin="$put/large.bin" >/dev/null
fetchfs evict "$OCI/slow:v1/large.bin" 2>>"$words" || :
stop_mount
sed -i 's/^retries = 0/retries = 40/' "$CONFIG"
rm -rf "$CACHE"
start_mount
dd if="$M/slow:v3/large.bin" of="$WORK/got" bs=1M status=none &
reader=$!
children+=("$reader")
arrived() { [ -s "$WORK/got" ] && [ "$(stat -c %s "$WORK/got")" -gt $((10 << 20)) ]; }
wait_for 60 arrived || fail "nothing comes"
kill -KILL "$REGISTRY_PID"
wait "$REGISTRY_PID" 2>/dev/null || :
docker-registry serve "$WORK/registry-plain.yml" >>"$WORK/registry-plain.log" 2>&1 &
children+=($!)
wait $reader || fail "the reader saw it"
cmp "$WORK/got" "$put/large.bin" || fail "large.bin differs"
settle_mount
no_debris
stop_mount
