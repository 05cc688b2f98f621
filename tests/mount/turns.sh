#!/bin/bash
# Who fills the mount with downloads that never come waits for himself, and keeps nobody else waiting.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/users.sh"
need_fuse
need_program jq setpriv
TRACE=$WORK/trace
start_origin --trace "$TRACE"
elsewhere=http://localhost:${ORIGIN##*:}
for ((i = 0; i < 40; i++)); do random_file 3000 "$ORIGINROOT/$i" "$i"; done
chmod 755 "$WORK"
configure() {
	printf '[policy]\nallow = %s/, %s/\n[fetch]\n%s\n' "$ORIGIN" "$elsewhere" "${1-}" >"$CONFIG"
}

# read_in_background USER COUNT URI…: by COUNT threads of one process, $READER.
read_in_background() {
	local user=$1 count=$2 files=() uri
	shift 2
	for uri; do files+=("$(at "$uri")"); done
	setpriv --reuid="$user" --regid="$user" --init-groups -- \
		"$FETCHFS_BUILD/tests/support/manyreaders" "$count" "${files[@]}" >>"$LOGS/readers" 2>&1 &
	READER=$!
	children+=("$READER")
}
dismiss() {
	kill "$1"
	wait_for 20 gone "$1" || fail "readers cannot be interrupted"
}
# hanging FIRST LAST: URIs that are never answered
hanging() {
	local i
	uris=()
	for ((i = $1; i <= $2; i++)); do uris+=("$ORIGIN/hang/$i"); done
}
# What has been asked for below hang/, by number.
asked() {
	sed -n 's,^[0-9]*\tGET\t/hang/\([0-9]*\)\t.*,\1,p' "$TRACE" | sort -un
}
asked_are() {
	[ "$(asked | wc -l)" -eq "$1" ]
}
was_asked() {
	asked | grep -qx "$1"
}
# in_line_are WAITING ALL
in_line_are() {
	jq -e ".in_line == $1 and .in_flight == $2" "$MNT/.fetchfs/status" >/dev/null
}
told() {
	jq -c '[.in_line, .in_flight]' "$MNT/.fetchfs/status"
}

configure
start_mount
say "of sixty that alice reads eight are asked for"
hanging 1 8
read_in_background alice 8 "${uris[@]}"
first=$READER
wait_for 30 asked_are 8 || fail "asked for: $(asked | wc -l)"
in_line_are 0 8 || fail "$(told)"
hanging 9 60
read_in_background alice 52 "${uris[@]}"
rest=$READER
wait_for 30 in_line_are 52 60 || fail "$(told)"
grep -qx "fetchfs_in_line 52" "$MNT/.fetchfs/metrics" || fail "metrics: $(grep in_line "$MNT/.fetchfs/metrics")"

say "what bob and root read comes, from the same host and from another"
n=0
for user in bob root; do
	for host in "$ORIGIN" "$elsewhere"; do
		n=$((n + 1))
		took=$(milliseconds as "$user" timeout 20 cmp "$ORIGINROOT/$n" "$(at "$host/$n")")
		[ "$took" -lt 10000 ] || fail "$user waited for $took ms"
	done
done
in_line_are 52 60 || fail "$(told)"
asked_are 8 || fail "more of alice's were asked for: $(asked | wc -l)"

say "what waits goes when others want it, too, and counts for bob if it is he"
read_in_background bob 1 "$ORIGIN/hang/60"
wait_for 30 was_asked 60 || fail "60 waits though bob wants it"
read_in_background root 1 "$ORIGIN/hang/59"
wait_for 30 was_asked 59 || fail "59 waits though root wants it"
hanging 101 107
read_in_background bob 7 "${uris[@]}"
wait_for 30 asked_are 17 || fail "asked for: $(asked | wc -l)"
read_in_background bob 1 "$ORIGIN/hang/108"
bobs=$READER
wait_for 30 in_line_are 51 68 || fail "$(told)"

say "who waits can be interrupted, and leaves the line"
dismiss "$bobs"
wait_for 30 in_line_are 50 67 || fail "$(told)"

