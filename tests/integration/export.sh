#!/bin/bash
# From one cache to another that cannot ask anybody: what was exported here is there, with the right
# bytes, as fresh as it was, and nothing is asked for it.
. "$(dirname "$0")/../support/lib.sh"
need_program jq curl tar

printf '[fetch]\nttl = 1h\n' >"$CONFIG"
THERE=$WORK/there
there=("$FETCHFS" --cache "$THERE" --config "$CONFIG")
start_origin
sizes=(0 1 5000 262144 262145 3000000)
for size in "${sizes[@]}"; do
	random_file "$size" "$ORIGINROOT/$size" "$size"
	echo "$ORIGIN/$size"
done >"$WORK/list"
cp "$ORIGINROOT/3000000" "$ORIGINROOT/same"
cp "$ORIGINROOT/5000" "$ORIGINROOT/alike"
fetchfs fetch -i "$WORK/list"
fetchfs fetch "$ORIGIN/same"
fetchfs fetch --executable "$ORIGIN/alike"
fetchfs pin "$ORIGIN/262145" "$ORIGIN/1"

# What the cache of @1 … knows of its artifacts, but for when they were used.
known() {
	"$@" ls --json | jq -cS 'select(.state == "complete") | del(.last_used)'
}

say "into a file, and out of it"
[ "$(fetchfs export "$WORK/all.tar")" != "" ] || fail "it says nothing"
tar tf "$WORK/all.tar" >"$WORK/members"
[ "$(head -n 1 "$WORK/members")" = manifest.jsonl ] || fail "first: $(head -n 1 "$WORK/members")"
[ "$(sort "$WORK/members" | uniq | wc -l)" -eq $((${#sizes[@]} + 1)) ] || fail "members: $(<"$WORK/members")"
tar xOf "$WORK/all.tar" manifest.jsonl | jq -es '.[0].version == 1 and .[0].entries == 8 and .[0].objects == 6' \
	>/dev/null || fail "manifest: $(tar xOf "$WORK/all.tar" manifest.jsonl)"
mkdir "$WORK/unpacked"
tar xf "$WORK/all.tar" -C "$WORK/unpacked"
for object in "$WORK"/unpacked/objects/*; do
	[ "$(sha256 "$object")" = "${object##*/}" ] || fail "$object has other bytes"
done

settle_origin
requests=$(wc -l <"$ORIGIN_LOG")
kill "$ORIGIN_PID"
wait_for 10 gone "$ORIGIN_PID" || fail "the origin goes on"
"${there[@]}" import "$WORK/all.tar" >"$WORK/said"
grep -q '^8 imported' "$WORK/said" || fail "said: $(<"$WORK/said")"

all_there() {
	known "${fetchfs[@]}" >"$WORK/here"
	known "${there[@]}" | diff "$WORK/here" - || fail "$1: another cache"
	while read -r uri; do
		"${there[@]}" cat "$uri" | cmp - "$ORIGINROOT/${uri##*/}" || fail "$1: $uri"
	done <"$WORK/list"
	"${there[@]}" cat "$ORIGIN/same" | cmp - "$ORIGINROOT/same" || fail "$1: same"
	"${there[@]}" verify --full >"$WORK/said" || fail "$1: $(<"$WORK/said")"
	[ -z "$(ls "$THERE/partial")" ] || fail "$1: left in partial/: $(ls "$THERE/partial")"
}
all_there "a file"
executable=$THERE/objects/$(sha256 "$ORIGINROOT/alike" | sed 's|^..|&/&|')
[ -x "$executable.x" ] || fail "not executable"
[ -e "$executable" ] || fail "only executable"
[ "$(wc -l <"$ORIGIN_LOG")" -eq "$requests" ] || fail "the origin was asked"

say "the pins that were there, and after an eviction"
[ "$("${there[@]}" ls --json | jq -r 'select(.pinned) | .uri' | sed 's,.*/,,' | sort | paste -sd' ')" = "1 262145" ] ||
	fail "pinned: $("${there[@]}" ls --json | jq -c 'select(.pinned)')"
"${there[@]}" evict --all >/dev/null
"${there[@]}" import "$WORK/all.tar" >"$WORK/said"
grep -q '^6 imported, .*; 2 were here' "$WORK/said" || fail "said: $(<"$WORK/said")"
all_there "after an eviction"

say "again: nothing changes, nothing is written"
find "$THERE/objects" -type f -printf '%p %i %C@\n' | sort >"$WORK/files"
"${there[@]}" import --json "$WORK/all.tar" >"$WORK/said"
jq -es '(.[:-1] | map(.outcome) | unique) == ["present"] and .[-1].present == 8 and .[-1].bytes == 0' \
	"$WORK/said" >/dev/null || fail "said: $(<"$WORK/said")"
find "$THERE/objects" -type f -printf '%p %i %C@\n' | sort | diff "$WORK/files" - || fail "objects are others"
all_there "again"

say "the same cache makes the same archive"
fetchfs export "$WORK/again.tar" >/dev/null
cmp "$WORK/all.tar" "$WORK/again.tar" || fail "another archive"
"${there[@]}" export - | cmp - "$WORK/all.tar" || fail "another one there, or in a pipe"

say "the index is lost there: what was imported is known"
rm -f "$THERE"/index.db*
all_there "the index was lost"

say "through a pipe, all of it pinned"
rm -rf "$THERE"
fetchfs export - | "${there[@]}" import --pin - >"$WORK/said"
grep -q '^8 imported' "$WORK/said" || fail "said: $(<"$WORK/said")"
"${there[@]}" evict --all >/dev/null
"${there[@]}" ls --json | jq -es 'map(.pinned) == [true, true, true, true, true, true, true, true]' >/dev/null ||
	fail "not all are pinned"
"${there[@]}" unpin '*' >/dev/null
"${there[@]}" import --pin "$WORK/all.tar" >/dev/null # they were here
"${there[@]}" ls --json | jq -es 'all(.pinned)' >/dev/null || fail "what was here is not pinned"

say "some of it: URIs and patterns"
rm -rf "$THERE"
fetchfs export "$WORK/some.tar" "$ORIGIN/5000" "$ORIGIN/2*" "$ORIGIN/5*" >/dev/null
"${there[@]}" import "$WORK/some.tar" >/dev/null
[ "$("${there[@]}" ls | sed 's,.*/,,' | paste -sd' ')" = "262144 262145 5000" ] || fail "there: $("${there[@]}" ls)"
expect_failure 1 'none: not in the cache$' "${fetchfs[@]}" export "$WORK/less.tar" "$ORIGIN/none" "$ORIGIN/1"
tar xOf "$WORK/less.tar" manifest.jsonl | jq -es 'map(.uri // empty) | length == 1' >/dev/null ||
	fail "the other one was not exported"
expect_failure 1 'nothing in the cache is called so' "${fetchfs[@]}" export "$WORK/no.tar" "x*"
[ ! -e "$WORK/no.tar" ] || fail "an archive of nothing"

say "what was fetched later stays, and takes the place of what was fetched earlier"
start_origin
random_file 5000 "$ORIGINROOT/v" first
fetchfs fetch "$ORIGIN/v"
fetchfs export "$WORK/first.tar" "$ORIGIN/v" >/dev/null
random_file 400k "$ORIGINROOT/v" second
"${there[@]}" fetch "$ORIGIN/v"
"${there[@]}" import "$WORK/first.tar" >"$WORK/said"
grep -q '^0 imported, .*; 1 are newer here' "$WORK/said" || fail "said: $(<"$WORK/said")"
"${there[@]}" cat "$ORIGIN/v" | cmp - "$ORIGINROOT/v" || fail "the newer one is gone"
second=$(date +%s)
is_later() {
	[ "$(date +%s)" -gt "$second" ]
}
wait_for 5 is_later || fail "the clock stands"
random_file 300k "$ORIGINROOT/v" third
fetchfs fetch --refresh "$ORIGIN/v"
fetchfs export - "$ORIGIN/v" | "${there[@]}" import - >"$WORK/said"
grep -q '^1 imported' "$WORK/said" || fail "said: $(<"$WORK/said")"
"${there[@]}" cat "$ORIGIN/v" | cmp - "$ORIGINROOT/v" || fail "it is not the newest"

say "a later confirmation of the same goes along"
"${there[@]}" stat --json "$ORIGIN/v" | jq .verified >"$WORK/before"
second=$(date +%s)
wait_for 5 is_later || fail "the clock stands"
fetchfs fetch --refresh "$ORIGIN/v"
fetchfs export - "$ORIGIN/v" | "${there[@]}" import - >"$WORK/said"
grep -q '1 were here' "$WORK/said" || fail "said: $(<"$WORK/said")"
[ "$("${there[@]}" stat --json "$ORIGIN/v" | jq .verified)" -gt "$(<"$WORK/before")" ] || fail "it does not"

say "executable there, and not here, and the other way round"
fetchfs fetch "$ORIGIN/3000000" "$ORIGIN/5000"
"${there[@]}" fetch --executable "$ORIGIN/5000"
fetchfs export "$WORK/plain.tar" "$ORIGIN/3000000" "$ORIGIN/5000" >/dev/null
"${there[@]}" import "$WORK/plain.tar" >/dev/null
"${there[@]}" stat --json "$ORIGIN/5000" | jq -e .executable >/dev/null || fail "it is executable no more"
fetchfs fetch --executable "$ORIGIN/3000000"
fetchfs export - "$ORIGIN/3000000" | "${there[@]}" import - >"$WORK/said"
grep -q '^1 imported' "$WORK/said" || fail "said: $(<"$WORK/said")"
"${there[@]}" stat --json "$ORIGIN/3000000" | jq -e .executable >/dev/null || fail "it did not become executable"
"${there[@]}" verify --full >"$WORK/said" || fail "$(<"$WORK/said")"
