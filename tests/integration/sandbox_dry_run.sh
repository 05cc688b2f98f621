#!/bin/bash
# prepare --dry-run: what would be placed and fetched, while nothing is.
# shellcheck disable=SC2016 # the variables are jq's
. "$(dirname "$0")/../support/lib.sh"
need_program jq

start_origin
random_file 5000 "$ORIGINROOT/here.bin"
random_file 3000 "$ORIGINROOT/far.bin" far
cp "$ORIGINROOT/here.bin" "$ORIGINROOT/twin.bin"
sha=$(sha256 "$ORIGINROOT/here.bin")
mkdir "$WORK/box"

say "no cache is made for it"
expect_failure 1 "is no cache yet" "${fetchfs[@]}" prepare --dry-run "$WORK/box" "$ORIGIN/here.bin"
[ ! -e "$CACHE" ] || fail "made: $(find "$CACHE")"

# would JQ… -- ARGUMENT…: what a dry run says of them is so.
would() {
	local said=()
	while [ "$1" != -- ]; do
		said+=("$1")
		shift
	done
	shift
	fetchfs prepare --dry-run --json "$@" >"$WORK/said" || fail "prepare $*"
	jq -e "${said[@]}" "$WORK/said" >/dev/null || fail "$*: not ${said[*]} in $(<"$WORK/said")"
}

say "what is cached, and what is not"
fetchfs fetch -q "$ORIGIN/here.bin"
settle_origin
requests=$(wc -l <"$ORIGIN_LOG")
fetchfs prepare --dry-run --method copy "$WORK/box" "$ORIGIN/here.bin" "$ORIGIN/far.bin" >"$WORK/said"
grep -Eqx "copy +cached +4.9 KiB +here.bin" "$WORK/said" || fail "$(<"$WORK/said")"
grep -Eqx 'copy +to fetch +- +far.bin' "$WORK/said" || fail "$(<"$WORK/said")"
[ "$(wc -l <"$WORK/said")" -eq 2 ] || fail "$(<"$WORK/said")"
would --arg sha "$sha" 'length == 2 and
	(.[0] | .state == "complete" and .size == 5000 and .sha256 == $sha) and
	(.[1] | .state == "unknown" and .size == null and .sha256 == null)' -- \
	"$WORK/box" "$ORIGIN/here.bin" "$ORIGIN/far.bin"

say "a digest is compared: other content is not here, and the same by another name is"
far=$(sha256 "$ORIGINROOT/far.bin")
would '.[0] | .state != "complete" and .sha256 == null' -- "$WORK/box" "$ORIGIN/here.bin#sha256=$far"
would --arg sha "$sha" '.[0] | .state == "complete" and .sha256 == $sha' -- "$WORK/box" "$ORIGIN/twin.bin#sha256=$sha"
md5=$(md5sum "$ORIGINROOT/here.bin" | cut -c1-32)
would '.[0].state == "complete"' -- "$WORK/box" "$ORIGIN/here.bin#md5=$md5"
would '.[0].state != "complete"' -- "$WORK/box" "$ORIGIN/here.bin#md5=${md5//[0-9]/0}"

say "nothing is done, and nobody asked"
settle_origin
[ -z "$(ls -A "$WORK/box")" ] || fail "placed: $(ls -A "$WORK/box")"
[ "$(fetchfs sandboxes --json | jq -s 'flatten | length')" -eq 0 ] || fail "$(fetchfs sandboxes)"
[ "$(wc -l <"$ORIGIN_LOG")" -eq "$requests" ] || fail "asked: $(tail -n 2 "$ORIGIN_LOG")"

say "what would be in the way, and what is forbidden, fails as it would"
echo mine >"$WORK/box/far.bin"
expect_failure 1 "exists and was not placed by prepare" \
	"${fetchfs[@]}" prepare --dry-run "$WORK/box" "$ORIGIN/here.bin" "$ORIGIN/far.bin"
rm "$WORK/box/far.bin"

say "what an earlier call placed stays, unless it is other content by now"
fetchfs prepare --method copy "$WORK/box" "$ORIGIN/here.bin"
would '.[0].method == "copy"' -- --method hardlink "$WORK/box" "$ORIGIN/here.bin"
would '.[0].state != "complete"' -- "$WORK/box" "$ORIGIN/twin.bin"
expect_failure 1 "placed before it changed" "${fetchfs[@]}" prepare --dry-run "$WORK/box" "$ORIGIN/here.bin#sha256=$far"
cp "$ORIGINROOT/far.bin" "$ORIGINROOT/here.bin"
fetchfs fetch -q --refresh "$ORIGIN/here.bin"
expect_failure 1 "placed before it changed" "${fetchfs[@]}" prepare --dry-run "$WORK/box" "$ORIGIN/here.bin"
fetchfs release "$WORK/box"

say "what its origin has not, by what it said a moment ago, fails as it would; by name, not by content"
"${fetchfs[@]}" prepare --method copy "$WORK/box" "$ORIGIN/none.bin" 2>/dev/null && fail "none.bin is there"
for uri in "$ORIGIN/none.bin" "$ORIGIN/none.bin#sha256=$far"; do
	expect_failure 1 "not found .the origin is asked again" "${fetchfs[@]}" prepare --method copy "$WORK/box" "$uri"
	expect_failure 1 "not found .the origin is asked again" "${fetchfs[@]}" prepare --dry-run "$WORK/box" "$uri"
done

printf '[policy]\ndeny = %s/\n' "$ORIGIN" >>"$CONFIG"
expect_failure 1 "forbidden by policy" "${fetchfs[@]}" prepare --dry-run "$WORK/box" "$ORIGIN/far.bin"
