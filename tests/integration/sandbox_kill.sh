#!/bin/bash
# prepare and release killed at work 200 times, wherever they are: the same command again completes the
# directory; nothing stays mounted, and no lease, once it is released.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_fuse
need_program jq

start_nginx
echo "[cache]
hardlink = yes
[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
artifacts one two three
start_mount
make_box box
kills=${FETCHFS_TEST_KILLS:-200}

# Each method, one after the other; in a folder that is made, beside one that was there.
as_task mkdir "$box/mine"
methods=(bind copy hardlink symlink)
spec() {
	jq -n --arg http "$HTTP" --arg method "$1" '[{value: ($http + "/one"), output_file: "made/one"},
		{value: ($http + "/two"), output_file: "mine/two"}, {value: ($http + "/three")},
		{value: ($http + "/one"), output_file: "again"}] | map(.method = $method)' >"$WORK/$1"
}
for method in "${methods[@]}"; do spec "$method"; done

# killed MOST MILLISECONDS COMMAND…: it is run and killed: at one of the first MOST fault points, or
# at some moment until then. How often it was, in $died.
died=0
has_faults=true
! FETCHFS_FAULT=: fetchfs --version >/dev/null 2>&1 || has_faults=false
killed() {
	local status=0 pid most=$1 during=$2
	shift 2
	if [ $((RANDOM % 4)) -gt 0 ] && $has_faults; then
		env FETCHFS_FAULT="*:$((1 + RANDOM % most)):kill" "$@" >/dev/null 2>&1 &
		pid=$!
	else
		"$@" >/dev/null 2>&1 &
		pid=$!
		sleep "0.$(printf %03d $((RANDOM % during)))"
		kill -KILL $pid 2>/dev/null || :
	fi
	{ wait $pid || status=$?; } 2>/dev/null
	[ $status -ne 137 ] || died=$((died + 1))
}

complete() {
	same made/one one
	same mine/two two
	same three
	same again one
	contents_are "./again ./made ./made/one ./mine ./mine/two ./three "
	leases_are 4
}

for ((i = 0; died < kills && i < 3 * kills; i++)); do
	method=${methods[i % ${#methods[@]}]}
	order=(--user nobody --mount "$MNT" --spec "$WORK/$method" "$box")
	killed 26 150 "${fetchfs[@]}" prepare "${order[@]}"
	fetchfs prepare "${order[@]}" || fail "$method: prepare after a kill"
	complete
	[ "$method" != bind ] || [ "$(mounts_below "$box" | wc -l)" -eq 4 ] ||
		fail "mounted: $(mounts_below "$box")"
	killed 5 80 "${fetchfs[@]}" release "$box"
	fetchfs release "$box" || fail "$method: release after a kill"
	no_mounts "$box"
	leases_are 0
	rmdir "$box/made" 2>/dev/null || : # killed between making it and noting that
	contents_are "./mine "
done
[ $died -ge "$kills" ] || fail "only $died of $((2 * i)) processes were killed at work"

if $has_faults; then
	say "a release dies between all that was there and its leases, and prepare comes again: nothing is foreign"
	order=(--user nobody --spec "$WORK/copy" "$box")
	fetchfs prepare "${order[@]}"
	{ FETCHFS_FAULT=release.removed:5:kill "${fetchfs[@]}" release "$box" || :; } 2>/dev/null
	contents_are "./mine "
	leases_are 4
	as_task mkdir "$box/taken" # or the folder gets the inode that it had
	fetchfs prepare "${order[@]}"
	as_task rmdir "$box/taken"
	complete
	fetchfs release "$box" 2>"$WORK/stderr" || fail "release"
	[ ! -s "$WORK/stderr" ] || fail "$(<"$WORK/stderr")"
	contents_are "./mine "
fi

stop_mount
fetchfs gc || fail "gc"
no_debris
for name in one two three; do cached_is "$HTTP/$name" $name; done
