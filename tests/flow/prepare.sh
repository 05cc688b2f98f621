#!/bin/bash
# prepare and release: all or nothing, again and again, and never over what is not ours.
. "$(dirname "$0")/../support/lib.sh"
need_program jq

chmod 755 "$WORK" # so that a file of $WWW is public
for name in one two three; do random_file 50K "$WWW/$name" "$name"; done
own=file://$WWW
box=$WORK/box

# contents: the names in the sandbox, in a line
contents() {
	(cd "$box" && find . -mindepth 1 | sort | tr '\n' ' ')
}

# same NAME FILE: what is placed as NAME has the bytes of FILE
same() {
	cmp "$box/$1" "$WWW/$2" || fail "$1: other bytes"
}

fresh() {
	rm -rf "$box"
	mkdir "$box"
}

leases_are() {
	local status=0
	fetchfs evict "$own/one" 2>/dev/null || status=1
	[ $status -eq "$1" ] || fail "leases: evict ends with $status"
}

say "files are in place, as told by --json, in the order of the request"
fresh
fetchfs prepare --json "$box" "$own/two" "$own/one" >"$WORK/json"
[ "$(contents)" = "./one ./two " ] || fail "there is $(contents)"
same one one
same two two
jq -e --arg box "$box" --arg sha "$(sha256 "$WWW/two")" 'length == 2 and
	.[0].path == $box + "/two" and .[0].sha256 == $sha and .[0].size == 51200 and
	.[0].method == "copy" and .[1].path == $box + "/one"' "$WORK/json" >/dev/null ||
	fail "$(<"$WORK/json")"
[ "$(stat -c %a "$box/one")" = 644 ] || fail "mode $(stat -c %a "$box/one")"
leases_are 1

say "an absolute path is a file, in arguments, in a specification, and wherever else a URI is said"
fresh
odd=$'o dd#?%41\xff'
cp "$WWW/one" "$WWW/$odd"
jq -n --arg path "$WWW/two" '[{value: $path}]' | fetchfs prepare --spec - "$box" "$WWW/$odd"
same "$odd" one
same two two
fetchfs release "$box"
(cd "$WWW" && sha256sum one >SUMS)
fetchfs cat "$WWW/one" | cmp - "$WWW/one" || fail "cat: other bytes"
fetchfs fetch --digests "$WWW/SUMS" "$WWW/one"
expect_failure 1 'digests: .*absolute path' "${fetchfs[@]}" fetch --digests ./SUMS "$WWW/one"
expect_failure 1 'value: .*absolute path' "${fetchfs[@]}" prepare "$box" one
fetchfs prepare --json "$box" "$own/two" "$own/one" >"$WORK/json"

say "doing it again changes nothing"
before=$(stat -c '%i %y' "$box/one" "$box/two")
fetchfs prepare "$box" "$own/two" "$own/one"
[ "$(stat -c '%i %y' "$box/one" "$box/two")" = "$before" ] || fail "files were replaced"

say "what was deleted is placed again"
rm "$box/one"
fetchfs prepare "$box" "$own/two" "$own/one"
same one one

say "release takes it back, and leaves what is not ours"
echo mine >"$box/mine"
mv "$box/two" "$WORK/kept"
echo other >"$box/two"
fetchfs release "$box" 2>"$WORK/stderr"
grep -q 'two was replaced' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
[ "$(contents)" = "./mine ./two " ] || fail "there is $(contents)"
leases_are 0

say "a second release, and one of a folder that never was one, have nothing to do, and say by which cache"
for folder in "$box" "$WORK/never"; do
	fetchfs release "$folder" 2>&1 | grep -qF "nothing was prepared in $folder by the cache $CACHE " ||
		fail "no word of it"
	[ -z "$(fetchfs -q release "$folder" 2>&1)" ] || fail "a word with -q"
done

say "a foreign file in the way is kept, and nothing is placed beside it"
expect_failure 1 "two exists" "${fetchfs[@]}" prepare "$box" "$own/one" "$own/two"
[ "$(<"$box/two")" = other ] || fail "overwritten"
[ "$(contents)" = "./mine ./two " ] || fail "there is $(contents)"

say "one fails: each failing URI has its line, nothing stays, not even folders"
fresh
jq -n --arg own "$own" '[{value: ($own + "/one"), output_file: "a/b/one"},
	{value: ($own + "/none1")}, {value: ($own + "/none2")}]' >"$WORK/spec"
