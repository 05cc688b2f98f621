#!/bin/bash
# s3: against a server that checks signatures: what is asked, in each state that an object can be in,
# by who may and who may not; by commands and by the mount.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/seaweed.sh"
need_root
need_fuse
need_program rclone jq nginx openssl setpriv getfattr

unset "${!AWS_@}"
export HOME=$WORK/home
mkdir "$HOME"
start_seaweed
start_s3_log files private public
S3=$HTTP

wrong=wrong-$RANDOM-hunter2
keys_file "$WORK/keys" "$S3_KEY" "$S3_SECRET"
keys_file "$WORK/less" "$S3_LESS_KEY" "$S3_LESS_SECRET"
keys_file "$WORK/wrong" "$S3_KEY" "$wrong"
keys_file "$WORK/unknown" AKIDNOBODY "$wrong"
cat >"$CONFIG" <<-END
	[fetch]
	retries = 0
	ttl = 1d
	negative_ttl = 0
	[s3 "s3://files/"]
	endpoint = $S3
	credentials = $WORK/less
	users = 65534
	list = yes
	[s3 "s3://files/wrong/"]
	endpoint = $S3
	credentials = $WORK/wrong
	[s3 "s3://files/unknown/"]
	endpoint = $S3
	credentials = $WORK/unknown
	[s3 "s3://files/nobody/"]
	endpoint = $S3
	anonymous = yes
	[s3 "s3://files/fresh/"]
	endpoint = $S3
	credentials = $WORK/less
	ttl = 0
	[s3 "s3://private/"]
	endpoint = $S3
	credentials = $WORK/less
	[s3 "s3://public/"]
	endpoint = $S3
	anonymous = yes
	[s3 "s3://nosuchbucket/"]
	endpoint = $SEAWEED
	credentials = $WORK/keys
	[s3 "s3://private/versions/"]
	endpoint = $S3
	credentials = $WORK/keys
	[s3 "s3://gone/"]
	endpoint = http://127.0.0.1:$(free_port)
	anonymous = yes
END
words=$WORK/words # all that commands said

say "filling the buckets"
put=$WORK/put
mkdir "$put" "$put/dir" "$put/dir/sub" "$put/wrong" "$put/unknown" "$put/nobody" "$put/fresh" "$put/slow" "$put/crawl"
random_file 3M "$put/a.bin" a
random_file 40K "$put/small.bin" small
: >"$put/empty"
random_file 20K "$put/dir/sub/b.bin" b
random_file 20K "$put/fresh/c.bin" c
random_file 64M "$put/slow/large.bin" large
random_file 64M "$put/crawl/far.bin" far
cp "$put/small.bin" "$put/wrong/x"
cp "$put/small.bin" "$put/unknown/x"
cp "$put/small.bin" "$put/nobody/x"
names=("with space" "a+b" "100%" "what?" "sharp#" "Ünïcode→" "q=1&r=2" "semi;colon" "a@b:c" "(x)!*'" "%41" '~-_.')
for name in "${names[@]}"; do
	random_file 5K "$put/dir/$name" "$name"
done
s3_client copy "$put" s3:files || fail "$(<"$LOGS/rclone")"
for bucket in private public; do
	s3_client copy "$put/small.bin" "s3:$bucket" || fail "$(<"$LOGS/rclone")"
done

get() {
	timeout 100 "${fetchfs[@]}" cat "$1" 2>>"$words"
}

say "size and version without the bytes"
[ "$(fetchfs stat --json s3://files/a.bin | jq .size)" -eq $((3 << 20)) ] || fail "stat"
settle_nginx
requests_are HEAD /files/a.bin 1 || fail "stat is no HEAD"
requests_are GET /files/a.bin 0 || fail "stat fetches"

say "whole, small, empty"
get s3://files/a.bin | cmp - "$put/a.bin" || fail "a.bin differs"
get s3a://files/a.bin | cmp - "$put/a.bin" || fail "a.bin differs"
get s3://files/small.bin | cmp - "$put/small.bin" || fail "small.bin differs"
get s3://files/empty | cmp - "$put/empty" || fail "empty is not"
get s3://public/small.bin | cmp - "$put/small.bin" || fail "public/small.bin differs"
settle_nginx
requests_are GET /files/a.bin 1 || fail "s3a is another one"

