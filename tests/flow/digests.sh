#!/bin/bash
# Digests of every kind, from the option, the URI and listings: right bytes, or a precise error.
. "$(dirname "$0")/../support/lib.sh"
need_program jq sha1sum sha512sum md5sum cksum
trace=$WORK/trace
start_origin --trace "$trace"
mkdir "$ORIGINROOT/sub"
random_file 700K "$ORIGINROOT/a.bin" a
random_file 10K "$ORIGINROOT/b.bin" b
random_file 20K "$ORIGINROOT/sub/b.bin" other
random_file 1K "$ORIGINROOT/odd \\ name" odd
warning='warning: .* does not protect against forgery: '

# sum KIND FILE
sum() {
	"${1}sum" <"$2" | cut -d' ' -f1
}

asked() {
	settle_origin
	origin_requests GET "$1"
}

fresh() {
	rm -rf --one-file-system "$CACHE"
	: >"$ORIGIN_LOG"
}

# quietly COMMAND…: it succeeds and prints nothing
quietly() {
	"$@" >"$WORK/out" 2>&1 || fail "$*: $(<"$WORK/out")"
	[ ! -s "$WORK/out" ] || fail "$*: printed $(<"$WORK/out")"
}

# warned COMMAND…: it succeeds and warns, once
warned() {
	"$@" >"$WORK/out" 2>&1 || fail "$*: $(<"$WORK/out")"
	[ "$(grep -c "$warning" "$WORK/out")" -eq 1 ] || fail "$*: printed $(<"$WORK/out")"
}

say "every kind is right or wrong; the weak ones are warned of"
for kind in sha256 sha512 sha1 md5; do
	value=$(sum $kind "$ORIGINROOT/a.bin")
	# another digit in front
	wrong=$(tr 0-9a-f 1-9a-f0 <<<"${value:0:1}")${value:1}
	run=quietly
	case $kind in sha1 | md5) run=warned ;; esac
	for by in option fragment; do
		fresh
		options=(--digest "$kind:$wrong")
		uri=$ORIGIN/a.bin
		[ $by = option ] || options=() uri=$ORIGIN/a.bin#$kind=$wrong
		expect_failure 1 "$kind is $value, expected $wrong" \
			"${fetchfs[@]}" -q fetch "${options[@]}" "$uri"
		[ "$(asked /a.bin)" -eq 2 ] || fail "$kind by $by: asked $(asked /a.bin) times, wrong"
		[ -z "$(find "$CACHE/objects" -type f)" ] || fail "$kind by $by: kept"
		no_debris

		$run fetchfs fetch "${options[@]//$wrong/$value}" "${uri/$wrong/$value}"
		[ "$(asked /a.bin)" -eq 3 ] || fail "$kind by $by: asked $(asked /a.bin) times"
		quietly fetchfs -q fetch "${options[@]//$wrong/$value}" "${uri/$wrong/$value}"
		fetchfs -q cat "${options[@]//$wrong/$value}" "${uri/$wrong/$value}" |
			cmp "$ORIGINROOT/a.bin" - || fail "$kind by $by: other bytes"
		[ "$(asked /a.bin)" -eq 3 ] || fail "$kind by $by: asked again"
	done
done

say "a body that is corrupt once is fetched once more"
fresh
value=$(sum sha512 "$ORIGINROOT/a.bin")
quietly fetchfs fetch "$ORIGIN/first/1/corrupt/a.bin#sha512=$value"
[ "$(asked /first/1/corrupt/a.bin)" -eq 2 ] || fail "asked $(asked /first/1/corrupt/a.bin) times"
fetchfs cat "$ORIGIN/first/1/corrupt/a.bin#sha512=$value" | cmp "$ORIGINROOT/a.bin" - || fail "bytes"
fresh
expect_failure 1 "sha512 is .*, expected $value" \
	"${fetchfs[@]}" cat --digest "sha512:$value" "$ORIGIN/corrupt/b.bin"
[ ! -s "$WORK/stdout" ] || fail "bytes were shown before they were verified"
[ "$(asked /corrupt/b.bin)" -eq 2 ] || fail "asked $(asked /corrupt/b.bin) times"

