#!/bin/bash
# prepare --lazy: a task starts before its bytes are there, and has them when it reads them; the
# sandbox keeps what it was given, whatever becomes of the URI and of the daemon.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_fuse
need_program python3 jq setpriv

start_origin
echo "[policy]
allow = $ORIGIN/
[fetch]
ttl = 1h" >"$CONFIG"
for name in big one two three tool; do
	random_file 4M "$ORIGINROOT/$name" "$name"
done
start_mount
lazily=("${fetchfs[@]}" prepare --mount "$MNT" --method bind --user nobody --lazy)
slow=$ORIGIN/rate/1000000/big

same_as() {
	as_task cmp "$box/$1" "$ORIGINROOT/$2" || fail "$1: other bytes"
}

# The digest that the sandbox is known to have under NAME, or null.
known() {
	fetchfs sandboxes --json | jq -r "select(.name == \"$1\") | .sha256"
}

say "nothing but its size is known, and it is in place"
make_box plain
"${lazily[@]}" --json "$box" "$slow" >"$WORK/json"
jq -e '.[0] | .method == "bind" and .lazy and .size == 4194304 and .sha256 == null' "$WORK/json" >/dev/null ||
	fail "said: $(<"$WORK/json")"
quiet_origin
[ "$(origin_requests GET '.*')" -eq 0 ] || fail "it was fetched"
[ "$(as_task stat -c %s "$box/big")" -eq 4194304 ] || fail "its size: $(stat -c %s "$box/big")"
[ "$(known big)" = null ] || fail "known: $(known big)"
grep -F " $box/big " /proc/self/mountinfo | grep -q ' ro,nosuid,nodev' || fail "$(</proc/self/mountinfo)"

say "again: nothing changes"
before=$(</proc/self/mountinfo)
"${lazily[@]}" "$box" "$slow"
[ "$(</proc/self/mountinfo)" = "$before" ] || fail "mounted anew"
leases_are 1

say "the first bytes are read long before the last ones are there"
as_task head -c 4096 "$box/big" | cmp - <(head -c 4096 "$ORIGINROOT/big") || fail "other bytes"
fetchfs stat --json "$slow" | jq -e '.state != "complete"' >/dev/null || fail "all of it was waited for"

say "when it is whole the sandbox is known to have it, and keeps it"
same_as big big
settle_mount
[ "$(known big)" = "$(sha256 "$ORIGINROOT/big")" ] || fail "known: $(known big)"
quiet_origin
before=$(origin_requests GET '.*')
expect_failure 1 'leased|sandbox' "${fetchfs[@]}" evict "$slow"
fetchfs evict --all >/dev/null 2>&1 || :
same_as big big
quiet_origin
[ "$(origin_requests GET '.*')" -eq "$before" ] || fail "fetched again"
"${lazily[@]}" "$box" "$slow"
"${fetchfs[@]}" prepare --mount "$MNT" --method bind --user nobody "$box" "$slow"
leases_are 1

say "refreshed by another: an old sandbox reads its own bytes, a new one the new ones"
random_file 4M "$WORK/other" other
cp "$ORIGINROOT/big" "$WORK/old"
mv "$WORK/other" "$ORIGINROOT/big"
fetchfs fetch --refresh "$slow"
as_task cmp "$box/big" "$WORK/old" || fail "other bytes"
old=$box
make_box new
"${lazily[@]}" --json "$box" "$slow" | jq -e '.[0].lazy | not' >/dev/null ||
	fail "what is here is lazy"
same_as big big
fetchfs release "$box"
box=$old
as_task cmp "$box/big" "$WORK/old" || fail "other bytes, the second time"

say "so when nobody had opened it: what came first is what it has, and another sandbox has what came later"
for version in first second; do
	random_file 300K "$WORK/$version" $version
done
cp "$WORK/first" "$ORIGINROOT/unread"
"${lazily[@]}" "$box" "$ORIGIN/unread"
fetchfs fetch "$ORIGIN/unread"
cp "$WORK/second" "$ORIGINROOT/unread"
fetchfs fetch --refresh "$ORIGIN/unread"
make_box later
fetchfs evict "$ORIGIN/unread"
"${lazily[@]}" --json "$box" "$ORIGIN/unread" | jq -e '.[0].lazy' >/dev/null || fail "not lazy"
as_task cmp "$box/unread" "$WORK/second" || fail "the later one: other bytes"
as_task cmp "$old/unread" "$WORK/first" || fail "the first one: other bytes"
as_task cmp "$box/unread" "$WORK/second" || fail "the later one: other bytes, the second time"
settle_mount
[ "$(fetchfs sandboxes --json | jq -r 'select(.name == "unread") | .sha256' | sort)" = \
	"$(sha256 "$WORK/first" "$WORK/second" | sort)" ] || fail "known: $(fetchfs sandboxes --json)"

