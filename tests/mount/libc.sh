#!/bin/bash
# Every way of the C library and the kernel into a file: the bytes, names and errors are those of a
# local file, on a read-only file system; while the file comes and when it is complete, served by
# the kernel and by the daemon.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq
libcways=$FETCHFS_BUILD/tests/support/libcways
printf '[fetch]\nttl = 1h\nconnections = 64\nper_host = 64\n' >"$CONFIG"
start_origin
random_file 1500001 "$ORIGINROOT/a.bin" a
printf '#!/bin/sh\nexit 7\n' >"$ORIGINROOT/script"
cp "$(readlink -f /bin/sh)" "$ORIGINROOT/shell"
chmod 644 "$ORIGINROOT"/*
mkdir "$ORIGINROOT/many"
random_file 2000 "$ORIGINROOT/many/file.bin" many
ways=$("$libcways" list)

# passed KEY: what status says of passthrough.
passed() {
	jq ".passthrough.$1" "$MNT/.fetchfs/status"
}

# Each way has a file of its own, which comes in a second and a half; all of them at once.
cold_ways() {
	local way pid pids=()
	for way in $ways; do
		ln "$ORIGINROOT/a.bin" "$ORIGINROOT/$mode-$way.bin"
		timeout 60 "$libcways" "$way" "$(at "$ORIGIN/rate/1000000/$mode-$way.bin")" \
			"$ORIGINROOT/a.bin" >"$WORK/state-$way" 2>&1 &
		pids+=($!)
	done
	children+=("${pids[@]}")
	for way in $ways; do
		pid=${pids[0]}
		pids=("${pids[@]:1}")
		wait "$pid" || fail "$way, $mode, on its way: $(<"$WORK/state-$way")"
	done
	# A machine that is busy may be late for one.
	seen=$(cat "$WORK"/state-* | grep -c in-flight)
	[ "$seen" -ge $(($(wc -w <<<"$ways") * 3 / 4)) ] || fail "$mode: only $seen were on their way"
	rm "$WORK"/state-*
}

warm_ways() {
	local way state
	for way in $ways; do
		state=$(timeout 60 "$libcways" "$way" "$(at "$ORIGIN/rate/1000000/$mode-$way.bin")" \
			"$ORIGINROOT/a.bin" 2>&1) || fail "$way, $mode, complete: $state"
		[ "$state" = complete ] || fail "$way, $mode: $state"
	done
}

execution() {
	local name
	for name in script shell; do
		fetchfs fetch -q --executable "$ORIGIN/$mode/$name"
		timeout 60 "$libcways" run "$(at "$ORIGIN/$mode/$name")" || fail "$name, $mode"
	done
}

# Names of many lengths, so that they fill a buffer in many ways; a listing shows what was fetched.
make_folder() {
	local i name uris=()
	for i in {100..399}; do
		printf -v name '%s%.*s' "$i" $((i % 40)) abcdefghijklmnopqrstuvwxyzabcdefghijklmn
		ln "$ORIGINROOT/many/file.bin" "$ORIGINROOT/many/$name"
		uris+=("$ORIGIN/many/$name")
	done
	rm "$ORIGINROOT/many/file.bin"
	fetchfs fetch -q "${uris[@]}"
	(cd "$ORIGINROOT/many" && printf '%s\n' . .. *) | sort >"$WORK/names"
}

folders() {
	local folder=$MNT/http/${ORIGIN#http://}/many size
	for size in 64 72 100 128 200 1000 4096 65536; do
		timeout 60 "$libcways" names $size "$folder" | sort | cmp - "$WORK/names" ||
			fail "getdents64() with $size bytes, $mode"
	done
	# what does not fit is told, and is no end
	! timeout 60 "$libcways" names 24 "$folder" >/dev/null 2>"$WORK/stderr" || fail "24 bytes"
	grep -q 'Invalid argument' "$WORK/stderr" || fail "24 bytes: $(<"$WORK/stderr")"
	timeout 60 "$libcways" seek "$folder" || fail "seekdir(), $mode"
}

# refused WHY COMMAND…
refused() {
	! LC_ALL=C "${@:2}" </dev/null >/dev/null 2>"$WORK/stderr" || fail "not refused: ${*:2}"
	grep -q ": $1\$" "$WORK/stderr" || fail "${*:2}: $(<"$WORK/stderr")"
}

writing() {
	local host=$MNT/http/${ORIGIN#http://}
	timeout 60 "$libcways" writes "$(at "$ORIGIN/a.bin")" "$MNT/uri/none" "$MNT/uri" >/dev/null ||
		fail "uri/, $mode"
	timeout 60 "$libcways" writes "$host/a.bin" "$host/none.bin" "$host/many" >/dev/null ||
		fail "the tree, $mode"
	cmp "$ORIGINROOT/a.bin" "$host/a.bin" || fail "written, $mode"
	# what may be a folder, since it has no suffix, is one
	refused 'File exists' mkdir "$host/new"
	refused 'File exists' ln -sT target "$host/new"
	refused 'File exists' mknod "$host/new" p
	refused 'Is a directory' dd "of=$host/new" status=none
}

for mode in passthrough nopassthrough; do
	start_mount_in $mode
	say "$mode: on its way"
	cold_ways
	[ "$(passed files)" -eq 0 ] || fail "registered, and nothing was complete"
	settle_mount
	say "$mode: complete"
	opens=$(passed opens)
	warm_ways
	if [ "$(passed on)" = true ]; then
		[ "$(passed opens)" -ge $((opens + $(wc -w <<<"$ways"))) ] || fail "not passed"
	else
		[ "$(passed opens)" -eq 0 ] || fail "passed"
	fi
	say "$mode: executed"
	mkdir "$ORIGINROOT/$mode"
	ln "$ORIGINROOT/script" "$ORIGINROOT/shell" "$ORIGINROOT/$mode"
	execution
	say "$mode: folders"
	[ -e "$WORK/names" ] || make_folder
	folders
	say "$mode: nothing is written"
	writing
	stop_mount
done
if grep -Ev '^(GET|HEAD) ' "$ORIGIN_LOG"; then fail "asked for more than to read"; fi
