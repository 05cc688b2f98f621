#!/bin/bash
# One user cannot evict what others have: by way of the mount, small files and large ones, prepared.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/users.sh"
need_fuse
need_program jq
start_origin
cat >"$CONFIG" <<-END
	[cache]
	size = 40M
	per_user = 25%
	[policy]
	allow = $ORIGIN/
	[fetch]
	ttl = 1h
END
for ((i = 0; i < 24; i++)); do random_file 1M "$ORIGINROOT/$i" "$i"; done
for ((i = 0; i < 60; i++)); do random_file 200k "$ORIGINROOT/s$i" "s$i"; done
random_file 11M "$ORIGINROOT/big" big
random_file 700k "$ORIGINROOT/bobs" bobs
start_mount
chmod 755 "$WORK"


# share USER: bytes
share() {
	fetchfs status --json | jq "[.shares[] | select(.user == \"$1\") | .bytes] | add // 0"
}
cached() {
	[ "$(fetchfs stat --json "$ORIGIN/$1" | jq -r .state)" = complete ]
}

say "what one user reads costs no other anything"
for i in 20 21 22; do cat "$(at "$ORIGIN/$i")" >/dev/null; done
as bob cat "$(at "$ORIGIN/bobs")" >/dev/null
for ((i = 0; i < 20; i++)); do
	as alice cat "$(at "$ORIGIN/$i")" | cmp - "$ORIGINROOT/$i" || fail "$i is other bytes"
	[ "$(share alice)" -le $((10 << 20)) ] || fail "$i: $(share alice) bytes are alice's"
done
for i in 20 21 22 bobs 19 13; do cached "$i" || fail "$i went"; done
for i in 0 5; do ! cached "$i" || fail "$i stayed"; done
[ "$(share bob)" -ge 700000 ] || fail "bob has $(share bob)"
[ "$(share root)" -eq 0 ] || fail "root has a share"

say "small ones, too"
for ((i = 0; i < 60; i++)); do as alice cat "$(at "$ORIGIN/s$i")" >/dev/null; done
[ "$(share alice)" -le $((10 << 20)) ] || fail "$(share alice) bytes are alice's"
[ "$(share alice)" -ge $((8 << 20)) ] || fail "only $(share alice) bytes are alice's"
for i in 20 21 22 bobs s59; do cached "$i" || fail "$i went"; done

say "what is larger than that can be read, costs no other anything, and is not kept"
as alice cmp "$(at "$ORIGIN/big")" "$ORIGINROOT/big" || fail "other bytes"
cached s59 || fail "it cost something"
say "who needs all of it is refused, and the text says why"
folder_of alice whole
expect_failure 1 "per_user" "${fetchfs[@]}" prepare --user alice --method copy "$box" "$ORIGIN/big"
rmdir "$box"
cached s59 || fail "it cost something"
cmp "$(at "$ORIGIN/big")" "$ORIGINROOT/big" || fail "the owner cannot read it"

say "what is in sandboxes does not count"
uris=()
for ((i = 0; i < 9; i++)); do uris+=("$ORIGIN/$i"); done
folder_of alice box
fetchfs prepare --user alice --method copy "$box" "${uris[@]}" >/dev/null || fail "prepare"
held=$(share alice)
[ "$held" -gt $((8 << 20)) ] || fail "what is prepared for alice is not on her share"
for i in 9 10 11 12; do as alice cat "$(at "$ORIGIN/$i")" >/dev/null || fail "$i"; done
for ((i = 0; i < 13; i++)); do cached "$i" || fail "$i went"; done

say "status tells people"
fetchfs status >"$WORK/status"
grep -q "^users .*10" "$WORK/status" || fail "no users: $(<"$WORK/status")"
grep -q "^  alice " "$WORK/status" || fail "no alice: $(<"$WORK/status")"
stop_mount
