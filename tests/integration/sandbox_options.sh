#!/bin/bash
# How a prepare is to be done: by when, going on or not, several at once, symlinks into a mount; and
# who has what: sandboxes, gc.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_program jq

start_nginx
echo "[fetch]
ttl = 1h
[policy]
allow = $HTTP/" >"$CONFIG"
random_file 30M "$WWW/big" big
artifacts one two
box=$WORK/box
mkdir "$box"

say "what is late is given up, soon; and all is as it was"
start=${EPOCHREALTIME/[.,]/}
status=0
"${fetchfs[@]}" prepare --timeout 1.5 "$box" "${uris[0]}" "$HTTP/crawl/big" "$HTTP/crawl/two" 2>"$WORK/stderr" ||
	status=$?
[ $((${EPOCHREALTIME/[.,]/} - start)) -lt 15000000 ] || fail "it took its time"
[ $status -eq 3 ] || fail "status $status: $(<"$WORK/stderr")"
grep -Eq 'prepare .*/crawl/big: not here after 1.5 s' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
[ "$(wc -l <"$WORK/stderr")" -eq 1 ] || fail "said: $(<"$WORK/stderr")"
contents_are ""
leases_are 0

say "a listing that is late, too"
(cd "$WWW" && sha256sum big one two >SHA256SUMS && cat big >>SHA256SUMS)
expect_failure 3 'not here after 0.5 s' "${fetchfs[@]}" prepare --timeout 0.5 \
	--digests "$HTTP/crawl/SHA256SUMS" "$box" "${uris[0]}"
contents_are ""

say "an archive that takes longer to be unpacked than to come, too; it can be had with more time"
python3 - "$WWW/many.tar" <<-'END'
	import sys, tarfile
	with tarfile.open(sys.argv[1], "w") as tar:
	    for n in range(50000):
	        tar.addfile(tarfile.TarInfo(f"top/{n % 100}/{n}"))
END
fetchfs fetch "$HTTP/many.tar"
expect_failure 3 'many.tar: not here after 0.5 s' "${fetchfs[@]}" prepare --timeout 0.5 --extract "$box" \
	"$HTTP/many.tar" "${uris[0]}"
contents_are ""
leases_are 0
[ -z "$(ls "$CACHE/trees")" ] || fail "half a tree: $(ls "$CACHE/trees")"
fetchfs prepare --extract "$box" "$HTTP/many.tar"
[ "$(find "$box/top/" -type f | wc -l)" -eq 50000 ] || fail "not all are there"
fetchfs release "$box"

say "a time that is none is wrong usage"
for time in 0 -1 x 1x nan inf ''; do
	status=0
	"${fetchfs[@]}" prepare --timeout "$time" "$box" "${uris[0]}" 2>"$WORK/stderr" || status=$?
	[ $status -eq 2 ] || fail "--timeout '$time': $status"
done

say "going on: what went well stays, in order, and what did not is told"
status=0
jq -n --arg http "$HTTP" '[{value: ($http + "/two"), output_file: "a/two"},
	{value: ($http + "/status/404"), output_file: "b/none"}, {value: ($http + "/one")}]' |
	"${fetchfs[@]}" prepare --keep-going --spec - --json "$box" >"$WORK/json" 2>"$WORK/stderr" || status=$?
[ $status -eq 1 ] || fail "status $status"
jq -e '.[0].method == "copy" and .[1].method == null and .[1].error.errno == "ENOENT" and
	(.[2].path | endswith("/one"))' "$WORK/json" >/dev/null || fail "$(<"$WORK/json")"
[ "$(wc -l <"$WORK/stderr")" -eq 1 ] || fail "said: $(<"$WORK/stderr")"
contents_are "./a ./a/two ./one "
same a/two two
leases_are 2

