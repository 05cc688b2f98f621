#!/bin/bash
# shellcheck disable=SC2016 # scripts for other shells
# Containers of runc and crun get their artifacts by hooks, and leave nothing behind.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
. "$(dirname "$0")/../support/oci.sh"
need_root
need_program jq runc crun

start_nginx
mkdir "$WORK/local"
echo a local one >"$WORK/local/four"
echo "[policy]
allow = $HTTP/
file = $WORK/local
[fetch]
ttl = 1h" >"$CONFIG"
artifacts one two three
sums() {
	(cd "$WWW" && sha256sum "$@")
}
# runs NAME: the container of the bundle, to its end
runs() {
	runtime run --bundle "$bundle" "$1" >"$WORK/stdout" 2>"$WORK/stderr"
}
ran() {
	runs "$1" || fail "$RUNTIME: $(<"$WORK/stderr")"
}
# refused REGEX: it does not even start, and says why, and nothing is left
refused() {
	: >"$LOGS/hooks"
	! runs refused || fail "$RUNTIME: it runs: $(<"$WORK/stdout")"
	[ ! -s "$WORK/stdout" ] || fail "$RUNTIME: it ran"
	cat "$LOGS/hooks" >>"$WORK/stderr"
	grep -Eq -- "$1" "$WORK/stderr" || fail "$RUNTIME: not /$1/: $(<"$WORK/stderr")"
	runtime delete --force refused 2>/dev/null || :
	nothing_left "${@:2}"
}