say "content adopted by its digest is no older version of the name that it is adopted for"
fresh
fetchfs fetch "$ORIGIN/a.bin"
quietly fetchfs fetch "$ORIGIN/weak/a.bin#sha256=$(sha256 "$ORIGINROOT/a.bin")"
[ "$(asked /weak/a.bin)" -eq 0 ] || fail "fetched again"
fetchfs fetch "$ORIGIN/weak/a.bin"
[ "$(asked /weak/a.bin)" -eq 1 ] || fail "not asked for"
! grep "/weak/a.bin" "$trace" | grep -i 'if-' || fail "asked whether it is another file"

say "a fragment that is no digest is dropped; one that looks like one is an error"
quietly fetchfs fetch "$ORIGIN/b.bin#top" "$ORIGIN/b.bin#egg=sha" "$ORIGIN/b.bin#shape=1"
for fragment in sha384=00 SHA-256=00 blake2b:00 "egg=x&md4=00"; do
	expect_failure 1 "its kind is none of sha256" "${fetchfs[@]}" fetch "$ORIGIN/b.bin#$fragment"
done

say "two digests that contradict each other are an error; of two kinds the better one counts"
right=$(sha256 "$ORIGINROOT/b.bin")
wrong=$(printf '%064d' 0)
fresh
expect_failure 1 "another sha256 than in the URI's fragment" \
	"${fetchfs[@]}" fetch --digest "sha256:$wrong" "$ORIGIN/b.bin#sha256=$right"
expect_failure 1 "two different sha256 in the fragment" \
	"${fetchfs[@]}" fetch "$ORIGIN/b.bin#sha256=$wrong&sha256=$right"
[ "$(asked /b.bin)" -eq 0 ] || fail "it was fetched nevertheless"
expect_failure 1 "sha256 is $right, expected $wrong" "${fetchfs[@]}" -q fetch \
	--digest "md5:$(sum md5 "$ORIGINROOT/b.bin")" "$ORIGIN/b.bin#sha256=$wrong"

# listing FILE URI…: fetches by that listing in silence, afresh
listing() {
	local name=$1
	shift
	fresh
	quietly fetchfs fetch --digests "$ORIGIN/$name" "$@"
}

say "listings as the usual programs write them"
both=("$ORIGIN/a.bin" "$ORIGIN/sub/b.bin" "$ORIGIN/odd%20%5C%20name")
(cd "$ORIGINROOT" && sha256sum ./a.bin sub/b.bin odd*) >"$ORIGINROOT/SHA256SUMS"
grep -q '^[\]' "$ORIGINROOT/SHA256SUMS" || fail "no escape in $(<"$ORIGINROOT/SHA256SUMS")"
listing SHA256SUMS "${both[@]}"
fetchfs cat "${both[2]}" | cmp "$ORIGINROOT/odd \\ name" - || fail "odd name: bytes"
(cd "$ORIGINROOT" && sha512sum -b a.bin sub/b.bin odd*) >"$ORIGINROOT/SHA512SUMS"
listing SHA512SUMS "${both[@]}"
(cd "$ORIGINROOT" && sha512sum --tag a.bin sub/b.bin odd*) >"$ORIGINROOT/BSD"
listing BSD "${both[@]}"
(cd "$ORIGINROOT" && cksum -a md5 a.bin && sha256sum --tag a.bin) >"$ORIGINROOT/several"
listing several "$ORIGIN/a.bin"
(cd "$ORIGINROOT" && openssl dgst -sha256 a.bin) >"$ORIGINROOT/openssl"
sed -i 's/^SHA2-256/SHA256/' "$ORIGINROOT/openssl"
listing openssl "$ORIGIN/a.bin"
{
	printf -- '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# all of it\n'
	cat "$ORIGINROOT/SHA256SUMS"
	printf -- '-----BEGIN PGP SIGNATURE-----\n\nabcd\n=efgh\n-----END PGP SIGNATURE-----\n'
} >"$ORIGINROOT/SHA256SUMS.asc"
listing SHA256SUMS.asc "${both[@]}"
say "for a list of URIs, and below another folder by the last part of the name"
printf '%s\n' "${both[@]}" >"$WORK/list"
listing SHA256SUMS -i "$WORK/list"
listing SHA256SUMS "$ORIGIN/weak/a.bin"

say "of two files with one name, the one in the listing's own folder tree is meant"
(cd "$ORIGINROOT" && sha256sum b.bin sub/b.bin) >"$ORIGINROOT/two"
listing two "$ORIGIN/b.bin" "$ORIGIN/sub/b.bin"

