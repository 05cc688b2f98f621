#!/bin/bash
# prepare killed at work 200 times, wherever it is, and release as it comes: the same command again
# completes the directory; nothing stays mounted, and no lease, once it is released.
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
methods=(bind copy hardlink symlink)

# The cache and the sandbox are where blocks can be shared, if there is such a file system to be had.
home=$WORK/home
mkdir "$home"
if truncate -s 600M "$WORK/image" && mkfs.xfs -q "$WORK/image" >"$LOGS/mkfs" 2>&1 &&
	mount -o loop "$WORK/image" "$home" 2>/dev/null; then
	mounts+=("$home")
fi
CACHE=$home/cache
fetchfs=("$FETCHFS" --cache "$CACHE" --config "$CONFIG")
if cp "$WWW/one" "$home/" && cp --reflink=always "$home/one" "$home/shared" 2>/dev/null; then
	methods+=(reflink)
else
	say "(no blocks can be shared here: without the method reflink)"
fi
start_mount
make_box home/box
kills=${FETCHFS_TEST_KILLS:-200}

# Each method, one after the other; in a folder that is made, beside one that was there.
as_task mkdir "$box/mine"
spec() {
	jq -n --arg http "$HTTP" --arg method "$1" '[{value: ($http + "/one"), output_file: "made/one"},
		{value: ($http + "/two"), output_file: "mine/two"}, {value: ($http + "/three")},
		{value: ($http + "/one"), output_file: "again"}] | map(.method = $method)' >"$WORK/$1"
}
for method in "${methods[@]}"; do spec "$method"; done

# killed WHAT MOST MILLISECONDS COMMAND…: it is run and killed: at one of the first MOST fault points, or
# at some moment until then. Whether it was tells the status; how often each was is in $died.
declare -A died=([prepare]=0 [release]=0)
has_faults=true
! FETCHFS_FAULT=: fetchfs --version >/dev/null 2>&1 || has_faults=false
killed() {
	local status=0 pid what=$1 most=$2 during=$3
	shift 3
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
	[ $status -eq 137 ] && died[$what]=$((died[$what] + 1))
}

complete() {
	same made/one one
	same mine/two two
	same three
	same again one
	contents_are "./again ./made ./made/one ./mine ./mine/two ./three "
	leases_are 4
}

for ((i = 0; died[prepare] < kills && i < 3 * kills; i++)); do
	method=${methods[i % ${#methods[@]}]}
	order=(--user nobody --mount "$MNT" --spec "$WORK/$method" "$box")
	# the same command again may die, too: twice in a row
	for _ in 1 2; do
		killed prepare 26 150 "${fetchfs[@]}" prepare "${order[@]}" || break
	done
	fetchfs prepare "${order[@]}" || fail "$method: prepare after a kill"
	complete
	[ "$method" != bind ] || [ "$(mounts_below "$box" | wc -l)" -eq 4 ] ||
		fail "mounted: $(mounts_below "$box")"
	killed release 5 80 "${fetchfs[@]}" release "$box" || :
	fetchfs release "$box" || fail "$method: release after a kill"
	no_mounts "$box"
	leases_are 0
	rmdir "$box/made" 2>/dev/null || : # killed between making it and noting that
	contents_are "./mine "
done
say "killed at work, in $i rounds: prepare ${died[prepare]} times, release ${died[release]} times"
[ "${died[prepare]}" -ge "$kills" ] || fail "prepare was not killed $kills times"

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