say "so with what is in the way, or cannot be placed"
echo mine >"$box/two"
status=0
"${fetchfs[@]}" prepare --keep-going "$box" "${uris[@]}" "$HTTP/big" 2>"$WORK/stderr" || status=$?
[ $status -eq 1 ] || fail "status $status"
grep -q 'two exists' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
[ "$(<"$box/two")" = mine ] || fail "overwritten"
same big
rm "$box/two" "$box/big"
jq -n --arg http "$HTTP" '[{value: ($http + "/two"), output_file: "c/d/two"}, {value: ($http + "/big")}]' >"$WORK/spec"
if FETCHFS_FAULT=place.link:1:EDQUOT "${fetchfs[@]}" prepare --keep-going --spec "$WORK/spec" "$box" 2>"$WORK/stderr"; then
	say "(no fault points in this build)"
else
	same big
	contents_are "./a ./a/two ./big ./one "
fi
fetchfs release "$box"
contents_are ""

say "one URI under several names is downloaded once"
jq -n --arg uri "$HTTP/crawl/one" '[range(5) | {value: $uri, output_file: "name\(.)"}]' >"$WORK/spec"
fetchfs prepare --spec "$WORK/spec" --json "$box" | jq -e --arg box "$box" \
	'[.[].path] == [range(5) | $box + "/name\(.)"]' >/dev/null || fail "the order"
for i in 0 1 2 3 4; do same name$i one; done
settle_nginx
[ "$(requests GET /crawl/one)" -eq 1 ] || fail "$(requests GET /crawl/one) downloads"
fetchfs release "$box"

say "eight at once, of the same directory: all of them find it done"
pids=()
for i in 1 2 3 4 5 6 7 8; do
	"${fetchfs[@]}" prepare "$box" "$HTTP/big" "${uris[@]}" 2>"$LOGS/at-once-$i" &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "one of them failed"; done
contents_are "./big ./one ./two "
same big
leases_are 3

say "where files without a name cannot be had"
fetchfs release "$box"
if FETCHFS_FAULT=place.tmpfile:1:EISDIR,place.begun:1:kill "${fetchfs[@]}" prepare "$box" "${uris[0]}" 2>/dev/null; then
	say "(no fault points in this build)"
else
	[[ "$(contents)" == "./.fetchfs."* ]] || fail "there is $(contents)"
	fetchfs prepare "$box" "${uris[0]}"
	contents_are "./one "
	fetchfs release "$box"
	FETCHFS_FAULT=place.tmpfile:1:EISDIR,place.begun:1:kill "${fetchfs[@]}" prepare "$box" "${uris[0]}" \
		2>/dev/null || :
	fetchfs release "$box"
	contents_are ""
	FETCHFS_FAULT=place.tmpfile:1:EISDIR "${fetchfs[@]}" prepare "$box" "${uris[0]}"
	same one
	contents_are "./one "
	leases_are 1
	fetchfs release "$box"
fi
leases_are 0

say "who has what, and since when"
mkdir "$WORK/other"
now=$(date +%s)
fetchfs prepare "$box" "${uris[@]}"
fetchfs prepare "$WORK/other" "${uris[0]}"
fetchfs sandboxes --json >"$WORK/json"
jq -es --arg box "$box" --arg user "$(id -un)" --arg uri "${uris[1]}" --argjson now "$now" \
	--arg sha "$(sha256 "$WWW/two")" '.[1] | .directory == $box and .gone == false and
	.user == $user and .name == "two" and .method == "copy" and .uri == $uri and .sha256 == $sha and
	.since >= $now and .since < $now + 300' "$WORK/json" >/dev/null || fail "$(<"$WORK/json")"
fetchfs sandboxes >"$WORK/text"
grep -q "^$WORK/other  $(id -un)  since 2" "$WORK/text" || fail "$(<"$WORK/text")"
grep -q "^    copy      two  ${uris[1]}\$" "$WORK/text" || fail "$(<"$WORK/text")"