say "a listing of weak digests is warned of, once"
(cd "$ORIGINROOT" && md5sum a.bin b.bin) >"$ORIGINROOT/MD5SUMS"
fresh
warned fetchfs fetch --digests "$ORIGIN/MD5SUMS" "$ORIGIN/a.bin" "$ORIGIN/b.bin"
quietly fetchfs -q fetch --digests "$ORIGIN/MD5SUMS" "$ORIGIN/a.bin"

say "what a listing says is held against the bytes; what it does not say is an error"
{
	printf '%064d  b.bin\n' 0
	sha256sum <"$ORIGINROOT/a.bin" | sed 's/-$/a.bin/'
	printf '%064d  twice\n%064d  twice\n' 1 2
} >"$ORIGINROOT/mixed"
fresh
expect_failure 1 "sha256 is $(sha256 "$ORIGINROOT/b.bin"), expected 0{64}" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/mixed" "$ORIGIN/b.bin" "$ORIGIN/a.bin"
expect_failure 1 "twice: digests $ORIGIN/mixed: two different sha256 for 'twice'" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/mixed" "$ORIGIN/twice"
expect_failure 1 "name: digests $ORIGIN/mixed: no line for 'odd . name'" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/mixed" "${both[2]}"
expect_failure 1 "another sha256 than in the URI's fragment" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/mixed" "$ORIGIN/a.bin#sha256=$(printf '%064d' 0)"
[ "$(asked "/odd.*")" -eq 0 ] || fail "it was fetched nevertheless"
fetchfs fetch --json --digests "$ORIGIN/mixed" "$ORIGIN/none" 2>/dev/null >"$WORK/json" && fail "none: 0"
[ "$(jq -r 'select(.event == "failed") | .error.errno' "$WORK/json")" = ENOENT ] || fail "$(<"$WORK/json")"

say "what is no listing is an error, before anything is fetched"
fresh
echo '<html>' >"$ORIGINROOT/page"
head -c 17M /dev/zero >"$ORIGINROOT/huge"
expect_failure 1 "digests $ORIGIN/page: line 1: neither" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/page" "$ORIGIN/a.bin"
expect_failure 1 "digests $ORIGIN/a.bin: line" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/a.bin" "$ORIGIN/b.bin"
expect_failure 1 "digests $ORIGIN/huge: longer than" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/huge" "$ORIGIN/b.bin"
expect_failure 1 "digests $ORIGIN/none: 404" \
	"${fetchfs[@]}" fetch --digests "$ORIGIN/none" "$ORIGIN/b.bin"
[ "$(asked /b.bin)" -eq 0 ] || fail "b.bin was fetched"

say "the listing itself is cached, and revalidated"
fresh
quietly fetchfs fetch --digests "$ORIGIN/SHA256SUMS" "$ORIGIN/a.bin"
quietly fetchfs fetch --digests "$ORIGIN/SHA256SUMS" "$ORIGIN/a.bin"
settle_origin
[ "$(origin_sent /SHA256SUMS)" -eq "$(stat -c %s "$ORIGINROOT/SHA256SUMS")" ] || fail "sent again"

say "prepare: by the specification and by a listing"
fresh
jq -n --arg a "$ORIGIN/a.bin" --arg b "$ORIGIN/sub/b.bin" --arg listing "$ORIGIN/SHA512SUMS" \
	--arg md5 "md5:$(sum md5 "$ORIGINROOT/a.bin")" \
	'{uris: [{value: $a, digest: $md5}, {value: $b}], digests: $listing}' >"$WORK/spec"
warned fetchfs prepare --spec "$WORK/spec" "$(mkdir "$WORK/box" && echo "$WORK/box")"
cmp "$WORK/box/b.bin" "$ORIGINROOT/sub/b.bin" || fail "prepare: bytes"
fetchfs release "$WORK/box"
expect_failure 1 "b.bin: sha256 is .*, expected 0{64}" \
	"${fetchfs[@]}" prepare --digests "$ORIGIN/mixed" "$WORK/box" "$ORIGIN/b.bin"
expect_failure 1 "no line for 'b.bin'" \
	"${fetchfs[@]}" prepare --digests "$ORIGIN/openssl" "$WORK/box" "$ORIGIN/b.bin"
expect_failure 1 "digests $ORIGIN/page: line 1" \
	"${fetchfs[@]}" prepare --digests "$ORIGIN/page" "$WORK/box" "$ORIGIN/b.bin"
[ -z "$(ls -A "$WORK/box")" ] || fail "placed: $(ls -A "$WORK/box")"