say "read in part while it comes, then fetched by another, then refreshed: one version, the first"
cp "$WORK/old" "$ORIGINROOT/part"
part=$ORIGIN/rate/1000000/part
"${lazily[@]}" "$box" "$part"
as_task head -c 4096 "$box/part" | cmp - <(head -c 4096 "$WORK/old") || fail "other bytes"
fetchfs fetch "$part"
random_file 4M "$ORIGINROOT/part" next
fetchfs fetch --refresh "$part"
as_task cmp "$box/part" "$WORK/old" || fail "other bytes"

say "an origin that has lost it, and one that is gone, are not asked"
before=$(origin_requests '[A-Z]*' '.*')
fetchfs fetch --refresh "$ORIGIN/unread"
rm "$ORIGINROOT/unread" "$ORIGINROOT/part"
expect_failure 1 'not found' "${fetchfs[@]}" fetch --refresh "$part"
as_task cmp "$box/part" "$WORK/old" || fail "it went with its URI"
as_task cmp "$old/unread" "$WORK/first" || fail "it went with its URI"
fetchfs release "$box"
box=$old

say "a name in the mount is for the lease's own artifact only"
token=$(awk -v point="$box/big" '$5 == point { sub(/.*lease\//, "", $4); print substr($4, 1, 32) }' /proc/self/mountinfo)
[ ${#token} -eq 32 ] || fail "no token: $(grep lease /proc/self/mountinfo)"
as_task cmp "$MNT/.fetchfs/lease/$token:$(escape "$slow")" "$WORK/old" || fail "not by its own name"
expect_errno ESTALE "$MNT/.fetchfs/lease/$token:$(escape "$ORIGIN/one")"
expect_errno ESTALE "$MNT/.fetchfs/lease/$(printf %032d 1):$(escape "$slow")"
for name in x "$token" "$token:" "$token:nothing" ":$(escape "$slow")"; do
	expect_errno ENOENT "$MNT/.fetchfs/lease/$name"
done
[ -z "$(ls "$MNT/.fetchfs/lease")" ] || fail "listed: $(ls "$MNT/.fetchfs/lease")"

say "release"
fetchfs release "$box"
contents_are ""
no_mounts "$box"
leases_are 0

say "what is brought by others counts, too"
"${lazily[@]}" "$box" "$ORIGIN/one"
fetchfs fetch "$ORIGIN/one"
[ "$(known one)" = "$(sha256 "$ORIGINROOT/one")" ] || fail "known: $(known one)"
same_as one one
fetchfs release "$box"

say "a digest holds: no byte before all are right"
digest=sha256:$(sha256 "$ORIGINROOT/two")
jq -n --arg http "$ORIGIN" --arg digest "$digest" '[{value: ($http + "/rate/4000000/two"), output_file: "good",
	digest: $digest}, {value: ($http + "/corrupt/two"), output_file: "bad", digest: $digest}]' >"$WORK/spec"
"${lazily[@]}" --spec "$WORK/spec" "$box"
! as_task cat "$box/bad" >"$WORK/got" 2>/dev/null || fail "wrong bytes were read"
[ ! -s "$WORK/got" ] || fail "$(stat -c %s "$WORK/got") wrong bytes were read"
same_as good two
fetchfs release "$box"
"${lazily[@]}" "$box" "$ORIGIN/rate/4000001/two"
for wrong in "$digest" "sha256:$(printf %064d 1)"; do
	jq -n --arg uri "$ORIGIN/rate/4000001/two" --arg digest "$wrong" '[{value: $uri, digest: $digest}]' >"$WORK/spec"
	expect_failure 1 'release first' "${lazily[@]}" --spec "$WORK/spec" "$box"
done
fetchfs release "$box"

say "what cannot be had fails at once, and all is as it was"
expect_failure 1 'status/404' "${lazily[@]}" "$box" "$ORIGIN/three" "$ORIGIN/status/404/two"
contents_are ""
no_mounts "$box"
leases_are 0