for RUNTIME in runc crun; do
	say "$RUNTIME: without annotations nothing happens"
	bundle plain 'echo it runs'
	ran plain
	[ "$(<"$WORK/stdout")" = "it runs" ] || fail "said: $(<"$WORK/stdout")"
	nothing_left

	say "$RUNTIME: by mounts, which it can read and not write, without a network"
	bundle bind "cd /data/in; $(sums one two | sed 's/^/echo "/; s/$/" | sha256sum -c --quiet;/')"'
		! echo x 2>/dev/null >>one
		! rm -f one 2>/dev/null
		! chmod 777 one 2>/dev/null
		grep -c " /data/in/[a-z]* ro,nosuid,nodev" /proc/self/mountinfo
		[ "$(ls /sys/class/net 2>/dev/null || echo lo)" = lo ]'
	annotate fetchfs.directory /data/
	annotate fetchfs.method bind
	uris '[{value: "\($http)/one", output_file: "in/one"}, {value: "\($http)/two", output_file: "in/two"}]'
	ran bind
	[ "$(<"$WORK/stdout")" = 2 ] || fail "mounts: $(<"$WORK/stdout")"
	nothing_left
	cached_is "$HTTP/one" one

	say "$RUNTIME: an executable; a copy for root who could undo mounts, a mount for others"
	printf '#!/bin/sh\necho it runs\n' >"$WWW/run"
	bundle auto '/run; stat -c %a /run; grep -c " /run " /proc/self/mountinfo || :'
	uris '[{value: "\($http)/run", executable: true}]'
	ran auto
	[ "$(tr '\n' ' ' <"$WORK/stdout")" = "it runs 755 0 " ] || fail "said: $(<"$WORK/stdout")"
	nothing_left
	reconfigure '.process.user = {uid: 65534, gid: 65534}'
	ran auto
	[ "$(tr '\n' ' ' <"$WORK/stdout")" = "it runs 555 1 " ] || fail "said: $(<"$WORK/stdout")"
	nothing_left

	say "$RUNTIME: into what the bundle mounts"
	bundle tmpfs 'sha256sum </data/one; ls -A /data'
	reconfigure '.mounts += [{destination: "/data", type: "tmpfs", source: "tmpfs"}]'
	annotate fetchfs.directory /data
	annotate fetchfs.method bind
	uris '[{value: "\($http)/one"}]'
	ran tmpfs
	grep -q "^$(sha256 "$WWW/one")" "$WORK/stdout" || fail "said: $(<"$WORK/stdout")"
	nothing_left "./bin ./data ./lib ./lib64 ./proc ./tmp ./usr "

	say "$RUNTIME: a read-only root takes what the bundle mounts; crun lets nobody put anything else there"
	reconfigure '.root.readonly = true'
	for method in bind copy; do
		annotate fetchfs.method $method
		ran tmpfs
		grep -q "^$(sha256 "$WWW/one")" "$WORK/stdout" || fail "said: $(<"$WORK/stdout")"
		nothing_left "./bin ./data ./lib ./lib64 ./proc ./tmp ./usr "
	done
	reconfigure '.mounts |= map(select(.destination != "/data"))'
	if [ $RUNTIME = crun ]; then
		refused 'data/one: Read-only file system' "./bin ./data ./lib ./lib64 ./proc ./tmp ./usr "
	else
		ran tmpfs
		grep -q "^$(sha256 "$WWW/one")" "$WORK/stdout" || fail "said: $(<"$WORK/stdout")"
		nothing_left "./bin ./data ./lib ./lib64 ./proc ./tmp ./usr "
	fi

	say "$RUNTIME: an absolute path is a file, of the roots that are allowed"
	bundle path 'cat /four'
	uris --arg path "$WORK/local/four" '[{value: $path}]'
	ran path
	[ "$(<"$WORK/stdout")" = "a local one" ] || fail "said: $(<"$WORK/stdout")"
	nothing_left
	for path in "$WWW/one" "$WORK/local/../www/one"; do
		uris --arg path "$path" '[{value: $path, output_file: "one"}]'
		refused 'forbidden by policy: add .file = '
	done
	uris '[{value: "local/four"}]'
	refused 'say its absolute path'

	say "$RUNTIME: stages are known without being named, and the environment may be empty"
	bundle tmpfs 'sha256sum </data/one'
	reconfigure '.mounts += [{destination: "/data", type: "tmpfs", source: "tmpfs"}]'
	annotate fetchfs.directory /data
	annotate fetchfs.method bind
	uris '[{value: "\($http)/one"}]'
	reconfigure '.hooks[][] |= (.args |= .[:-1] | .env = [])'
	ran tmpfs
	grep -q "^$(sha256 "$WWW/one")" "$WORK/stdout" || fail "said: $(<"$WORK/stdout")"
	nothing_left "./bin ./data ./lib ./lib64 ./proc ./tmp ./usr "

	say "$RUNTIME: in a user namespace, where root can undo a mount but not write"
	bundle user "cd /data; $(sums one | sed 's/^/echo "/; s/$/" | sha256sum -c --quiet;/')"'
		grep -c " /data/one ro,nosuid,nodev" /proc/self/mountinfo
		mount -o remount,rw,bind /data/one 2>/dev/null || :
		! echo x 2>/dev/null >>one
		! chmod 777 one 2>/dev/null'
	in_user_namespace
	reconfigure '.process.capabilities = (["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"] as $all |
		{bounding: $all, effective: $all, permitted: $all, inheritable: $all})'
	annotate fetchfs.directory /data
	uris '[{value: "\($http)/one"}]'
	ran user
	[ "$(<"$WORK/stdout")" = 1 ] || fail "no mount"
	nothing_left
	cached_is "$HTTP/one" one

	say "$RUNTIME: what is in an archive, in the folder or in one of its own, also in a user namespace"
	mkdir -p "$WORK/archive/deep"
	echo of an archive >"$WORK/archive/deep/file"
	tar -C "$WORK/archive" -czf "$WWW/archive.tgz" .
	bundle archive 'cat /data/deep/file /data/own/deep/file; grep -c " /data/\(deep\|own\) ro," /proc/self/mountinfo
		! rm -rf /data/own/deep 2>/dev/null; cat /data/own/deep/file'
	annotate fetchfs.directory /data
	annotate fetchfs.method bind
	uris '[{value: "\($http)/archive.tgz", extract: true},
		{value: "\($http)/archive.tgz", extract: true, output_file: "own"}]'
	for _ in 1 2; do
		ran archive
		[ "$(uniq "$WORK/stdout" | tr '\n' ' ')" = "of an archive 2 of an archive " ] || fail "said: $(<"$WORK/stdout")"
		nothing_left
		in_user_namespace
	done

	say "$RUNTIME: what cannot be had: a line for each, and nothing is left"
	bundle bad 'echo it ran'
	annotate fetchfs.directory /data
	uris '[{value: "\($http)/one"}, {value: "\($http)/status/404"}, {value: "\($http)/status/403"}]'
	refused 'status/404: .*(404|not found)'
	grep -q 'status/403' "$WORK/stderr" || fail "nothing of the second: $(<"$WORK/stderr")"
	in_user_namespace
	refused 'status/404: .*(404|not found)'

	if FETCHFS_FAULT=: fetchfs --version >/dev/null 2>&1; then
		say "(no fault points in this build)"
	else
		say "$RUNTIME: a hook that is killed in the middle"
		for fault in createRuntime:container.leased:2 createContainer:place.stub:1 createContainer:place.committed:1 \
			createContainer:container.placed:1; do
			bundle killed 'echo it ran'
			annotate fetchfs.directory /data
			annotate fetchfs.method bind
			uris '[{value: "\($http)/one"}, {value: "\($http)/two"}]'
			reconfigure ".hooks.${fault%%:*}[0].env += [\"FETCHFS_FAULT=${fault#*:}:kill\"]"
			! runs killed || fail "$fault: it runs"
			[ ! -s "$WORK/stdout" ] || fail "$fault: it ran"
			grep -Eq 'killed|exit code: (9|137)' "$WORK/stderr" || fail "$fault: not reached: $(<"$WORK/stderr")"
			runtime delete --force killed 2>/dev/null || :
			fetchfs gc
			[ "$(fetchfs sandboxes --json | jq -s 'map(select(.method == "pending")) | length')" -eq 0 ] ||
				fail "$fault: $(fetchfs sandboxes)"
			# (crun does not stop what it could not create)
			fetchfs release "$rootfs"
			nothing_left
		done
	fi

	say "$RUNTIME: an image's symbolic link leads nowhere"
	for target in / /etc ../../../etc "$WORK"; do
		bundle link 'echo it ran'
		ln -s "$target" "$rootfs/data"
		annotate fetchfs.directory /data
		annotate fetchfs.method copy
		uris '[{value: "\($http)/one", output_file: "x/one"}]'
		refused 'data is no folder, or a symbolic link' "./bin ./data ./lib ./lib64 ./proc ./tmp ./usr "
	done
	for target in / /etc "$WORK"; do
		[ ! -e "$target/x" ] || fail "it led outside"
	done

	say "$RUNTIME: what is in the way stays"
	bundle way 'echo it ran'
	echo mine >"$rootfs/one"
	uris '[{value: "\($http)/two"}, {value: "\($http)/one"}]'
	refused 'one exists and was not placed' "./bin ./lib ./lib64 ./one ./proc ./tmp ./usr "
	[ "$(<"$rootfs/one")" = mine ] || fail "overwritten"

	say "$RUNTIME: what makes no sense is refused"
	bundle wrong 'echo it ran'
	annotate fetchfs.uris '[{"value": "http://h/a"'
	refused 'fetchfs.uris: spec: line 1'
	for name in data /../etc /a//b /a/.; do
		annotate fetchfs.directory "$name"
		uris '[{value: "\($http)/one"}]'
		refused 'fetchfs.directory: '
	done
	annotate fetchfs.directory /
	annotate fetchfs.method symlink
	refused 'symlink'
	annotate fetchfs.method bind
	annotate fetchfs.user nobody-at-all
	refused 'no user nobody-at-all'
	annotate fetchfs.user root
	annotate fetchfs.uris "$(jq -n --arg uri "file://$WWW/one" '[{value: $uri}]')"
	refused 'forbidden by policy: add .file = '
	bundle half 'echo it ran'
	uris '[{value: "\($http)/one"}]'
	reconfigure 'del(.hooks.createRuntime)'
	refused 'was not fetched for this container'

	say "$RUNTIME: created, started, killed, deleted"
	bundle life 'touch /tmp/runs; exec sleep 600'
	annotate fetchfs.directory /data
	annotate fetchfs.method bind
	uris '[{value: "\($http)/one"}, {value: "\($http)/two", output_file: "a/b/two"}]'
	runtime create --bundle "$bundle" life >"$LOGS/life-$RUNTIME" 2>&1 || fail "$(<"$LOGS/life-$RUNTIME")"
	fetchfs sandboxes --json | jq -es --arg root "$rootfs" 'length == 2 and all(.method == "bind" and
		.directory == $root and .gone == false)' >/dev/null || fail "$(fetchfs sandboxes)"
	expect_failure 1 'leased|sandbox' "${fetchfs[@]}" evict "$HTTP/one"
	runtime start life
	wait_for 20 test -e "$rootfs/tmp/runs" || fail "it does not run"
	kill -KILL "$(runtime state life | jq .pid)"
	wait_for 20 eval '[ "$(runtime state life | jq -r .status)" = stopped ]' || fail "it does not end"
	leases_are 2
	runtime delete life || fail "delete"
	rm "$rootfs/tmp/runs"
	nothing_left

	say "$RUNTIME: deleted when its files are gone, and when there is no cache"
	runtime create --bundle "$bundle" life >>"$LOGS/life-$RUNTIME" 2>&1 || fail "$(<"$LOGS/life-$RUNTIME")"
	leases_are 2
	mv "$rootfs" "$WORK/moved"
	runtime delete --force life || fail "delete"
	leases_are 0
	rm -rf "$WORK/moved"
	bundle life 'exec sleep 600'
	uris '[{value: "\($http)/one"}]'
	runtime create --bundle "$bundle" life >>"$LOGS/life-$RUNTIME" 2>&1 || fail "$(<"$LOGS/life-$RUNTIME")"
	mv "$CACHE" "$CACHE.away"
	echo >"$CACHE"
	runtime delete --force life || fail "delete"
	rm "$CACHE"
	mv "$CACHE.away" "$CACHE"
	leases_are 1
	fetchfs release "$rootfs"
	nothing_left

	say "$RUNTIME: two at once of one artifact: one download"
	random_file 3M "$WWW/both-$RUNTIME" both
	for name in first second; do
		bundle $name "sha256sum </both"
		uris --arg name "slow/both-$RUNTIME" '[{value: "\($http)/\($name)", output_file: "both"}]'
		runtime run --bundle "$bundle" $name >"$LOGS/$name" 2>&1 &
		children+=($!)
	done
	wait "${children[-1]}" "${children[-2]}" || fail "two at once"
	for name in first second; do
		grep -q "^$(sha256 "$WWW/both-$RUNTIME")" "$LOGS/$name" || fail "$name: $(<"$LOGS/$name")"
	done
	settle_nginx
	[ "$(served "/slow/both-$RUNTIME")" -eq $((3 << 20)) ] || fail "served $(served "/slow/both-$RUNTIME")"
	nothing_left

	say "$RUNTIME: two containers in one root: the end of one leaves the other its own"
	bundle shared 'cat /tmp/go >/dev/null; sha256sum </data/one'
	annotate fetchfs.directory /data
	annotate fetchfs.method bind
	uris '[{value: "\($http)/one"}]'
	mkfifo "$rootfs/tmp/go"
	runtime run --bundle "$bundle" other >"$LOGS/other" 2>&1 &
	other=$!
	children+=("$other")
	wait_for 60 eval '[ "$(leases)" -eq 1 ] && fetchfs sandboxes | grep -q bind' || fail "the other is not there"
	reconfigure '.process.args[2] = "sha256sum </data/one"'
	ran shared
	grep -q "^$(sha256 "$WWW/one")" "$WORK/stdout" || fail "said: $(<"$WORK/stdout")"
	leases_are 1
	timeout 20 sh -c "echo >'$rootfs/tmp/go'" || fail "the other does not wait"
	wait $other || fail "the other: $(<"$LOGS/other")"
	grep -q "^$(sha256 "$WWW/one")" "$LOGS/other" || fail "the other said: $(<"$LOGS/other")"
	rm "$rootfs/tmp/go"
	nothing_left
done
no_debris