say "any name"
uri_of() {
	python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe="/"))' "$1"
}
for name in "${names[@]}"; do
	get "s3://files/dir/$(uri_of "$name")" | cmp - "$put/dir/$name" || fail "$name"
done
get "s3://files/dir/a+b" | cmp - "$put/dir/a+b" || fail "a + is a +"
get "s3://files/dir/(x)!*'" | cmp - "$put/dir/(x)!*'" || fail "marks"
get "s3://files/dir%2Fsub%2Fb.bin" | cmp - "$put/dir/sub/b.bin" || fail "an escaped slash is one"

say "what is not to be had, and why"
refused() {
	expect_failure "$1" "$2" "${fetchfs[@]}" cat "$3"
	cat "$WORK/stderr" >>"$words"
}
refused 1 '404 no such key \(NoSuchKey\)' s3://files/none
refused 1 '404 no such bucket \(NoSuchBucket\)' s3://nosuchbucket/x
refused 1 '403 .*\(AccessDenied\)' s3://private/small.bin
refused 1 '403 .*\(AccessDenied\)' s3://files/nobody/x
refused 1 '403 the secret key is wrong \(SignatureDoesNotMatch\)' s3://files/wrong/x
refused 1 '403 there is no such access key \(InvalidAccessKeyId\)' s3://files/unknown/x
refused 3 'cat s3://gone/x: ' s3://gone/x
refused 1 'it is a bucket' s3://files/
refused 1 'can only be versionId' 's3://files/a.bin?acl'
expect_failure 1 '403 the secret key is wrong' "${fetchfs[@]}" stat s3://files/wrong/x
expect_failure 1 '404' "${fetchfs[@]}" stat s3://files/none

say "keys that were written anew count at once"
keys_file "$WORK/wrong" "$S3_KEY" "$S3_SECRET"
get s3://files/wrong/x | cmp - "$put/small.bin" || fail "the new key is not used"

say "a changed object is a new one, an unchanged one is not sent again"
get s3://files/fresh/c.bin | cmp - "$put/fresh/c.bin" || fail "c.bin differs"
get s3://files/fresh/c.bin | cmp - "$put/fresh/c.bin" || fail "c.bin differs"
settle_nginx
[ "$(served /files/fresh/c.bin)" -eq 20480 ] || fail "sent again: $(served /files/fresh/c.bin)"
random_file 21K "$put/fresh/c.bin" other
s3_client copy "$put/fresh" s3:files/fresh || fail "$(<"$LOGS/rclone")"
get s3://files/fresh/c.bin | cmp - "$put/fresh/c.bin" || fail "the new one is not seen"