say "gc: what is of a directory that is gone, or another one, and nothing else"
[ -z "$(fetchfs gc)" ] || fail "gc has something to do: $(fetchfs gc)"
rm -r "$WORK/other"
fetchfs sandboxes | grep -q "^$WORK/other .*gone" || fail "it is not said to be gone"
mkdir "$WORK/another"
fetchfs prepare "$WORK/another" "${uris[1]}"
mv "$WORK/another" "$WORK/moved"
mkdir "$WORK/another"
before=$(leases)
[ "$(fetchfs gc | grep -c 'is gone: released 1 file, 0 mounted')" -eq 2 ] || fail "gc: $(fetchfs gc)"
leases_are $((before - 2))
same two
fetchfs release "$box"
contents_are ""
fetchfs evict "${uris[@]}"

say "gc: what is moved while a prepare is at work there is in its hand"
mkdir "$WORK/moving"
fetchfs prepare "$WORK/moving" "${uris[0]}"
if FETCHFS_FAULT=place.committed:1:kill "${fetchfs[@]}" prepare "$WORK/moving" "${uris[1]}" 2>/dev/null; then
	say "(no fault points in this build)"
	mv "$WORK/moving" "$WORK/in-hand"
else
	fetchfs release "$WORK/moving"
	fetchfs prepare "$WORK/moving" "${uris[0]}"
	FETCHFS_FAULT=place.committed:1:60000ms "${fetchfs[@]}" prepare "$WORK/moving" "${uris[1]}" &
	children+=($!)
	wait_for 20 test -e "$WORK/moving/two" || fail "it does not begin"
	mv "$WORK/moving" "$WORK/in-hand"
	fetchfs gc >"$WORK/text" || fail "gc fails"
	[ ! -s "$WORK/text" ] || fail "gc: $(<"$WORK/text")"
	leases_are 2
	kill -KILL "${children[-1]}"
	wait "${children[-1]}" || :
fi
fetchfs gc >"$WORK/text"
grep -q 'moving: is gone: released 2 files' "$WORK/text" || fail "gc: $(<"$WORK/text")"
leases_are 0

say "a directory whose parent is gone is released by its name"
mkdir -p "$WORK/up/down"
fetchfs prepare "$WORK/up/down" "${uris[0]}"
rm -r "$WORK/up"
fetchfs release "$WORK/up/down"
leases_are 0

say "a symlink needs a mount; so does nothing else"
expect_failure 1 'which\? Say --mount' "${fetchfs[@]}" prepare --method symlink "$box" "${uris[0]}"
expect_failure '[12]' 'no mount of fetchfs' "${fetchfs[@]}" prepare --mount "$WWW" "$box" "${uris[0]}"
expect_failure 1 'mode: a symlink has' "${fetchfs[@]}" prepare --method symlink --spec <(
	jq -n --arg uri "${uris[0]}" '[{value: $uri, mode: "0600"}]'
) "$box"
need_fuse
start_mount
"$FETCHFS" --config "$CONFIG" prepare --mount "$MNT" --method symlink --json "$box" "${uris[@]}" |
	jq -e 'all(.method == "symlink")' >/dev/null || fail "by another method"
[ "$(readlink "$box/one")" = "$MNT/${HTTP/:\/\///}/one" ] || fail "it leads to $(readlink "$box/one")"
same one
contents_are "./one ./two "
expect_failure 1 'evict.*one' "${fetchfs[@]}" evict "${uris[0]}"
FETCHFS_MOUNT=$MNT "$FETCHFS" --config "$CONFIG" -v prepare "$box" "${uris[@]}" 2>&1 |
	grep -q 'one: symlink, was there' || fail "it was not found"
"$FETCHFS" --config "$CONFIG" sandboxes --mount "$MNT" | grep -q 'symlink   one' || fail "not of the mount"
[ -z "$("$FETCHFS" --config "$CONFIG" gc --mount "$MNT")" ] || fail "gc of the mount"
"$FETCHFS" --config "$CONFIG" release --mount "$MNT" "$box"
contents_are ""
leases_are 0
stop_mount
