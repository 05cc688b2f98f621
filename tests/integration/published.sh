#!/bin/bash
# Who leads a download dies right after it was published: those who waited have it, nothing is
# fetched twice, and the map that it left is gone.
. "$(dirname "$0")/../support/lib.sh"
need_program curl jq

! FETCHFS_FAULT=:: "$FETCHFS" --version >/dev/null 2>&1 || skip "built without fault points"

start_origin
random_file 4M "$ORIGINROOT/data.bin"
uri=$ORIGIN/rate/2000000/data.bin

FETCHFS_FAULT=store.published:1:kill "${fetchfs[@]}" fetch "$uri" 2>"$LOGS/leader" &
leader=$!
children+=("$leader")
bytes_went_out() {
	[ "$(origin_stat bytes)" -gt 100000 ]
}
wait_for 30 bytes_went_out || fail "nothing comes"
"${fetchfs[@]}" fetch "$uri" 2>"$LOGS/follower" &
follower=$!
children+=("$follower")

status=0
wait $leader 2>/dev/null || status=$?
[ $status -eq 137 ] || fail "the leader was not killed: $status"
wait $follower || fail "the follower failed: $(<"$LOGS/follower")"
no_debris
fetchfs cat "$uri" | cmp - "$ORIGINROOT/data.bin" || fail "other bytes"
settle_origin
[ "$(origin_sent /rate/2000000/data.bin)" -eq $((4 << 20)) ] || fail "bytes came twice"