say "what takes the bytes gets them: executables, archives, modes, other methods, secrets"
jq -n --arg http "$ORIGIN" '[{value: ($http + "/tool"), executable: true},
	{value: ($http + "/three"), method: "copy"},
	{value: ($http + "/two?token=secret"), output_file: "two"},
	{value: ($http + "/rate/8000000/one"), output_file: "private"},
	{value: "file:///etc/hostname"}]' >"$WORK/spec"
echo "[origin \"$ORIGIN/rate/8000000/\"]
header = X-Token: abc
users = nobody" >>"$CONFIG"
chmod 600 "$CONFIG"
"${lazily[@]}" --json --spec "$WORK/spec" "$box" | jq -e 'all(.lazy | not) and length == 5' >/dev/null ||
	fail "lazy all the same"
! grep -q secret /proc/self/mountinfo || fail "the secret is in the table of mounts"
same_as two two
[ "$(stat -c '%h %a' "$box/three")" = "1 644" ] || fail "three is no copy"
fetchfs release "$box"

say "what is somebody's is not to be had by its digest"
random_file 300K "$ORIGINROOT/secret" secret
fetchfs prepare --user nobody --method copy "$box" "$ORIGIN/rate/8000000/secret"
fetchfs release "$box"
jq -n --arg uri "$ORIGIN/rate/8200000/one" --arg digest "sha256:$(sha256 "$ORIGINROOT/secret")" \
	'[{value: $uri, output_file: "secret", digest: $digest}]' >"$WORK/spec"
"${lazily[@]}" --json --spec "$WORK/spec" "$box" | jq -e '.[0].lazy' >/dev/null || fail "not lazy"
! as_task cat "$box/secret" >"$WORK/got" 2>/dev/null || fail "it was read"
[ ! -s "$WORK/got" ] || fail "something was read"
[ "$(known secret)" = null ] || fail "it is leased"
fetchfs release "$box"

say "an origin that does not tell versions apart"
blind=$ORIGIN/novalidators/rate/1000000/three
"${lazily[@]}" "$box" "$blind"
exec 8<"$box/three"
head -c 100000 <&8 | cmp - <(head -c 100000 "$ORIGINROOT/three") || fail "other bytes"
same_as three three
same_as three three
exec 8<&-
settle_mount
same_as three three
cp "$ORIGINROOT/three" "$WORK/kept"
random_file 4M "$ORIGINROOT/three" other
fetchfs fetch --refresh "$blind"
as_task cmp "$box/three" "$WORK/kept" || fail "another version"
cp "$WORK/kept" "$ORIGINROOT/three"
fetchfs release "$box"

say "given up before it was whole, then brought by another, with other bytes: those, and no mixture"
"${lazily[@]}" "$box" "$ORIGIN/novalidators/rate/300001/three"
as_task timeout -s KILL 1.5 cat "$box/three" >"$WORK/got" || :
cmp -n "$(stat -c %s "$WORK/got")" "$WORK/got" "$ORIGINROOT/three" || fail "other bytes"
wait_for 30 nothing_in_flight || fail "it goes on"
fetchfs ls --json "$ORIGIN/novalidators/rate/300001/" | jq -e '.state != "complete"' >/dev/null ||
	fail "it was whole before it was given up"
random_file 4M "$ORIGINROOT/three" third
fetchfs fetch "$ORIGIN/novalidators/rate/300001/three"
for i in 1 2; do
	same_as three three &
	crowd[i]=$!
done
wait "${crowd[1]}" || fail "a mixture"
wait "${crowd[2]}" || fail "a mixture"
cp "$WORK/kept" "$ORIGINROOT/three"
fetchfs release "$box"

say "by auto, where binds are safe; and not for root"
fetchfs prepare --mount "$MNT" --lazy --user nobody --json "$box" "$ORIGIN/rate/9000000/one" |
	jq -e '.[0].lazy' >/dev/null || fail "not lazy"
fetchfs release "$box"
make_box root 0
fetchfs prepare --mount "$MNT" --lazy --user 0 --json "$box" "$ORIGIN/rate/9000000/two" |
	jq -e '.[0] | (.lazy | not) and .method != "bind"' >/dev/null || fail "a bind for root"
fetchfs release "$box"

say "without a mount there is nothing to be lazy by"
expect_failure 1 'Say --mount' "${fetchfs[@]}" prepare --lazy "$box" "$ORIGIN/one"

