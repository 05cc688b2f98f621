# shellcheck shell=bash disable=SC2034 # variables are for the tests
# Sourced after namespace.sh (with `network`) and lib.sh: a site with machines behind a bridge, and the
# configuration of docs/fleet.md. Names and ports are those of the page. Only the site can reach the origin,
# which is at its loopback; a machine has the site's network and no route to anywhere else.

FLEET=$FETCHFS_SOURCE/docs/fleet.md
SITE=10.77.0.1
machines=() # pids that hold their namespaces

# block NAME: what the page has as the file NAME
block() {
	awk -v name="# $1" '
		/^```/ { inside = !inside; first = inside; take = 0; next }
		first { take = $0 == name; first = 0 }
		take' "$FLEET" | grep . || fail "docs/fleet.md has no $1"
}

# placed NAME [FROM TO]…: the same, with places of the test instead of the page's
placed() {
	local text
	text=$(block "$1") || exit
	shift
	for (( ; $#; )); do
		[[ $text == *"$1"* ]] || fail "docs/fleet.md says nothing of $1"
		text=${text//"$1"/"$2"}
		shift 2
	done
	printf '%s\n' "$text"
}

# start_site NAME…: all of the names are the site's
start_site() {
	if [ "${own_network:-none}" != "$(namespace_of $$)" ] || [ "$own_network" = "$(namespace_of 1)" ]; then
		fail "a site is built in no network but one that was made for the test"
	fi
	printf '%s\n' "127.0.0.1 localhost" "${@/#/$SITE }" "127.0.0.1 releases.example.org s3.lan" \
		>"$WORK/hosts"
	mount --bind "$WORK/hosts" /etc/hosts
	ip link set lo up
	ip link add site type bridge
	ip addr add $SITE/24 dev site
	ip link set site up
	unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
}

namespace_of() {
	readlink "/proc/$1/ns/net"
}

is_apart() {
	[ "$(namespace_of "$1")" != "$(namespace_of $$)" ]
}

# add_machines COUNT
add_machines() {
	local i pid
	for ((i = 1; i <= $1; i++)); do
		unshare -n sleep infinity &
		pid=$!
		children+=("$pid")
		machines[i]=$pid
		wait_for 20 is_apart "$pid" || fail "no namespace for machine $i"
		ip link add "machine$i" type veth peer name eth0 netns "$pid"
		ip link set "machine$i" master site up
		nsenter -t "$pid" -n sh -ec "ip link set lo up; ip addr add 10.77.0.$((100 + i))/24 dev eth0; ip link set eth0 up"
	done
}

# on NUMBER COMMAND…: fetchfs on this machine, with its cache and $CONFIG
on() {
	local machine=$1
	shift
	nsenter -t "${machines[machine]}" -n "$FETCHFS" --cache "$WORK/cache$machine" --config "$CONFIG" "$@"
}

# everywhere COMMAND…: on all machines at once
everywhere() {
	local i pids=() failed=0
	for i in "${!machines[@]}"; do
		on "$i" "$@" >"$LOGS/machine$i" 2>&1 &
		pids+=($!)
	done
	children+=("${pids[@]}")
	for i in "${pids[@]}"; do
		wait "$i" || failed=$((failed + 1))
	done
	[ $failed -eq 0 ] || fail "$failed machines failed: $(sort -u "$LOGS"/machine* | head -5)"
}

# old_file SIZE FILE: so old that all caches take it for lasting
old_file() {
	random_file "$1" "$2" "${2##*/}"
	touch -d '100 days ago' "$2"
}

# served_once PATH SIZE: by one request, though it may be asked whether it has changed
served_once() {
	grep "^GET $1 " "$ORIGIN_LOG" | awk -v size="$2" '
		$4 == 200 && $5 == size { whole++; next }
		$4 != 304 { other++ }
		END { exit whole != 1 || other }' ||
		fail "the origin was asked: $(grep " $1 " "$ORIGIN_LOG")"
}