say "what was broken off goes on where it was"
(set +o pipefail; get s3://files/slow/large.bin | head -c 20M >/dev/null) || :
get s3://files/slow/large.bin | cmp - "$put/slow/large.bin" || fail "large.bin differs"
settle_nginx
[ "$(served /files/slow/large.bin)" -lt $((80 << 20)) ] ||
	fail "sent twice: $(served /files/slow/large.bin)"
grep -q 'GET /files/slow/large.bin 206 .*bytes=' "$NGINX_LOG" || fail "no range was asked for"

say "an old version is asked for by its id, and stays what it is"
s3_client backend versioning s3:private Enabled >"$WORK/stdout" || fail "$(<"$LOGS/rclone")"
for version in one two; do
	random_file 30K "$WORK/$version" $version
	s3_client copyto "$WORK/$version" s3:private/versions/v.bin || fail "$(<"$LOGS/rclone")"
	curl -sfI --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_KEY:$S3_SECRET" "$SEAWEED/private/versions/v.bin" |
		tr -d '\r' | sed -n 's/^x-amz-version-id: *//Ip' >"$WORK/$version.id"
	[ -s "$WORK/$version.id" ] || fail "SeaweedFS keeps no versions"
done
for version in two one; do
	get "s3://private/versions/v.bin?versionId=$(<"$WORK/$version.id")" | cmp - "$WORK/$version" || fail "version $version"
done
get s3://private/versions/v.bin | cmp - "$WORK/two" || fail "the newest"
s3_client deletefile s3:private/versions/v.bin || fail "$(<"$LOGS/rclone")"
fetchfs evict --all >/dev/null
refused 1 '404' s3://private/versions/v.bin
get "s3://private/versions/v.bin?versionId=$(<"$WORK/one.id")" | cmp - "$WORK/one" || fail "of what is deleted"
refused 1 '40[04]' 's3://private/versions/v.bin?versionId=nosuchversion'

say "keys in the environment, for the owner"
(
	export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET AWS_ENDPOINT_URL=$S3
	: >"$WORK/empty.conf"
	timeout 60 "$FETCHFS" --cache "$CACHE" --config "$WORK/empty.conf" cat s3://private/small.bin |
		cmp - "$put/small.bin"
) || fail "the environment's keys are not used"
mkdir "$HOME/.aws"
keys_file "$HOME/.aws/credentials" "$S3_KEY" "$S3_SECRET"
printf '[default]\nendpoint_url = %s\n' "$S3" >"$HOME/.aws/config"
timeout 60 "$FETCHFS" --cache "$WORK/cache2" --config "$WORK/empty.conf" cat s3://private/small.bin |
	cmp - "$put/small.bin" || fail "the home's keys are not used"
rm -r "$HOME/.aws"

say "the mount: parts, folders, whom the section serves"
start_mount
cmp "$MNT/s3/files/a.bin" "$put/a.bin" || fail "a.bin differs"
cmp "$MNT/s3/files/dir/sub/b.bin" "$put/dir/sub/b.bin" || fail "b.bin differs"
[ "$(ls "$MNT/s3/files/dir/sub")" = b.bin ] || fail "$(ls "$MNT/s3/files/dir/sub")"
# as the canonical URI has them
python3 - "$put/dir" >"$WORK/expected" <<-'END'
	import os, sys, urllib.parse
	for name in os.listdir(sys.argv[1]):
	    print(urllib.parse.quote(name, safe="!$&'()*+,;=:@~"))
END
find "$MNT/s3/files/dir/" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort >"$WORK/listed"
sort "$WORK/expected" | diff - "$WORK/listed" || fail "the listing differs"
dd if="$MNT/s3/files/crawl/far.bin" of="$WORK/far" bs=1M status=none &
reader=$!
children+=("$reader")
far_arrived() {
	[ "$(jq '[.transfers[].bytes] | add // 0' "$MNT/.fetchfs/status")" -ge "$1" ]
}
wait_for 20 far_arrived 1 || fail "nothing comes"
python3 - "$MNT/s3/files/crawl/far.bin" "$put/crawl/far.bin" <<-'END' || fail "the far part differs"
	import os, sys
	mine, right = (os.open(name, os.O_RDONLY) for name in sys.argv[1:])
	sys.exit(os.pread(mine, 50000, 61 << 20) != os.pread(right, 50000, 61 << 20))
END
if nothing_in_flight || far_arrived $((60 << 20)); then
	fail "a far part came last"
fi
wait $reader || fail "far.bin"
cmp "$WORK/far" "$put/crawl/far.bin" || fail "far.bin differs"
settle_nginx
grep -Eq "GET /files/crawl/far.bin 206 [0-9]+ bytes=$((61 << 20))-" "$NGINX_LOG" || fail "no range was asked for"
expect_errno ENOENT "$MNT/s3/files/none.bin"
expect_errno EACCES "$MNT/s3/files/unknown/x"
expect_errno EACCES "$MNT/s3/private/small.bin"
as() {
	setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
as 65534 cmp "$MNT/s3/files/a.bin" "$put/a.bin" || fail "whom the section names is not served"
! as 12345 cat "$MNT/s3/files/a.bin" >/dev/null 2>>"$words" || fail "whom it does not name is served"
! as 12345 cat "$MNT/s3/other/x.bin" >/dev/null 2>>"$words" || fail "without a section"
as 12345 cmp "$MNT/s3/public/small.bin" "$put/small.bin" || fail "what is public is not"
for file in "$MNT/s3/files/a.bin" "$MNT/s3/files/unknown/x"; do
	getfattr -d -m - "$file" >>"$words" 2>&1 || :
	for name in uri etag error state; do
		getfattr -n "user.fetchfs.$name" "$file" >>"$words" 2>&1 || :
	done
done
cat "$MNT/.fetchfs/status" "$MNT/.fetchfs/log" "$MNT/.fetchfs/metrics" >>"$words"
stop_mount

say "no secret is written anywhere"
fetchfs -vv cat s3://files/none2 2>>"$words" || :
for secret in "$S3_SECRET" "$S3_LESS_SECRET" "$wrong" AWS4-HMAC; do
	! grep -rlF -- "$secret" "$CACHE" "$words" "$LOGS/mount" || fail "written: $secret"
done
