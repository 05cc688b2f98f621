#!/bin/bash
# Complete artifacts are read by the kernel itself, or by way of the daemon: never both ways in one
# node, never other bytes, and nothing is left registered.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq getfattr python3
readways=$FETCHFS_BUILD/tests/support/readways
printf '[fetch]\nttl = 1h\n' >"$CONFIG"
start_origin
random_file 3000001 "$ORIGINROOT/a.bin" a
random_file 4M "$ORIGINROOT/slow.bin" slow
random_file 65537 "$ORIGINROOT/small.bin" small
random_file 65536 "$ORIGINROOT/tiny.bin" tiny

# passed KEY: what status says of passthrough.
passed() {
	jq ".passthrough.$1" "$MNT/.fetchfs/status"
}
passed_is() {
	[ "$(passed "$1")" = "$2" ]
}
# A close() does not wait until the daemon has been told.
released() {
	wait_for 10 passed_is files 0 || fail "$(passed files) files are registered, and none is open"
}
state_is() {
	[ "$(getfattr --absolute-names --only-values -n user.fetchfs.state "$1")" = "$2" ]
}
# complete URI…: in the cache, and known to the mount as such.
complete() {
	fetchfs fetch -q "$@"
}
# expect_copied WHY: it is off, status and log say why, and all the same can be read.
expect_copied() {
	passed_is on false || fail "on: $(passed on)"
	[[ $(passed why) == *"$1"* ]] || fail "why: $(passed why)"
	"$readways" ways "$(at "$ORIGIN/a.bin")" "$ORIGINROOT/a.bin" || fail "off: $1"
	"$readways" race 8 5 "$(at "$ORIGIN/a.bin")" "$ORIGINROOT/a.bin" || fail "a race, off: $1"
	passed_is opens 0 || fail "$(passed opens) opens passed"
	[ "$(passed fallbacks)" -ge 47 ] || fail "$(passed fallbacks) fallbacks"
	grep -q "passthrough: off: .*$1" "$LOGS/mount" || fail "the log does not say why"
}
# hold FILE REFERENCE: $HOLDER keeps it open and mapped until let_go, which looks at the bytes.
hold() {
	coproc HOLD { "$readways" hold "$@" 2>&1; }
	HOLDER=$HOLD_PID
	children+=("$HOLDER")
	local word
	read -r -t 60 word <&"${HOLD[0]}" || fail "nobody holds $1"
	[ "$word" = held ] || fail "$word"
}
let_go() {
	local status=0
	echo >&"${HOLD[1]}"
	wait "$HOLDER" || status=$?
	[ $status -eq 0 ] || fail "what was held reads differently"
}

start_mount -v
if [[ $(passed why) == *"does not offer"* ]]; then
	skip "this kernel has no passthrough"
fi

say "on, and status and log say so"
passed_is on true || fail "off: $(passed why)"
grep -q "passthrough: on" "$LOGS/mount" || fail "the log does not say so"
fetchfs status --mount "$MNT" | grep -q '^passthrough *on' || fail "the command does not say so"
[ "$(fetchfs status --json --mount "$MNT" | jq .passthrough.on)" = true ] || fail "as JSON"
passed_is files 0 || fail "the test's file is still registered"

say "one in flight, held open and mapped while it completes and others open the complete one"
slow=$(at "$ORIGIN/rate/4000000/slow.bin")
hold "$slow" "$ORIGINROOT/slow.bin"
passed_is opens 0 || fail "the one in flight was passed"
wait_for 30 state_is "$slow" complete || fail "it does not complete"
"$readways" ways "$slow" "$ORIGINROOT/slow.bin" || fail "the complete one, while another is held"
"$readways" race 16 5 "$slow" "$ORIGINROOT/slow.bin" || fail "a race, while another is held"
[ "$(passed opens)" -ge 87 ] || fail "only $(passed opens) opens were passed"
let_go
passed_is fallbacks 0 || fail "$(passed fallbacks) fallbacks"
released

say "complete: every way to read it"
complete "$ORIGIN/a.bin" "$ORIGIN/small.bin"
file=$(at "$ORIGIN/a.bin")
before=$(passed opens)
"$readways" ways "$file" "$ORIGINROOT/a.bin" || fail "a complete one"
[ "$(passed opens)" -eq $((before + 7)) ] || fail "$(($(passed opens) - before)) of 7 were passed"
python3 - "$file" <<'END' || fail "at once"
import os, sys
fds = [os.open(sys.argv[1], os.O_RDONLY) for _ in range(50)]
sys.exit(len({os.pread(fd, 1000, 77777) for fd in fds}) != 1)
END
released

