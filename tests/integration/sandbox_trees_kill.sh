#!/bin/bash
# prepare and release of archives killed at work, wherever they are: the same command again completes the
# directory; nothing stays mounted, half made or leased once it is released.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
. "$(dirname "$0")/../support/archives.sh"
need_root
need_program jq python3
FETCHFS_FAULT=: "$FETCHFS" --version >/dev/null 2>&1 && skip "needs a build with fault points"

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
make_source "$WORK/source"
tar -czf "$WWW/app.tgz" -C "$WORK/source" .
gzip -nc "$WORK/source/README" >"$WWW/tool.gz"
make_box box
kills=${FETCHFS_TEST_KILLS:-60}
methods=(bind copy hardlink)
for method in "${methods[@]}"; do
	jq -n --arg http "$HTTP" --arg method "$method" '[{value: ($http + "/app.tgz")},
		{value: ($http + "/app.tgz"), output_file: "a/whole"}, {value: ($http + "/tool.gz")}] |
		map(.method = $method | .extract = true)' >"$WORK/$method"
done

# killed POINT COMMAND…
died=0
killed() {
	local status=0
	{ FETCHFS_FAULT="$1:kill" "${@:2}" >/dev/null 2>&1 || status=$?; } 2>/dev/null
	[ $status -ne 137 ] || died=$((died + 1))
}

complete() {
	diff -r --no-dereference "$WORK/source" "$box/a/whole" || fail "a/whole: other files"
	diff -r --no-dereference "$WORK/source/app" "$box/app" || fail "app: other files"
	cmp "$box/tool" "$WORK/source/README" || fail "tool: other bytes"
	[ "$(find "$box" -maxdepth 1 -mindepth 1 | wc -l)" -eq 6 ] || fail "there is $(ls -A "$box")"
	leases_are 6
}

# the points by name, each at its first times, then any point at random
points=()
for name in place.begun place.folder place.committed place.stub place.mount prepare.leased put.copy tree.seal \
	tree.rename; do
	points+=("$name:1" "$name:2" "$name:4")
done
for ((i = 0; died < kills && i < 4 * kills; i++)); do
	method=${methods[i % 3]}
	point=${points[i / 3]-*:$((1 + RANDOM % 120))}
	if ((i % 10 == 0)) && fetchfs evict "$HTTP/app.tgz" 2>/dev/null; then
		[ ! -e "$(tree_of app.tgz)" ] || fail "evicted without its tree"
	fi
	killed "$point" "${fetchfs[@]}" prepare --user nobody --spec "$WORK/$method" "$box"
	fetchfs prepare --user nobody --spec "$WORK/$method" "$box" || fail "$method, $point: prepare after a kill"
	complete
	killed "release.removed:$((1 + RANDOM % 4))" "${fetchfs[@]}" release "$box"
	fetchfs release "$box" 2>"$WORK/stderr" || fail "$method, $point: release after a kill"
	no_mounts "$box"
	leases_are 0
	rmdir "$box/a" 2>/dev/null || : # killed between making it and noting that
	contents_are ""
done
[ $died -ge "$kills" ] || fail "only $died of $((2 * i)) processes were killed at work"

say "killed in the middle, and released instead: nothing is left"
for method in "${methods[@]}"; do
	for point in place.folder:2 put.copy:3 place.stub:1 prepare.leased:6; do
		killed $point "${fetchfs[@]}" prepare --user nobody --spec "$WORK/$method" "$box"
		fetchfs release "$box"
		rmdir "$box/a" 2>/dev/null || :
		contents_are ""
		no_mounts "$box"
		leases_are 0
	done
done
fetchfs evict "$HTTP/app.tgz"
fetchfs evict "$HTTP/tool.gz"
left=("$CACHE"/trees/.[gns]*)
[ ${#left[@]} -eq 0 ] || fail "left in trees: ${left[*]##*/}"
no_debris