say "when those in front have gone, it moves on"
dismiss "$first"
wait_for 30 in_line_are 42 59 || fail "$(told)"
wait_for 30 asked_are 25 || fail "asked for: $(asked | wc -l)"
dismiss "$rest"
wait_for 30 in_line_are 0 9 || fail "$(told)"
# (each of those under way may end before the next in line has been killed, too)
[ "$(asked | wc -l)" -le 33 ] || fail "asked for in passing: $(asked | wc -l)"

say "it moves on with each that comes, too"
pids=()
for ((i = 5; i < 40; i++)); do
	as alice cmp "$ORIGINROOT/$i" "$(at "$ORIGIN/latency/50/$i")" &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "a reader got other bytes, or none"; done

say "the daemon ends while there is a line"
hanging 201 260
read_in_background alice 60 "${uris[@]}"
wait_for 30 in_line_are 52 69 || fail "$(told)"
kill -TERM "$MOUNT_PID"
wait_for 20 gone "$MOUNT_PID" || fail "the daemon does not end"
wait "$MOUNT_PID" || fail "the daemon ended with status $?"
wait_for 10 gone "$READER" || fail "the readers do not end"
! grep -E 'ERROR: |runtime error:' "$LOGS/mount" || exit 1

say "what is cached comes at once, though its origin is to confirm it"
settle_origin
: >"$TRACE"
configure 'ttl = 1s'
start_mount
as alice cmp "$ORIGINROOT/39" "$(at "$ORIGIN/39")" || fail "other bytes"
hanging 1 9
read_in_background alice 9 "${uris[@]}"
wait_for 30 in_line_are 1 9 || fail "$(told)"
requests() {
	[ "$(grep -c "GET	/39	" "$TRACE")" -ge 2 ]
}
reads_again() {
	as alice timeout 20 cmp "$ORIGINROOT/39" "$(at "$ORIGIN/39")" || fail "it waits"
	requests
}
wait_for 30 reads_again || fail "it is not confirmed"
in_line_are 1 9 || fail "$(told)"
dismiss "$READER"
stop_mount

say "as many as the configuration says, or all"
for limit in 2 0; do
	settle_origin
	: >"$TRACE"
	configure "per_user = $limit"
	start_mount
	hanging 1 12
	read_in_background alice 12 "${uris[@]}"
	wait_for 30 asked_are $((limit ? limit : 12)) || fail "asked for: $(asked | wc -l)"
	wait_for 30 in_line_are $((limit ? 10 : 0)) 12 || fail "$(told)"
	asked_are $((limit ? limit : 12)) || fail "asked for: $(asked | wc -l)"
	dismiss "$READER"
	wait_for 30 in_line_are 0 0 || fail "$(told)"
	stop_mount
done

say "what is read in parts goes by turns as it is read"
configure $'per_user = 1\nlazy = ranges'
for name in a b; do random_file 4M "$ORIGINROOT/$name" $name; done
start_mount
as alice timeout 30 python3 - "$(at "$ORIGIN/a")" "$(at "$ORIGIN/b")" "$ORIGINROOT/a" "$ORIGINROOT/b" <<-'END' ||
	import os, sys
	files = [os.open(name, os.O_RDONLY) for name in sys.argv[1:]]
	for place in range(0, 4 << 20, 512 << 10):
	    for lazy, good in zip(files[:2], files[2:]):
	        if os.pread(lazy, 1000, place) != os.pread(good, 1000, place):
	            sys.exit("other bytes at %d" % place)
END
	fail "not all was read"
stop_mount

say "what is prepared for somebody counts as hers, and comes all the same"
configure
settle_origin
before=$(origin_stat most)
[ "$before" -gt 8 ] || fail "the origin has no count of what it has at the same time"
stop_origin() {
	kill "$ORIGIN_PID"
	wait_for 10 gone "$ORIGIN_PID" || fail "the origin does not end"
}
stop_origin
start_origin --latency 20
configure
uris=()
for ((i = 0; i < 40; i++)); do uris+=("$ORIGIN/$i?p"); done
folder_of alice box
fetchfs prepare --user alice --method copy "$box" "${uris[@]}" >/dev/null || fail "prepare"
for ((i = 0; i < 40; i++)); do cmp "$ORIGINROOT/$i" "$box/$i" || fail "$i is other bytes"; done
[ "$(origin_stat most)" -le 9 ] || fail "$(origin_stat most) at the same time" # one asks here