say "complete: first and last of many, at the same moment"
"$readways" race 16 60 "$file" "$ORIGINROOT/a.bin" || fail "a race"
"$readways" race 16 60 "$(at "$ORIGIN/small.bin")" "$ORIGINROOT/small.bin" || fail "a race for a small one"
passed_is fallbacks 0 || fail "$(passed fallbacks) fallbacks"
released

say "of a few pages: the kernel keeps them, and knows no object"
complete "$ORIGIN/tiny.bin"
tiny=$(at "$ORIGIN/tiny.bin")
before=$(passed opens)
"$readways" ways "$tiny" "$ORIGINROOT/tiny.bin" || fail "a tiny one"
"$readways" race 16 60 "$tiny" "$ORIGINROOT/tiny.bin" || fail "a race for a tiny one"
passed_is opens "$before" || fail "passed"
passed_is fallbacks 0 || fail "$(passed fallbacks) fallbacks"
exec 3<"$tiny"
kill -STOP "$MOUNT_PID"
timeout 20 cmp "$ORIGINROOT/tiny.bin" - <&3 || kept=no
kill -CONT "$MOUNT_PID"
[ "${kept-yes}" = yes ] || fail "the daemon is asked for bytes that the kernel has had"
exec 3<&-

say "one file is registered once, whoever opens it"
hold "$file" "$ORIGINROOT/a.bin"
exec 3<"$file" 4<"$file"
passed_is files 1 || fail "$(passed files) files for one node"
exec 3<&- 4<&-
let_go
released

say "a program is executed from it"
cp /bin/true "$ORIGINROOT/true"
fetchfs fetch -q --executable "$ORIGIN/true"
"$(at "$ORIGIN/true")" || fail "not executed"
[ "$(stat -c %a "$(at "$ORIGIN/true")")" = 555 ] || fail "its mode"

