#!/bin/bash
# Binds: what is mounted, that it is found again, and that it is taken down, whatever has become of
# the directory.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_program python3 jq setpriv

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
printf '#!/bin/sh\necho it runs\n' >"$WWW/run"
artifacts one two three run
bind=("${fetchfs[@]}" prepare --method bind --user nobody)

# The ids of the mounts below the box.
ids() {
	awk -v folder="$box/" 'index($5, folder) == 1 { print $1 }' /proc/self/mountinfo | tr '\n' ' '
}

say "files are mounted read-only, without setuid and devices, and nothing is copied"
make_box plain
"${bind[@]}" --json "$box" "${uris[@]:0:2}" | jq -e 'all(.method == "bind")' >/dev/null ||
	fail "not by bind"
same one
same two
grep -F " $box/one " /proc/self/mountinfo | grep -q ' ro,nosuid,nodev' || fail "$(</proc/self/mountinfo)"
as_task cmp "$box/one" "$WWW/one" || fail "the task cannot read it"
leases_are 2

say "again: nothing changes"
before=$(ids)
"${bind[@]}" "$box" "${uris[@]:0:2}"
[ "$(ids)" = "$before" ] || fail "mounted anew"
leases_are 2

say "rm -rf before release leaves the bytes alone"
! rm -rf "$box" 2>/dev/null || fail "it went"
same one
cached_is "${uris[0]}" one

say "a mount that was lost is no empty file to the task, and is made again"
umount "$box/one"
! as_task cat "$box/one" 2>/dev/null || fail "it reads nothing, and takes it for the artifact"
"${bind[@]}" "$box" "${uris[@]:0:2}"
same one
leases_are 2

say "after a reboot, too"
umount "$box/one" "$box/two"
in_index "UPDATE lease SET boot = 'an earlier one', device = device + 1"
"${bind[@]}" "$box" "${uris[@]:0:2}"
same one
same two
leases_are 2

say "release takes the mounts down, then the files, then the leases"
fetchfs release "$box"
contents_are ""
no_mounts
leases_are 0

say "after a reboot there are no mounts to be taken down"
"${bind[@]}" "$box" "${uris[0]}"
umount "$box/one"
in_index "UPDATE lease SET boot = 'an earlier one', device = device + 1"
fetchfs release "$box"
contents_are ""
leases_are 0

say "gc takes back what was mounted before a reboot: it keeps no bytes, and is in nobody's way"
jq -n --arg http "$HTTP" '[{value: ($http + "/one"), output_file: "a/b/one"},
	{value: ($http + "/two"), output_file: "a/two"}]' >"$WORK/spec"
"${bind[@]}" --spec "$WORK/spec" "$box"
"${fetchfs[@]}" prepare --method copy --user nobody "$box" "${uris[2]}"
[ -z "$(fetchfs gc)" ] || fail "of this boot"
umount "$box/a/b/one" "$box/a/two"
in_index "UPDATE lease SET boot = 'an earlier one', device = device + 1"
"${bind[@]}" --spec <(jq '.[1:]' "$WORK/spec") "$box" # already again
fetchfs gc --json >"$WORK/json"
jq -e --arg box "$box" '.sandboxes == [{directory: $box, gone: false, released: true, files: 1, mounts: 0,
	moved_to: null, error: null}]' "$WORK/json" >/dev/null || fail "gc: $(<"$WORK/json")"
contents_are "./a ./a/two ./three "
same a/two two
same three
leases_are 2
fetchfs evict "${uris[0]}" || fail "a mount that ended with the machine keeps its bytes"
expect_failure 1 'three: .*leased' "${fetchfs[@]}" evict "${uris[2]}"
[ -z "$(fetchfs gc)" ] || fail "again"
"${bind[@]}" --spec "$WORK/spec" "$box"
same a/b/one one
umount "$box/a/b/one" "$box/a/two"
in_index "UPDATE lease SET boot = 'an earlier one'"
[[ "$(fetchfs gc)" == "$box: mounted before the last boot: released 2 files" ]] || fail "gc said another thing"
contents_are "./three "
fetchfs release "$box"
contents_are ""
leases_are 0

say "what the task wrote into the empty file under a mount that ended is the task's: it stays, and is named"
for command in gc "release $box"; do
	"${bind[@]}" "$box" "${uris[@]:0:2}"
	umount "$box/one" "$box/two"
	in_index "UPDATE lease SET boot = 'an earlier one'"
	# shellcheck disable=SC2016 # the task's shell expands it
	as_task sh -c 'chmod 600 "$1" && echo results >"$1"' - "$box/one" || fail "the file is not the task's"
	# shellcheck disable=SC2086 # a command and its argument
	fetchfs $command 2>"$WORK/err" >/dev/null || fail "$command: $(<"$WORK/err")"
	grep -q 'one was replaced, or filled by others: left alone$' "$WORK/err" ||
		fail "$command did not name it: $(<"$WORK/err")"
	contents_are "./one "
	[ "$(<"$box/one")" = results ] || fail "$command: it holds other bytes"
	leases_are 0
	rm "$box/one"
done

say "what was fetched before it for a container, and its directory, are gone"
make_box container
"${fetchfs[@]}" prepare --method copy --user nobody "$box" "${uris[0]}"
in_index "UPDATE lease SET method = 'pending', boot = 'an earlier one'"
rm -r "$box"
fetchfs gc || fail "gc"
leases_are 0
fetchfs evict "${uris[0]}" || fail "its bytes are kept"
make_box here

say "executables"
jq -n --arg uri "$HTTP/run" '[{value: $uri, executable: true}]' | "${bind[@]}" --spec - "$box"
[ "$(as_task "$box/run")" = "it runs" ] || fail "it does not"
fetchfs release "$box"

