#!/bin/bash
# s3 at the scripted origin: failures that pass, bytes that are not those that the origin has hashed,
# redirects, and secrets. What checks signatures is in tests/registry.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq openssl

unset "${!AWS_@}"
export HOME=$WORK/home
mkdir "$HOME"
headers=$LOGS/headers
start_origin --trace "$headers"
mkdir "$ORIGINROOT/b"
random_file 300K "$ORIGINROOT/b/a.bin" a
random_file 3M "$ORIGINROOT/b/large.bin" large
printf 'not a page\n' >"$ORIGINROOT/b/page"
right=$(openssl dgst -sha256 -binary "$ORIGINROOT/b/a.bin" | base64 | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')
wrong=$(openssl dgst -sha256 -binary /dev/null | base64 | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')
secret=Secret-$RANDOM-hunter2
token=Token-$RANDOM-hunter2
(umask 077 && cat >"$WORK/keys") <<-END
	[me]
	aws_access_key_id = AKIDME
	aws_secret_access_key = $secret
	aws_session_token = $token
END
# section PREFIX PATH: what is below PREFIX is at PATH of the origin
section() {
	printf '[s3 "%s"]\nendpoint = %s%s\ncredentials = %s\nprofile = me\n' "$1" "$ORIGIN" "$2" "$WORK/keys"
}
{
	printf '[fetch]\nretries = 3\nttl = 0\nnegative_ttl = 0\n'
	section s3://b/ /
} >"$CONFIG"
words=$WORK/words # all that was said

# at_path PATH COMMAND…: the command, with the bucket "b" at PATH of the origin
at_path() {
	local path=$1
	shift
	{ printf '[fetch]\nretries = 3\nttl = 0\n'; section s3://b/ "$path"; } >"$WORK/other.conf"
	timeout 100 "$FETCHFS" --cache "$WORK/cache-$RANDOM" --config "$WORK/other.conf" "$@" 2>>"$words"
}

say "a failure that passes is not the reader's"
at_path /flaky/2/ cat s3://b/a.bin | cmp - "$ORIGINROOT/b/a.bin" || fail "503: $(<"$words")"
at_path /first/2/short/100000/ cat s3://b/a.bin | cmp - "$ORIGINROOT/b/a.bin" || fail "broken off"
at_path /first/1/short/1000000/ cat s3://b/large.bin | cmp - "$ORIGINROOT/b/large.bin" || fail "broken off"
quiet_origin
[ "$(origin_sent /first/1/short/1000000/b/large.bin)" -lt $((3400 << 10)) ] || fail "all was sent again"

say "bytes that are not those that the origin has hashed are none"
at_path "/header/x-amz-checksum-sha256/$right/" cat s3://b/a.bin | cmp - "$ORIGINROOT/b/a.bin" || fail "the right checksum"
! at_path "/header/x-amz-checksum-sha256/$wrong/" fetch s3://b/a.bin || fail "the wrong checksum"
grep -q 's3://b/a.bin: .*sha256 is' "$words" || fail "$(<"$words")"
at_path "/header/x-amz-checksum-sha256/$wrong-2/" cat s3://b/a.bin | cmp - "$ORIGINROOT/b/a.bin" || fail "one of parts"

say "a redirect elsewhere carries nothing there"
: >"$headers"
at_path "/goto/http:%2F%2Flocalhost:${ORIGIN##*:}%2Fb%2Fa.bin/" cat s3://b/a.bin | cmp - "$ORIGINROOT/b/a.bin" || fail "redirected"
grep -c 'Host: localhost' "$headers" | grep -qx 1 || fail "$(<"$headers")"
! grep 'Host: localhost' "$headers" | grep -iE 'authorization|x-amz' || fail "sent elsewhere"

say "what is text/html is a file"
start_mount
[ "$(<"$MNT/s3/b/page")" = "not a page" ] || fail "page"
stop_mount
at_path "/header/Content-Type/text%2Fhtml/" cat s3://b/page | grep -qx "not a page" || fail "page"

say "no secret is shown or written"
fetchfs -vv cat s3://b/a.bin 2>>"$words" | cmp - "$ORIGINROOT/b/a.bin" || fail "a.bin"
section s3://b/ /hang/ >"$WORK/hang.conf"
"$FETCHFS" --cache "$WORK/cache-hang" --config "$WORK/hang.conf" cat "s3://AKIDME:$secret@b/a.bin" \
	2>>"$words" &
hanging=$!
children+=("$hanging")
wait_for 20 grep -q '/hang/b/a.bin' "$headers" || fail "nothing is asked for"
tr '\0' ' ' <"/proc/$hanging/cmdline" >"$WORK/shown"
! grep -F "$secret" "$WORK/shown" || fail "shown by ps"
kill "$hanging"
wait "$hanging" || :
grep -qF "$token" "$headers" || fail "the token was never used"
for text in "$secret" "$token" AWS4-HMAC; do
	! grep -rlF -- "$text" "$CACHE" "$WORK"/cache-* "$words" "$LOGS/mount" || fail "written: $text"
done
! grep -F "$secret" "$headers" || fail "sent"
