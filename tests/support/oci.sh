# shellcheck shell=bash
# Sourced after lib.sh by the tests of oci-hook: bundles, and the runtimes of Debian.

# runtime COMMAND…: of $RUNTIME. crun does not bear both versions of control groups at once, and needs
# none here.
runtime() {
	case $RUNTIME in
	runc) timeout 120 runc --root "$WORK/runc" "$@" ;;
	crun)
		# shellcheck disable=SC2016 # for the other shell
		timeout 120 unshare -m sh -c 'mount -t cgroup2 none /sys/fs/cgroup &&
			exec crun --cgroup-manager disabled "$@"' crun --root "$WORK/crun" "$@"
		;;
	esac </dev/null
}

# bundle NAME SCRIPT [JQ]: a container with the machine's programs that runs SCRIPT, all stages hooked; JQ
# changes its configuration. (What hooks say runc tells; for crun it is in $LOGS/hooks.) $bundle is its folder, $rootfs that of its files.
bundle() {
	local dir
	bundle=$WORK/$1
	rootfs=$bundle/rootfs
	rm -rf "$bundle"
	mkdir -p "$rootfs"/{proc,dev,usr,tmp}
	for dir in bin lib lib64; do ln -s usr/$dir "$rootfs/$dir"; done
	jq -n --arg script "$2" --arg stderr "$LOGS/hooks" --argjson hooks "$(hooks)" '{
		ociVersion: "1.0.2",
		root: {path: "rootfs"},
		process: {user: {uid: 0, gid: 0}, cwd: "/", env: ["PATH=/usr/bin:/bin"],
			args: ["sh", "-euc", $script]},
		mounts: [{destination: "/proc", type: "proc", source: "proc"},
			{destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"]}],
		annotations: {"run.oci.hooks.stderr": $stderr},
		hooks: $hooks,
		linux: {namespaces: [{type: "mount"}, {type: "pid"}, {type: "network"}]}}' |
		jq "${3-.}" >"$bundle/config.json"
}

# The hooks of docs/examples, by the names of this test. Their environment is empty, but for the sanitizers.
hooks() {
	jq --arg path "$FETCHFS" --arg cache "$CACHE" --arg config "$CONFIG" --arg asan "ASAN_OPTIONS=$ASAN_OPTIONS" \
		'.[][] |= {path: $path, env: [$asan],
			args: (.args[:1] + ["--cache", $cache, "--config", $config] + .args[1:])}' \
		"$FETCHFS_SOURCE/docs/examples/oci-hooks.json"
}

# reconfigure JQ: the bundle, once more.
reconfigure() {
	local text
	text=$(jq "$1" "$bundle/config.json")
	echo "$text" >"$bundle/config.json"
}

# annotate NAME VALUE: of the bundle.
annotate() {
	local text
	text=$(jq --arg name "$1" --arg value "$2" '.annotations[$name] = $value' "$bundle/config.json")
	echo "$text" >"$bundle/config.json"
}

# uris JQ…: the list of what is placed.
uris() {
	annotate fetchfs.uris "$(jq -n --arg http "$HTTP" "$@")"
}

# The users of the container are those from 100000 on out here.
in_user_namespace() {
	reconfigure '.linux += {namespaces: (.linux.namespaces + [{type: "user"}]),
		uidMappings: [{containerID: 0, hostID: 100000, size: 65536}],
		gidMappings: [{containerID: 0, hostID: 100000, size: 65536}]}'
	rm -rf "${rootfs:?}/dev" # devices that a runtime made there as root
	mkdir "$rootfs/dev"
	chown -hR 100000:100000 "$rootfs"
}

# Whatever happened: no lease, nothing mounted, and in the files of the container nothing but its own.
nothing_left() {
	local left
	leases_are 0
	no_mounts
	left=$(cd "$rootfs" && find . -mindepth 1 -path ./dev -prune -o -mindepth 1 -print | sort | tr '\n' ' ')
	[ "$left" = "${1-./bin ./lib ./lib64 ./proc ./tmp ./usr }" ] || fail "left: $left"
}
