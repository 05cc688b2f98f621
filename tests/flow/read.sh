#!/bin/bash
# cat, ls, stat, status and evict: what they print, and to whom nobody listens.
. "$(dirname "$0")/../support/lib.sh"
need_program jq

random_file 3M "$WWW/big"
printf 'hello' >"$WWW/small"
: >"$WWW/empty"
own=file://$WWW

say "cat gives the bytes"
for name in big small empty; do
	fetchfs cat "$own/$name" | cmp - "$WWW/$name" || fail "$name: other bytes"
done
expect_failure 1 "^fetchfs: cat $own/none: " "${fetchfs[@]}" cat "$own/none"

say "nobody reads: ended by SIGPIPE, as every filter"
status=0
fetchfs cat "$own/big" 2>"$WORK/stderr" | head -c 5 >"$WORK/head" || status=${PIPESTATUS[0]}
[ "$status" -eq 141 ] || fail "cat ended with $status"
[ ! -s "$WORK/stderr" ] || fail "said: $(<"$WORK/stderr")"

say "a full disk is told"
for command in "cat $own/big" "ls" "status" "stat $own/big"; do
	status=0
	# shellcheck disable=SC2086
	fetchfs $command >/dev/full 2>"$WORK/stderr" || status=$?
	[ $status -eq 1 ] || fail "$command: status $status"
	grep -q 'No space left' "$WORK/stderr" || fail "$command: $(<"$WORK/stderr")"
done

say "ls lists what begins with the prefix, in order"
[ "$(fetchfs ls "$own/" | head -n 2)" = "$own/big
$own/empty" ] || fail "ls: $(fetchfs ls)"
[ -z "$(fetchfs ls https://)" ] || fail "ls of another prefix"
fetchfs ls -l "$own/small" | grep -Eq "^complete +5 B +[0-9a-z. ]+ +$(sha256 "$WWW/small" |
	cut -c1-12) +$own/small\$" || fail "ls -l: $(fetchfs ls -l)"
fetchfs ls --json | jq -se 'map(select(.state == "complete")) | length == 3' >/dev/null ||
	fail "ls --json"

say "stat and status tell the truth"
fetchfs stat --json "$own/big" | jq -e --arg sha "$(sha256 "$WWW/big")" \
	'.sha256 == $sha and .size == 3145728 and .cached_bytes == 3145728 and .pinned == false' \
	>/dev/null || fail "stat --json: $(fetchfs stat --json "$own/big")"
fetchfs stat "$own/small" | grep -Eq '^size +5 ' || fail "stat"
fetchfs status --json | jq -e --arg dir "$CACHE" \
	'.cache == $dir and .entries == 3 and .used > 3000000 and .used <= .limit' >/dev/null ||
	fail "status --json: $(fetchfs status --json)"
fetchfs status | grep -qF "$CACHE" || fail "status"

say "\$FETCHFS_CACHE names the cache, --cache wins"
FETCHFS_CACHE=$CACHE "$FETCHFS" --config "$CONFIG" ls | grep -qx "$own/big" || fail "environment"
[ -z "$(FETCHFS_CACHE=$CACHE "$FETCHFS" --cache "$WORK/other" --config "$CONFIG" ls)" ] ||
	fail "--cache does not win"

say "evict lets go"
fetchfs evict "$own/big"
[ "$(fetchfs stat --json "$own/big" | jq .cached_bytes)" -eq 0 ] || fail "big is still here"
expect_failure 1 "^fetchfs: evict $own/never: " "${fetchfs[@]}" evict "$own/never"
fetchfs evict --all | grep -q '^freed' || fail "evict --all"
[ "$(fetchfs status --json | jq .used)" -eq 0 ] || fail "left: $(fetchfs ls -l)"
fetchfs cat "$own/big" | cmp - "$WWW/big" || fail "after evict: other bytes"
fetchfs evict --to 1K --json | jq -e '.freed > 3000000' >/dev/null || fail "evict --to"
