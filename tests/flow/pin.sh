#!/bin/bash
# What is pinned stays, whatever else has to go.
. "$(dirname "$0")/../support/lib.sh"
need_program jq curl

printf '[fetch]\nttl = 1h\n' >"$CONFIG"
start_origin
mkdir "$ORIGINROOT/d" "$ORIGINROOT/e"
for name in d/1 d/2 d/3 e/1 e/2; do
	random_file 300k "$ORIGINROOT/$name" "$name"
done

cached() {
	fetchfs ls --json | jq -r 'select(.state == "complete") | .uri' | sed "s|$ORIGIN/||" | paste -sd' '
}

say "a URI"
fetchfs fetch "$ORIGIN"/{d/1,d/2,d/3,e/1,e/2}
fetchfs pin "$ORIGIN/d/2"
fetchfs stat "$ORIGIN/d/2" | grep -Eq '^pinned +yes' || fail "stat does not say so"
[ "$(fetchfs status --json | jq .pinned)" -ge 300000 ] || fail "status does not count it"
fetchfs evict --all >/dev/null
[ "$(cached)" = d/2 ] || fail "left: $(cached)"
expect_failure 1 "pinned" "${fetchfs[@]}" evict "$ORIGIN/d/2"

say "again, and no more"
fetchfs pin "$ORIGIN/d/2"
fetchfs unpin "$ORIGIN/d/2"
fetchfs unpin "$ORIGIN/d/2"
[ "$(fetchfs status --json | jq .pinned)" -eq 0 ] || fail "status counts it"
fetchfs evict --all >/dev/null
[ -z "$(cached)" ] || fail "left: $(cached)"

say "what is not here cannot be pinned, but fetched so"
expect_failure 1 "not in the cache; fetch --pin" "${fetchfs[@]}" pin "$ORIGIN/d/1"
fetchfs unpin "$ORIGIN/none"
fetchfs fetch --pin "$ORIGIN/d/1"
fetchfs fetch "$ORIGIN/d/3"
fetchfs fetch --pin "$ORIGIN/d/3" # it was here
fetchfs fetch "$ORIGIN/e/1"
fetchfs evict --all >/dev/null
[ "$(cached)" = "d/1 d/3" ] || fail "left: $(cached)"

say "a pattern, of what is here"
fetchfs fetch "$ORIGIN"/{d/2,e/1,e/2}
[ "$(fetchfs pin "$ORIGIN/e/*")" = "$ORIGIN/e/*: 2 pinned" ] || fail "e/*"
fetchfs unpin "$ORIGIN/*/1" >/dev/null
expect_failure 1 "nothing in the cache is called so" "${fetchfs[@]}" pin "$ORIGIN/x*"
fetchfs evict --all >/dev/null
[ "$(cached)" = "d/3 e/2" ] || fail "left: $(cached)"
[ "$(fetchfs unpin --json "$ORIGIN*" | jq -s 'map(.pinned) | [length, any] | tostring')" = '"[2,false]"' ] ||
	fail "unpin --json"
fetchfs evict --all >/dev/null

say "a query is a part of the name, and no pattern"
fetchfs fetch "$ORIGIN/e/1?a=1" "$ORIGIN/e/2?a=2"
fetchfs pin "$ORIGIN/e/2?a=2"
fetchfs evict --all >/dev/null
[ "$(cached)" = "e/2?…" ] || fail "left: $(cached)"
fetchfs unpin "$ORIGIN/e/2?*"
fetchfs evict --all >/dev/null
[ -z "$(cached)" ] || fail "left: $(cached)"

say "a new version takes the pin over, and the old one may go"
fetchfs fetch --pin "$ORIGIN/d/1"
random_file 400k "$ORIGINROOT/d/1" new
fetchfs fetch --refresh "$ORIGIN/d/1"
fetchfs evict --all >/dev/null
fetchfs stat "$ORIGIN/d/1" | grep -Eq '^pinned +yes' || fail "the pin is gone"
objects=("$CACHE"/objects/*/*)
[ ${#objects[@]} -eq 1 ] || fail "left: ${objects[*]##*/}"
cmp "${objects[0]}" "$ORIGINROOT/d/1" || fail "the old one stayed"

say "an evictor dies between the file and its row: what is not there is not pinned"
fetchfs fetch "$ORIGIN/e/2"
rm "$CACHE"/objects/*/"$(sha256 "$ORIGINROOT/e/2")"
expect_failure 1 "not in the cache" "${fetchfs[@]}" pin "$ORIGIN/e/2"
fetchfs fetch --pin "$ORIGIN/e/2"
cmp "$CACHE"/objects/*/"$(sha256 "$ORIGINROOT/e/2")" "$ORIGINROOT/e/2" || fail "it was not fetched again"
fetchfs unpin "$ORIGIN/*"
fetchfs evict --all >/dev/null

say "a cache full of pins takes nothing, and says why"
printf '[fetch]\nttl = 1h\n[cache]\nsize = 20M\n' >"$CONFIG"
random_file 9M "$ORIGINROOT/large" large
random_file 9M "$ORIGINROOT/other" other
fetchfs fetch --pin "$ORIGIN/large"
expect_failure 1 "cache full: .*pinned" "${fetchfs[@]}" fetch "$ORIGIN/other"
fetchfs unpin "$ORIGIN/large"
fetchfs fetch "$ORIGIN/other"

say "not by way of a mount"
status=0
fetchfs fetch --pin --mount "$MNT" "$ORIGIN/other" 2>"$WORK/stderr" || status=$?
[ $status -eq 2 ] || fail "status $status"
grep -q "need a cache, no mount" "$WORK/stderr" || fail "$(<"$WORK/stderr")"
