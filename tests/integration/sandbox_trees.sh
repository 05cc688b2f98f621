#!/bin/bash
# shellcheck disable=SC2016 # scripts for other shells
# What is in an archive, into a sandbox: by each method, into the directory itself or a folder of it;
# all or nothing, again and again, and taken back without what the task made.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
. "$(dirname "$0")/../support/archives.sh"
need_root
need_fuse
need_program jq python3 setpriv

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
make_source "$WORK/source"
tar -czf "$WWW/app.tgz" -C "$WORK/source" .
tar -cf "$WWW/docs.tar" -C "$WORK/source" docs
random_file 100K "$WWW/plain" plain
gzip -nc "$WWW/plain" >"$WWW/tool.gz"
artifacts plain
app=$HTTP/app.tgz
prepare=("${fetchfs[@]}" prepare --user nobody)
start_mount

# spec [FIELDS]: one item, the archive, into a folder
spec() {
	jq -n --arg app "$app" "[{value: \$app, extract: true} + ${1-{\}}]" >"$WORK/spec"
	echo "$WORK/spec"
}

for method in copy hardlink bind symlink; do
	say "$method: into the directory itself"
	make_box "$method"
	options=(--method "$method" --mount "$MNT" --extract)
	"${prepare[@]}" --json "${options[@]}" "$box" "$app" >"$WORK/json"
	jq -e --arg box "$box" --arg method $method '.[0].extracted and .[0].path == $box and
		.[0].method == $method' "$WORK/json" >/dev/null || fail "$(<"$WORK/json")"
	[ $method = symlink ] || unpacked_is "$box"
	diff -r "$WORK/source/app/lib" "$box/app/lib" || fail "other bytes"
	as_task cat "$box/app/lib/deep/big" | cmp - "$WORK/source/app/lib/deep/big" || fail "the task's"
	[ ! -e "$box/app.tgz" ] || fail "the archive is there, too"
	leases_are 4
	fetchfs sandboxes --json | jq -se --arg method $method \
		'all(.method == $method and .extracted)' >/dev/null || fail "$(fetchfs sandboxes --json)"

	say "$method: again, nothing changes"
	before=$(stat -c '%n %i %d' "$box"/*)
	"${prepare[@]}" "${options[@]}" "$box" "$app"
	[ "$(stat -c '%n %i %d' "$box"/*)" = "$before" ] || fail "made anew"
	leases_are 4

	say "$method: leased, so that it cannot be evicted"
	expect_failure 1 'leased|open|linked' "${fetchfs[@]}" evict "$app"
	fetchfs release "$box"
	contents_are ""
	no_mounts "$box"
	leases_are 0

	say "$method: into a folder, which is one thing"
	spec '{output_file: "a/b"}' >/dev/null
	"${prepare[@]}" "${options[@]:0:4}" --spec "$WORK/spec" "$box"
	diff -r --no-dereference "$WORK/source" "$box/a/b/" || fail "other files"
	leases_are 1
	fetchfs release "$box"
	contents_are ""
	leases_are 0
done

say "what is unpacked is unpacked once"
[ "$(stat -c %h "$(tree_of app.tgz)/README")" -eq 1 ] || fail "there are links still"
settle_nginx
requests_are GET /app.tgz 1 || fail "fetched again"

say "a copy is the task's, with modes and owners of its own"
make_box own
"${prepare[@]}" --extract --method copy "$box" "$app"
[ "$(stat -c %a:%u "$box/app" "$box/app/run" "$box/README" | tr '\n' ' ')" = \
	"755:$TASK 755:$TASK 644:$TASK " ] || fail "$(ls -lR "$box")"
as_task sh -c 'echo mine >>"$1/README" && echo mine >"$1/app/lib/mine" && rm "$1/app/run" &&
	mkdir "$1/docs/mine" && rm -r "$1/app/empty" && ln -s / "$1/app/empty"' - "$box"

say "release takes back what was in the archive; what the task made stays, and is told of"
fetchfs release "$box" 2>"$WORK/stderr"
grep -q 'app was .*left alone' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
grep -q 'docs was .*left alone' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
contents_are "./app ./app/empty ./app/lib ./app/lib/mine ./docs ./docs/mine "
[ -d /etc ] || fail "it followed a link"
leases_are 0

say "what the task put in the place of a folder stays, and what is there then is not followed"
make_box swapped
"${prepare[@]}" --extract --method copy "$box" "$app"
as_task sh -c 'mv "$1/app" "$1/away" && ln -s away "$1/app" && rm -r "$1/away/lib" &&
	ln -s ../docs "$1/away/lib"' - "$box"
mkdir "$WORK/kept" && mv "$box/docs" "$WORK/kept/"
fetchfs release "$box" 2>"$WORK/stderr"
grep -q 'app was replaced' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
[ -e "$box/away/run" ] || fail "it was removed elsewhere"
[ "$(find "$WORK/kept/docs" -type f | wc -l)" -eq 2 ] || fail "removed from elsewhere"
leases_are 0

say "a file compressed by itself: one file, without its suffix, or of the name that is asked for"
for method in copy hardlink bind; do
	make_box "single-$method"
	"${prepare[@]}" --extract --method $method --json "$box" "$HTTP/tool.gz" >"$WORK/json"
	jq -e --arg box "$box" '.[0].extracted and .[0].path == $box + "/tool"' "$WORK/json" \
		>/dev/null || fail "$(<"$WORK/json")"
	same tool plain
	fetchfs release "$box"
	jq -n --arg uri "$HTTP/tool.gz" '[{value: $uri, extract: true, output_file: "bin/it.gz"}]' |
		"${prepare[@]}" --method $method --spec - "$box"
	same bin/it.gz plain
	fetchfs release "$box"
	contents_are ""
done

say "what is no archive is placed as it is, and says so"
make_box plain
"${fetchfs[@]}" -v prepare --user nobody --extract --json "$box" "$HTTP/plain" \
	>"$WORK/json" 2>"$WORK/stderr"
jq -e '.[0].extracted == false' "$WORK/json" >/dev/null || fail "$(<"$WORK/json")"
grep -q 'plain: .*no archive' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
same plain
fetchfs release "$box"

say "what is to be executed is never unpacked"
spec '{executable: true}' >/dev/null
"${prepare[@]}" --spec "$WORK/spec" "$box"
same app.tgz
say "and the archive that is there is no unpacked one"
spec '{output_file: "app.tgz"}' >/dev/null
expect_failure 1 'release first' "${prepare[@]}" --spec "$WORK/spec" "$box"
fetchfs release "$box"
contents_are ""

say "auto: by bind for a user, by copy for root; by hardlink where that is allowed"
for as in "nobody bind" "root copy"; do
	make_box "auto-${as% *}" "${as% *}"
	fetchfs prepare --user "${as% *}" --extract --json "$box" "$app" >"$WORK/json"
	jq -e --arg method "${as#* }" '.[0].method == $method' "$WORK/json" >/dev/null ||
		fail "$as: $(<"$WORK/json")"
	fetchfs release "$box"
done
make_box auto
sed 's/^\[policy\]/[cache]\nhardlink = yes\n&/' "$CONFIG" >"$WORK/hardlink.conf"
"$FETCHFS" --cache "$CACHE" --config "$WORK/hardlink.conf" prepare --user nobody --extract --json \
	"$box" "$app" >"$WORK/json"
jq -e '.[0].method == "hardlink"' "$WORK/json" >/dev/null || fail "$(<"$WORK/json")"
[ "$box/app/run" -ef "$(tree_of app.tgz)/app/run" ] || fail "no hardlink"
fetchfs release "$box"
contents_are ""

say "two archives with the same at their top: an error before anything is placed"
expect_failure 1 'docs is also .*app.tgz: say output_file' "${prepare[@]}" --extract "$box" "$app" \
	"$HTTP/docs.tar"
contents_are ""
jq -n --arg http "$HTTP" '[{value: ($http + "/app.tgz"), extract: true},
	{value: ($http + "/plain"), output_file: "app/lib/text"}]' >"$WORK/spec"
expect_failure 1 'app is also a folder for .*: say output_file' "${prepare[@]}" --spec "$WORK/spec" "$box"
contents_are ""
leases_are 0
say "with --keep-going what came first is in place, and no file is put into its folder"
! "${prepare[@]}" --keep-going --spec "$WORK/spec" "$box" 2>/dev/null || fail "no error"
diff "$box/app/lib/text" "$WORK/source/app/lib/text" || fail "something else is there"
fetchfs release "$box"
contents_are ""

say "in the way of one thing: nothing is placed"
as_task touch "$box/docs"
expect_failure 1 'docs exists and was not placed' "${prepare[@]}" --extract "$box" "$app"
contents_are "./docs "
rm "$box/docs"

say "more at the top than there should be mounts: by the next method, or said"
mkdir "$WORK/many"
for ((i = 0; i < 70; i++)); do echo $i >"$WORK/many/$i"; done
tar -cf "$WWW/many.tar" -C "$WORK/many" .
expect_failure 1 '70 things .*output_file' "${prepare[@]}" --extract --method bind "$box" "$HTTP/many.tar"
"${prepare[@]}" --extract --json "$box" "$HTTP/many.tar" | jq -e '.[0].method == "copy"' >/dev/null ||
	fail "by what?"
diff -r "$WORK/many" "$box" || fail "other files"
fetchfs release "$box"
jq -n --arg uri "$HTTP/many.tar" '[{value: $uri, extract: true, output_file: "many"}]' |
	"${prepare[@]}" --spec - --method bind "$box"
diff -r "$WORK/many" "$box/many" || fail "other files"
[ "$(mounts_below "$box" | wc -l)" -eq 1 ] || fail "not one mount"
fetchfs release "$box"
contents_are ""

say "the disk is full in the middle: nothing is left, nor leased"
if FETCHFS_FAULT=put.copy:3:ENOSPC "${prepare[@]}" --extract --method copy "$box" "$app" 2>"$WORK/stderr"; then
	say "(no fault points in this build)"
	fetchfs release "$box"
else
	grep -q 'app.tgz: copy: .*No space left' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
fi
contents_are ""
leases_are 0

say "a user by itself, with a cache of its own"
mkdir -m 755 "$WORK/poor"
chown $TASK "$WORK/poor"
as_poor() {
	as_task env HOME="$WORK/poor" "$FETCHFS" --cache "$WORK/poor/cache" --config "$CONFIG" "$@"
}
for method in auto hardlink; do
	as_poor prepare --extract --method $method "$box" "$app" "$HTTP/tool.gz"
	diff -r --no-dereference "$WORK/source/app" "$box/app" || fail "other files"
	as_task touch "$box/app/mine"
	as_poor release "$box" 2>/dev/null
	contents_are "./app ./app/mine "
	rm -r "$box/app"
done

say "an empty archive is nothing"
mkdir "$WORK/none"
tar -cf "$WWW/none.tar" -C "$WORK/none" .
"${prepare[@]}" --extract --json "$box" "$HTTP/none.tar" | jq -e '.[0].extracted' >/dev/null || fail "what?"
contents_are ""

say "after a reboot: mounts are made again, copies are what they were"
make_box reboot
spec '{output_file: "bound", method: "bind"}' >/dev/null
"${prepare[@]}" --spec "$WORK/spec" "$box"
"${prepare[@]}" --extract --method copy "$box" "$HTTP/docs.tar"
umount "$box/bound"
! as_task ls "$box/bound" >/dev/null 2>&1 || fail "what is not mounted can be read"
stop_mount
in_index "UPDATE lease SET boot = 'an earlier one'; " && in_index "UPDATE object SET tree_boot = 'an earlier one'"
before=$(stat -c %i "$box/docs")
"${prepare[@]}" --spec "$WORK/spec" "$box"
"${prepare[@]}" --extract --method copy "$box" "$HTTP/docs.tar"
unpacked_is "$box/bound"
[ "$(stat -c %i "$box/docs")" = "$before" ] || fail "made anew"
leases_are 2
in_index "UPDATE object SET tree_boot = 'an earlier one'"
fetchfs release "$box"
contents_are ""
no_mounts
leases_are 0

say "after an archive changed nothing is mixed up"
make_box changing
cp "$WWW/docs.tar" "$WWW/changing.tar"
"${prepare[@]}" --extract "$box" "$HTTP/changing.tar"
echo more >"$WORK/source/docs/more"
tar -cf "$WWW/changing.tar" -C "$WORK/source" docs
touch -d 2001-01-01 "$WWW/changing.tar" # another version, whatever the second
fetchfs fetch --refresh "$HTTP/changing.tar"
expect_failure 1 'release first' "${prepare[@]}" --extract "$box" "$HTTP/changing.tar"
[ ! -e "$box/docs/more" ] || fail "it is there"
fetchfs release "$box"
contents_are ""

say "when the leases are gone it can be evicted, with its tree"
fetchfs evict "$app"
[ ! -e "$(tree_of app.tgz)" ] || fail "the tree is still there"
left=("$CACHE"/trees/.*.*)
for file in "${left[@]}"; do
	[[ $file != *"$(sha256 "$WWW/app.tgz")" ]] || fail "left: $file"
done
no_debris
