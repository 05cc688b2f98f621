#!/bin/bash
# oci: bytes that are not those that a digest says are none, whoever sends them; failures that pass.
. "$(dirname "$0")/../support/lib.sh"
need_program openssl python3

export HOME=$WORK/home
mkdir "$HOME"
start_origin
V2=$ORIGINROOT/v2/team/files
mkdir -p "$V2/manifests" "$V2/blobs"
random_file 300K "$WORK/a.bin" a
random_file 30K "$WORK/small" small
random_file 3M "$WORK/large" large
# publish TAG FILE ALGORITHM: a manifest with one layer "a"
publish() {
	local digest
	digest=$3:$("${3}sum" <"$2" | cut -d ' ' -f 1)
	cp "$2" "$V2/blobs/$digest"
	printf '{"layers":[{"size":%d,"digest":"%s","annotations":{"org.opencontainers.image.title":"a"}}]}' \
		"$(stat -c %s "$2")" "$digest" >"$V2/manifests/$1"
	blob=$V2/blobs/$digest
}
words=$WORK/words

# at_path PATH COMMAND…: with the registry at PATH of the origin, and a cache of its own
at_path() {
	printf '[fetch]\nretries = 6\n[oci "oci://reg/"]\nendpoint = %s%s\n' "$ORIGIN" "$1" >"$WORK/other.conf"
	shift
	timeout 100 "$FETCHFS" --cache "$WORK/cache-$RANDOM" --config "$WORK/other.conf" "$@" 2>>"$words"
}

for algorithm in sha256 sha512; do
	for size in small a.bin; do
		say "$size: the right bytes by $algorithm, and others"
		publish v1 "$WORK/$size" $algorithm
		at_path / cat oci://reg/team/files:v1/a | cmp - "$WORK/$size" || fail "$algorithm: $(<"$words")"
		at_path / cat "oci://reg/team/files@${blob##*/}" | cmp - "$WORK/$size" || fail "$algorithm: $(<"$words")"
		at_path / stat --json oci://reg/team/files:v1/a | grep -q "${blob##*/}" || fail "stat"
		printf 'X' | dd of="$blob" bs=1 seek=7 conv=notrunc status=none
		: >"$words"
		! at_path / fetch oci://reg/team/files:v1/a || fail "other bytes by $algorithm"
		grep -Eq "oci://reg/team/files:v1/a: .*$algorithm is" "$words" || fail "$(<"$words")"
		! at_path / fetch "oci://reg/team/files@${blob##*/}" || fail "other bytes by $algorithm"
	done
done

say "a digest of the caller's counts, too"
publish v1 "$WORK/a.bin" sha256
at_path / fetch --digest "sha256:$(sha256 "$WORK/a.bin")" oci://reg/team/files:v1/a || fail "$(<"$words")"
! at_path / fetch --digest "sha256:$(sha256 "$WORK/small")" oci://reg/team/files:v1/a || fail "another digest"

say "a failure that passes is not the reader's"
publish v2 "$WORK/large" sha256
at_path /flaky/1/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "503: $(<"$words")"
at_path /first/2/short/100/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "broken off: $(<"$words")"
at_path /first/1/short/1000000/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "broken off: $(<"$words")"
at_path /noranges/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "no ranges: $(<"$words")"
at_path /chunked/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "chunked: $(<"$words")"
at_path /changing/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "ETags of its own: $(<"$words")"
at_path /novalidators/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "no ETags: $(<"$words")"
at_path /header/Content-Type/text%2Fhtml/ cat oci://reg/team/files:v2/a | cmp - "$WORK/large" || fail "a page"
