#!/bin/bash
# Archives that want to do harm are refused, each of them and in pairs: nothing is outside, and no half
# tree is anywhere; the message names the entry.
. "$(dirname "$0")/../support/lib.sh"
need_program python3

opentree=$FETCHFS_BUILD/tests/support/opentree
archives=$WORK/archives
outside=$WORK/outside
mkdir "$archives" "$outside"

python3 "$FETCHFS_SOURCE/tests/support/hostile.py" "$archives" "$outside" >"$WORK/list"
count=$(wc -l <"$WORK/list")
[ "$count" -gt 500 ] || fail "only $count archives"

# open_all SUFFIX: what is said of each archive of the kind, in the order of the list
open_all() {
	local files
	mapfile -t files < <(cut -f1 "$WORK/list" | grep "\\.$1\$")
	"$opentree" "$CACHE" "$CONFIG" "${files[@]/#/$archives/}" >"$WORK/said.$1" || :
	[ "$(wc -l <"$WORK/said.$1")" -eq ${#files[@]} ] || fail "$1: not a line for each archive"
}

# all but what this test writes meanwhile
everything() {
	find "$WORK" -path "$CACHE" -prune -o ! -path "$WORK/said*" ! -path "$WORK/before" -print | sort
}
everything >"$WORK/before"
open_all tar &
pid=$!
open_all zip
wait $pid || fail "tar"

while IFS=$'\t' read -r file regex && read -r said <&3; do
	grep -Eq "^EBADMSG: $regex" <<<"$said" || fail "$file: not /$regex/: $said"
done <"$WORK/list" 3< <(cat "$WORK/said.tar" "$WORK/said.zip")

say "$count archives: nothing is left, nothing is outside"
everything | cmp "$WORK/before" - || fail "something came from an archive"
[ -z "$(ls -A "$outside")" ] || fail "outside: $(ls -A "$outside")"
[ -z "$(ls -A "$CACHE/trees")" ] || fail "in trees: $(ls -A "$CACHE/trees")"
fetchfs status --json | jq -e '.reserved == 0' >/dev/null ||
	fail "something is reserved: $(fetchfs status --json)"