say "a mount that fetches nothing is none, either"
mkdir "$WORK/known"
"${fetchfs[@]}" mount -f -o known "$WORK/known" >"$LOGS/known" 2>&1 &
children+=($!)
wait_for 30 test -e "$WORK/known/.fetchfs/status" || fail "the second mount does not answer"
expect_failure 1 'fetches nothing' "${fetchfs[@]}" prepare --lazy --mount "$WORK/known" "$box" "$ORIGIN/one"
fetchfs unmount "$WORK/known"

say "a mount too many: it is fetched, if that is left to fetchfs"
make_box many
if ! FETCHFS_FAULT=place.mount:1:ENOSPC "${lazily[@]}" "$box" "$ORIGIN/rate/7100000/one" 2>"$WORK/stderr"; then
	grep -q 'Too many links' "$WORK/stderr" || fail "said: $(<"$WORK/stderr")"
	FETCHFS_FAULT=place.mount:1:ENOSPC "${fetchfs[@]}" prepare --mount "$MNT" --lazy --user nobody --json "$box" \
		"$ORIGIN/rate/7200000/one" | jq -e '.[0].lazy | not' >/dev/null || fail "lazy all the same"
	same_as one one
fi
fetchfs release "$box"

say "--timeout is for the question, too"
expect_failure 3 'not here after 0.7 s' "${lazily[@]}" --timeout 0.7 "$box" "$ORIGIN/hang/one"

say "two at once on one directory"
make_box crowd
uris=("$ORIGIN"/rate/{7000000,7000001,7000002}/three)
jq -n '[$ARGS.positional | to_entries[] | {value: .value, output_file: "\(.key)"}]' --args "${uris[@]}" >"$WORK/spec"
for i in 1 2 3 4; do
	"${lazily[@]}" --spec "$WORK/spec" "$box" &
	crowd[i]=$!
done
for i in 1 2 3 4; do
	wait "${crowd[i]}" || fail "number $i: $?"
done
leases_are 3
for i in 0 1 2; do
	same_as $i three
done
fetchfs release "$box"
no_mounts "$box"

say "killed at some moment, the same command again completes it"
for point in prepare.leased place.stub; do
	FETCHFS_FAULT=$point:2:kill "${lazily[@]}" --spec "$WORK/spec" "$box" 2>"$WORK/stderr" || :
	"${lazily[@]}" --spec "$WORK/spec" "$box"
	leases_are 3
	same_as 2 three
	fetchfs release "$box"
	contents_are ""
	no_mounts "$box"
	leases_are 0
done

say "the daemon is killed: prepare says so, release clears it away, and it can be done again"
"${lazily[@]}" "$box" "$ORIGIN/rate/2000000/one"
as_task head -c 1 "$box/one" >/dev/null
kill -9 "$MOUNT_PID"
wait_for 10 gone "$MOUNT_PID"
umount -l "$MNT"
start_mount
expect_failure 1 'the mount that served it has ended: release first' "${lazily[@]}" "$box" \
	"$ORIGIN/rate/2000000/one"
fetchfs release "$box"
contents_are ""
no_mounts "$box"
leases_are 0
"${lazily[@]}" "$box" "$ORIGIN/rate/2000000/one"
same_as one one
fetchfs release "$box"

say "a daemon that is stopped holds nobody up for long"
"${lazily[@]}" "$box" "$ORIGIN/rate/2100000/two"
mkdir "$WORK/mount2"
"${fetchfs[@]}" mount -f "$WORK/mount2" >"$LOGS/second" 2>&1 &
second=$!
children+=("$second")
wait_for 30 test -e "$WORK/mount2/.fetchfs/status" || fail "the second mount does not answer"
kill -STOP "$MOUNT_PID"
expect_failure 1 'does not answer: release first' "${fetchfs[@]}" prepare --mount "$WORK/mount2" --lazy \
	--method bind --user nobody "$box" "$ORIGIN/rate/2100000/two"
fetchfs release "$box"
kill -CONT "$MOUNT_PID"
contents_are ""
no_mounts "$box"
fetchfs unmount "$WORK/mount2"

say "an unmounted mount serves its sandboxes on, and ends with the last"
make_box last
"${lazily[@]}" "$box" "$ORIGIN/rate/2000000/two"
umount "$MNT"
same_as two two
kill -0 "$MOUNT_PID" || fail "the daemon has gone"
fetchfs release "$box"
wait_for 30 gone "$MOUNT_PID" || fail "the daemon outlives what it served"
no_mounts
leases_are 0
no_debris
