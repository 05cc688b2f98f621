#!/bin/bash
# What tests put over the machine's own comes into namespaces that were made for them, whatever they inherit.
# ("The machine" is a namespace here, too.)
. "$(dirname "$0")/../support/namespace.sh" network
. "$(dirname "$0")/../support/lib.sh"
need_root
need_program ip

support=$FETCHFS_SOURCE/tests/support
namespaces=$(readlink /proc/self/ns/mnt /proc/self/ns/net)

# script NAME LINES…: a test of these lines
script() {
	local name=$1
	shift
	printf '%s\n' "#!/bin/bash" "$@" >"$WORK/$name"
	chmod 755 "$WORK/$name"
}

# where NAME [VARIABLE=VALUE…]: the namespaces in which it runs, differing from ours
where() {
	local name=$1
	shift
	env "$@" "$WORK/$name" >"$WORK/out" 2>&1 || fail "$name with ${*-}: $(<"$WORK/out")"
	diff --changed-group-format='%>' --unchanged-group-format= <(echo "$namespaces") "$WORK/out" | cut -d: -f1 | xargs
}

script plain ". '$support/namespace.sh'" "readlink /proc/self/ns/mnt /proc/self/ns/net"
script network ". '$support/namespace.sh' network" "readlink /proc/self/ns/mnt /proc/self/ns/net"
script pretends "exec env FETCHFS_TEST_NAMESPACE=\"\$\$ $(xargs <<<"$namespaces")\" '$WORK/plain'"

say "namespaces are those that the script asks for"
[ "$(where plain)" = mnt ] || fail "plain: $(<"$WORK/out")"
[ "$(where network)" = "mnt net" ] || fail "network: $(<"$WORK/out")"

say "not those that its environment asks for, or pretends to have made"
for inherited in NAMESPACES=ci NAMESPACES=-n FETCHFS_TEST_NAMESPACE=1 "FETCHFS_TEST_NAMESPACE=$$ a b"; do
	[ "$(where plain "$inherited")" = mnt ] || fail "$inherited: $(<"$WORK/out")"
	[ "$(where network "$inherited")" = "mnt net" ] || fail "$inherited: $(<"$WORK/out")"
done
expect_failure 1 "FAIL: .*namespaces" "$WORK/pretends"

say "a site is built in a network of its own only"
lines=(". '$support/lib.sh'" ". '$support/site.sh'" "start_site a.lan" "readlink /proc/self/ns/mnt /proc/self/ns/net")
script homeless "${lines[@]}"
script guest ". '$support/namespace.sh'" "${lines[@]}"
script site ". '$support/namespace.sh' network" "${lines[@]}"
for name in homeless guest; do
	for inherited in A=b FETCHFS_TEST_NAMESPACE=1 own_network=net "own_network=$(readlink /proc/1/ns/net)"; do
		expect_failure 1 "FAIL: a site is built in no network" env "$inherited" "$WORK/$name"
	done
done
! ip link show site >/dev/null 2>&1 || fail "the network has a bridge now"
! grep ' /etc/hosts ' /proc/self/mountinfo || fail "somebody else's names"
[ "$(where site)" = "mnt net" ] || fail "site: $(<"$WORK/out")"