say "what is open outlives eviction, and the loss of its object"
hold "$file" "$ORIGINROOT/a.bin"
exec 3<"$file"
if fetchfs evict "$ORIGIN/a.bin" 2>"$WORK/stderr"; then fail "evicted while it is open"; fi
rm -f "$CACHE"/objects/*/"$(sha256 "$ORIGINROOT/a.bin")"
cmp "$ORIGINROOT/a.bin" - <&3 || fail "the open file"
exec 3<&-
# fetched anew, while the old one is open: the same bytes, the same node
cmp "$ORIGINROOT/a.bin" "$file" || fail "fetched again"
"$readways" ways "$file" "$ORIGINROOT/a.bin" || fail "every way, fetched again"
let_go
released

say "what is mapped, and not open any more, can be evicted: the map keeps its bytes"
fetchfs evict "$ORIGIN/small.bin"
complete "$ORIGIN/small.bin"
python3 - "$(at "$ORIGIN/small.bin")" "$ORIGINROOT/small.bin" "$MNT" "${fetchfs[@]}" evict "$ORIGIN/small.bin" <<'END' || fail "a map"
import ctypes, json, os, subprocess, sys, time
name, reference, mount = sys.argv[1:4]
data = open(reference, "rb").read()
libc = ctypes.CDLL(None, use_errno=True) # mmap.mmap would keep a descriptor
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
fd = os.open(name, os.O_RDONLY)
place = libc.mmap(None, len(data), 1, 1, fd, 0) # PROT_READ, MAP_SHARED
os.close(fd)
end = time.monotonic() + 10
while json.load(open(mount + "/.fetchfs/status"))["passthrough"]["files"]:
    assert time.monotonic() < end, "a map keeps it registered"
    time.sleep(0.05)
subprocess.run(sys.argv[4:], check=True)
assert ctypes.string_at(place, len(data)) == data
END
complete "$ORIGIN/small.bin"

say "a file that cannot be registered is read all the same"
stop_mount
if FETCHFS_FAULT=:: "$FETCHFS" --version >/dev/null 2>&1; then
	say "(no fault points in this build)"
else
	FETCHFS_FAULT=passthrough.open:2:EMFILE start_mount
	hold "$file" "$ORIGINROOT/a.bin"
	"$readways" race 8 5 "$file" "$ORIGINROOT/a.bin" || fail "while one is open by the other way"
	[ "$(passed opens)" -eq 0 ] || fail "two ways in one node"
	passed_is fallbacks 41 || fail "$(passed fallbacks) fallbacks"
	passed_is on true || fail "one file does not speak for all: $(passed why)"
	"$readways" ways "$(at "$ORIGIN/small.bin")" "$ORIGINROOT/small.bin" || fail "another file"
	passed_is opens 7 || fail "another file is not passed"
	let_go
	released
	# it is nobody's any more: it may be registered now
	"$readways" ways "$file" "$ORIGINROOT/a.bin" || fail "after the last close"
	[ "$(passed opens)" -ge 8 ] || fail "the mode outlives the last close"
	stop_mount
	FETCHFS_FAULT=passthrough.open:1:ELOOP start_mount -v
	expect_copied "stacked file system"
	stop_mount
fi

say "another version while the old one is open: nobody sees a mixture, or an error"
printf '[fetch]\nttl = 0s\n' >"$CONFIG"
for options in "" -onopassthrough; do
	# shellcheck disable=SC2086
	start_mount $options
	random_file 700K "$ORIGINROOT/new.bin" "old$options"
	cp "$ORIGINROOT/new.bin" "$WORK/old"
	complete "$ORIGIN/new.bin"
	: >"$WORK/bound"
	mount --bind "$(at "$ORIGIN/new.bin")" "$WORK/bound"
	mounts+=("$WORK/bound")
	hold "$WORK/bound" "$WORK/old"
	random_file 900K "$WORK/new" "new$options"
	touch -d '+1 hour' "$WORK/new"
	mv "$WORK/new" "$ORIGINROOT/new.bin"
	now=$EPOCHSECONDS # what was confirmed in this second is not asked again in it
	wait_for 3 eval "[ \$EPOCHSECONDS -gt $now ]" || fail "the clock stands"
	cat "$WORK/bound" >"$WORK/seen" || fail "the bound file cannot be opened, with '$options'"
	# by way of the daemon the old one can be had only until the new one is whole
	cmp "$WORK/old" "$WORK/seen" >/dev/null || { [ "$options" ] && cmp "$ORIGINROOT/new.bin" "$WORK/seen"; } ||
		fail "the bound file, with '$options'"
	cmp "$ORIGINROOT/new.bin" "$(at "$ORIGIN/new.bin")" || fail "the new one, with '$options'"
	let_go
	umount "$WORK/bound"
	released
	stop_mount
done
printf '[fetch]\nttl = 1h\n' >"$CONFIG"

say "lazily unmounted, what is open can be read"
start_mount
exec 3<"$file"
timeout 5 "${fetchfs[@]}" unmount --lazy "$MNT" 3<&- || fail "--lazy waits for who has it open"
! mountpoint -q "$MNT" || fail "still mounted"
cmp "$ORIGINROOT/a.bin" - <&3 || fail "unmounted, and other bytes"
exec 3<&-
wait_for 20 gone "$MOUNT_PID" || fail "the daemon stays"

say "switched off: the same bytes"
start_mount -v -o nopassthrough
expect_copied "nopassthrough"
ahead=/sys/class/bdi/$(mountpoint -d "$MNT")/read_ahead_kb
! [ -w "$ahead" ] || [ "$(<"$ahead")" -ge 1024 ] || fail "reads ahead $(<"$ahead") KiB"
stop_mount

if mkdir "$WORK"/{lower,upper,work,merged} && mount -t overlay overlay "$WORK/merged" \
	-o "lowerdir=$WORK/lower,upperdir=$WORK/upper,workdir=$WORK/work" 2>/dev/null; then
	say "a cache on overlayfs: the kernel does not stack that high"
	mounts+=("$WORK/merged")
	: >"$LOGS/mount"
	mkdir -m 700 "$WORK/merged/cache"
	fetchfs=("$FETCHFS" --cache "$WORK/merged/cache" --config "$CONFIG")
	complete "$ORIGIN/a.bin"
	start_mount -v
	expect_copied "stacked file system"
	stop_mount
	umount "$WORK/merged"
fi