say "in folders, which go with release"
jq -n --arg http "$HTTP" '[{value: ($http + "/one"), output_file: "a/b/one"},
	{value: ($http + "/one"), output_file: "a/also"}]' >"$WORK/spec"
"${bind[@]}" --spec "$WORK/spec" "$box"
same a/b/one one
same a/also one
fetchfs release "$box"
contents_are ""

say "a folder that was moved away with what is mounted in it"
"${bind[@]}" --spec "$WORK/spec" "$box"
mv "$box/a/b" "$box/elsewhere"
same elsewhere/one one
fetchfs release "$box"
no_mounts
leases_are 0
rm -rf "${box:?}"/*

say "a file under the name of a bind is not removed"
"${bind[@]}" "$box" "${uris[0]}"
umount "$box/one"
mv "$box/one" "$WORK/kept"
echo mine >"$box/one"
fetchfs release "$box" 2>"$WORK/stderr"
grep -q 'one was replaced' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
[ "$(<"$box/one")" = mine ] || fail "removed"
leases_are 0
rm "$box/one"

say "one that fails takes the mounts of the others down"
expect_failure 1 'status/404' "${bind[@]}" "$box" "${uris[0]}" "$HTTP/status/404"
if FETCHFS_FAULT=place.mount:2:EIO "${bind[@]}" "$box" "${uris[@]:0:3}" 2>"$WORK/stderr"; then
	say "(no fault points in this build)"
	fetchfs release "$box"
fi
contents_are ""
no_mounts
leases_are 0

say "as many mounts as there may be: by the next method"
if ! FETCHFS_FAULT=place.mount:1:ENOSPC "${bind[@]}" "$box" "${uris[0]}" 2>"$WORK/stderr"; then
	grep -q 'Too many links' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
	contents_are ""
	FETCHFS_FAULT=place.mount:1:ENOSPC "${fetchfs[@]}" prepare --user nobody --json "$box" "${uris[0]}" |
		jq -e '.[0].method == "copy"' >/dev/null || fail "not by copy"
	leases_are 1
fi
fetchfs release "$box"
contents_are ""

say "a directory that was moved is released under its new name"
make_box before
"${bind[@]}" "$box" "${uris[@]:0:2}"
mv "$box" "$WORK/after"
box=$WORK/after
[[ "$(fetchfs gc)" == *"is at $box now"* ]] || fail "gc: $(fetchfs gc)"
same one
fetchfs release "$box"
contents_are ""
no_mounts
leases_are 0

say "a directory that is gone, but for a folder that was moved out of it: gc"
make_box 'gone, \ and with a blank'
"${bind[@]}" --spec "$WORK/spec" "$box"
umount "$box/a/also"
mv "$box/a/b" "$WORK/out of it"
rm -r "$box"
cmp "$WORK/out of it/one" "$WWW/one" || fail "not even mounted"
fetchfs gc --json >"$WORK/json"
jq -e --arg box "$box" '.sandboxes == [{directory: $box, gone: true, released: true, files: 2, mounts: 1,
	moved_to: null, error: null}]' "$WORK/json" >/dev/null || fail "gc: $(<"$WORK/json")"
no_mounts
leases_are 0

say "another directory of the same name has nothing to do with it"
make_box replaced
"${bind[@]}" --spec "$WORK/spec" "$box"
mv "$box" "$WORK/first"
make_box replaced
"${bind[@]}" "$box" "${uris[1]}"
fetchfs release "$WORK/first"
same two
leases_are 1
fetchfs release "$box"
no_mounts

say "mounted in another mount namespace: it is said, and the lease stays"
make_box other
mkfifo "$WORK/hold"
# shellcheck disable=SC2016 # for the other shell
unshare -m --propagation private bash -c '"$@" && read -r _ <"$0"' "$WORK/hold" \
	"${bind[@]}" "$box" "${uris[0]}" &
holder=$!
children+=("$holder")
wait_for 20 test -e "$box/one" || fail "nothing is prepared there"
wait_for 20 grep -qF " $box/one " "/proc/$holder/mountinfo" || fail "nothing is mounted there"
expect_failure 1 'another mount namespace, that of process [0-9]+' "${fetchfs[@]}" release "$box"
leases_are 1
[ -e "$box/one" ] || fail "removed all the same"
echo >"$WORK/hold"
wait "$holder" || fail "the other namespace: $?"
fetchfs release "$box"
contents_are ""
leases_are 0

say "without CAP_SYS_ADMIN: said if it was asked for, and another method if not"
mkdir -m 755 "$WORK/own"
chown $TASK "$WORK/own"
make_box poor
as_poor() {
	as_task env HOME="$WORK/own" "$FETCHFS" --cache "$WORK/own/cache" --config "$CONFIG" "$@"
}
status=0
as_poor prepare --method bind "$box" "${uris[0]}" 2>"$WORK/stderr" || status=$?
[ $status -eq 1 ] || fail "status $status"
grep -q 'CAP_SYS_ADMIN' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
contents_are ""
as_poor prepare --json "$box" "${uris[0]}" | jq -e '.[0].method == "copy"' >/dev/null || fail "by what?"
as_poor release "$box"
contents_are ""

say "root may undo mounts, so it gets none, unless it is confined"
make_box root 0
fetchfs prepare --user 0 --json "$box" "${uris[0]}" | jq -e '.[0].method == "copy"' >/dev/null ||
	fail "a bind for root"
fetchfs release "$box"
fetchfs prepare --user 0 --confined --json "$box" "${uris[0]}" |
	jq -e '.[0].method == "bind"' >/dev/null || fail "no bind for a confined root"
fetchfs release "$box"
no_mounts
no_debris