status=0
fetchfs prepare --spec "$WORK/spec" "$box" 2>"$WORK/stderr" || status=$?
[ $status -eq 1 ] || fail "status $status"
[ "$(grep -Ec "^fetchfs: prepare $own/none[12]: " "$WORK/stderr")" -eq 2 ] ||
	fail "said: $(<"$WORK/stderr")"
[ -z "$(contents)" ] || fail "there is $(contents)"

say "a file that cannot be placed takes the others with it"
jq -n --arg own "$own" '[{value: ($own + "/one"), output_file: "a/b/one"},
	{value: ($own + "/two"), output_file: "a/two"}, {value: ($own + "/three")}]' >"$WORK/spec"
if FETCHFS_FAULT=place.link:3:EDQUOT "${fetchfs[@]}" prepare --spec "$WORK/spec" "$box" \
	2>"$WORK/stderr"; then
	say "(no fault points in this build)"
	fetchfs release "$box"
else
	grep -q 'prepare .*three: .*uota' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
	[ -z "$(contents)" ] || fail "there is $(contents)"
	leases_are 0
fi

say "folders that were made go with release, others stay"
mkdir "$box/a"
fetchfs prepare --spec "$WORK/spec" "$box"
same a/b/one one
same three three
fetchfs release "$box"
[ "$(contents)" = "./a " ] || fail "there is $(contents)"

say "an artifact that changed is not swapped under the task"
fresh
cp "$WWW/one" "$WWW/changing"
fetchfs prepare "$box" "$own/changing"
random_file 60K "$WWW/changing" another
fetchfs fetch --refresh "$own/changing"
expect_failure 1 'release first' "${fetchfs[@]}" prepare "$box" "$own/changing"
same changing one
fetchfs release "$box"

say "modes, executables, and the methods"
fresh
jq -n --arg own "$own" '{uris: [{value: ($own + "/one"), executable: true},
	{value: ($own + "/two"), mode: "0600"}, {value: ($own + "/three"), method: "hardlink"}]}' |
	fetchfs prepare --spec - "$box"
[ "$(stat -c %a "$box/one" "$box/two" "$box/three" | tr '\n' ' ')" = "755 600 444 " ] ||
	fail "modes: $(ls -l "$box")"
[ "$(stat -c %h "$box/three")" -gt 1 ] || fail "three is no hardlink"
[ "$(stat -c %h "$box/one")" -eq 1 ] || fail "one is no copy"
fetchfs release "$box"
fetchfs prepare --method hardlink --json "$box" "$own/one" | jq -e '.[0].method == "hardlink"' \
	>/dev/null || fail "method in --json"
fetchfs release "$box"
[ -z "$(contents)" ] || fail "there is $(contents)"
fetchfs cat "$own/one" | cmp - "$WWW/one" || fail "the cache lost its own"

say "the directory is gone: its leases are dropped all the same"
fresh
fetchfs prepare "$box" "$own/one"
leases_are 1
rm -rf "$box"
fetchfs release "$box"
leases_are 0

say "what cannot be a sandbox is refused"
ln -s "$WORK" "$WORK/link"
expect_failure 1 'link' "${fetchfs[@]}" prepare "$WORK/link" "$own/one"
expect_failure 1 'nowhere' "${fetchfs[@]}" prepare "$WORK/nowhere" "$own/one"
expect_failure 1 'item 1: output_file' "${fetchfs[@]}" prepare --spec <(
	jq -n --arg own "$own" '[{value: ($own + "/one"), output_file: "../out"}]'
) "$WORK"
expect_failure 1 'two items are named one' "${fetchfs[@]}" prepare "$WORK" "$own/one" "$own/one"

[ "$(id -u)" -eq 0 ] || exit 0

say "for a user: files of its own, made with its rights"
echo "[cache]
hardlink = yes
[policy]
file = $WWW" >"$CONFIG"
fresh
expect_failure 1 'Permission denied' "${fetchfs[@]}" prepare --user nobody "$box" "$own/one"
chown nobody "$box"
fetchfs prepare --method copy --user nobody "$box" "$own/one"
[ "$(stat -c %U "$box/one")" = nobody ] || fail "it belongs to $(stat -c %U "$box/one")"
fetchfs release "$box"
[ -z "$(contents)" ] || fail "there is $(contents)"
chown daemon "$box"
expect_failure 1 'belongs to' "${fetchfs[@]}" prepare --user nobody "$box" "$own/one"
expect_failure 1 'no user' "${fetchfs[@]}" prepare --user no-such-user "$box" "$own/one"
