#!/bin/bash
# What the kernel keeps for an hour is true soon after another process has changed the cache.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq
start_origin
mkdir "$ORIGINROOT/dir"
for name in a.bin dir/b.bin tool; do random_file 300K "$ORIGINROOT/$name" $name; done
printf '[policy]\nprivate = allow\n[fetch]\nnegative_ttl = 1h\n' >"$CONFIG"
start_mount
host=$MNT/http/${ORIGIN#http://}
for name in a.bin dir/b.bin tool; do cmp "$ORIGINROOT/$name" "$host/$name" || fail "$name"; done
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/a.bin")" || fail "uri/"
digest=$MNT/digest/sha256/$(sha256 "$ORIGINROOT/dir/b.bin")
cmp "$ORIGINROOT/dir/b.bin" "$digest" || fail "digest/"
settle_mount

# stat_is FORMAT VALUE FILE, for wait_for
stat_is() {
	[ "$(stat -c "$1" "$3")" = "$2" ]
}
# The kernel answers by itself: the daemon is asked by nobody while it is stopped. (It may still have
# had to say that something has changed before.)
answers_alone() {
	local status=0
	stat "$@" >/dev/null || return
	kill -STOP "$MOUNT_PID"
	timeout 5 stat "$@" >/dev/null || status=$?
	kill -CONT "$MOUNT_PID"
	return $status
}
kept() {
	wait_for 20 answers_alone "$@" || fail "not kept: $*"
}
stat "$digest" "$host/a.bin" >/dev/null # the kernel tries what the daemon does not have (statx) once
inode=$(stat -c %i "$host/dir/b.bin")
stat_is %b 600 "$host/dir/b.bin" || fail "$(stat -c %b "$host/dir/b.bin") blocks"
stat_is '%b %i' "600 $inode" "$host/dir/b.bin" || fail "blocks and inode"

say "evicted"
kept "$digest"
kept "$host/a.bin"
fetchfs evict "$ORIGIN/dir/b.bin"
wait_for 5 stat_is '%b %i' "1 $inode" "$host/dir/b.bin" || fail "$(stat "$host/dir/b.bin")"
absent() {
	! [ -e "$1" ]
}
wait_for 5 absent "$digest" || fail "by digest, it is still there"
cmp "$ORIGINROOT/dir/b.bin" "$host/dir/b.bin" || fail "it comes back"
settle_mount
stat_is '%b %i' "600 $inode" "$host/dir/b.bin" || fail "blocks, back: $(stat "$host/dir/b.bin")"

say "changed, for both its names and for who has it open"
exec 3<"$host/a.bin"
cp "$ORIGINROOT/a.bin" "$WORK/old"
random_file 500K "$ORIGINROOT/a.new" new
touch -d '+1 hour' "$ORIGINROOT/a.new"
mv "$ORIGINROOT/a.new" "$ORIGINROOT/a.bin"
fetchfs fetch --refresh "$ORIGIN/a.bin"
wait_for 5 stat_is %s 512000 "$host/a.bin" || fail "the tree: $(stat "$host/a.bin")"
wait_for 5 stat_is %s 512000 "$(at "$ORIGIN/a.bin")" || fail "uri/: $(stat "$(at "$ORIGIN/a.bin")")"
[ "$(stat -c %Y "$host/a.bin")" = "$(stat -c %Y "$ORIGINROOT/a.bin")" ] || fail "mtime"
cmp "$WORK/old" - <&3 || fail "who has it open reads another version"
[ "$(stat -L -c %s /dev/fd/3)" = 307200 ] || fail "fstat: $(stat -L -c %s /dev/fd/3)"
exec 3<&-

say "executable"
fetchfs fetch --executable "$ORIGIN/tool"
wait_for 5 stat_is %a 555 "$host/tool" || fail "mode $(stat -c %a "$host/tool")"

say "appeared"
! [ -e "$host/dir/new.bin" ] || fail "new.bin is there"
! [ -e "$host/dir/new" ] || fail "new is there"
random_file 10K "$ORIGINROOT/dir/new.bin" new
random_file 10K "$ORIGINROOT/dir/new" new
fetchfs fetch --refresh "$ORIGIN/dir/new.bin" "$ORIGIN/dir/new"
stat_is %s 10240 "$host/dir/new.bin" || fail "new.bin"
stat_is %s 10240 "$host/dir/new" || fail "new"
[ "$(echo "$host/dir"/*)" = "$host/dir/b.bin $host/dir/new $host/dir/new.bin" ] || fail "listed: $(ls "$host/dir")"

say "something below what was a file"
name=goto/%2Ftool
cmp "$ORIGINROOT/tool" "$host/$name" || fail "$name"
settle_mount
fetchfs fetch "$ORIGIN/$name/x.tgz"
wait_for 5 stat_is %F directory "$host/$name" || fail "$(stat "$host/$name")"
cmp "$ORIGINROOT/tool" "$host/$name/x.tgz" || fail "below"
cmp "$ORIGINROOT/tool" "$(at "$ORIGIN/goto/%252Ftool")" || fail "the file itself, at uri/"
[ "$(ls "$host/$name")" = x.tgz ] || fail "$(ls "$host/$name")"

say "a folder with nothing below it any more"
kept "$host/dir"
fetchfs evict --all 2>/dev/null
for name in b.bin new.bin new; do fetchfs evict "$ORIGIN/dir/$name"; done
wait_for 5 absent "$host/dir" || fail "dir is still there: $(ls "$host/dir")"

say "a folder in which lookups take long holds nobody else up"
slow=$host/latency/450
uris=()
for i in {1..6}; do
	random_file 10K "$ORIGINROOT/k$i.bin" "$i"
	uris+=("$ORIGIN/latency/450/k$i.bin")
done
fetchfs fetch -q "${uris[@]}"
for i in {1..6}; do stat_is %b 20 "$slow/k$i.bin" || fail "k$i.bin"; done
cmp "$ORIGINROOT/dir/b.bin" "$host/dir/b.bin" || fail "dir/b.bin"
settle_mount
# As long as $WORK/looking is there, somebody looks up names there, one after the other.
look() {
	local n
	for ((n = 0; n < 1000; n++)); do
		[ -e "$WORK/looking" ] || break
		[ ! -e "$slow/none$1-$n.tgz" ] || break
	done
}
: >"$WORK/looking"
lookers=()
for i in 1 2 3; do
	look $i &
	lookers+=($!)
	children+=($!)
done
wait_for 20 origin_stat_is running 3 || fail "nobody looks"
fetchfs evict "${uris[@]}"
fetchfs evict "$ORIGIN/dir/b.bin"
wait_for 10 stat_is %b 1 "$host/dir/b.bin" || fail "$(stat "$host/dir/b.bin")"
rm "$WORK/looking"
for pid in "${lookers[@]}"; do wait "$pid" || fail "a looker"; done

say "who watches does not run when nothing changes"
switches() {
	awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$MOUNT_PID/task"/*/status
}
settled() {
	local before
	before=$(switches)
	sleep 1 # the time is what is measured
	[ $(($(switches) - before)) -lt 20 ]
}
wait_for 20 settled || fail "the daemon is not idle"
stop_mount
