# shellcheck shell=bash
# Sourced before lib.sh: the script goes on in a mount namespace of its own, where it may put things
# over the machine's; sourced with the word `network`, in a network of its own, too. Where there can be
# none, it is skipped.
#
# What a script inherits makes it neither stay in the machine's nor ask for others: the variable that tells
# it that it comes from here names the process, which is the same before and after, and what it has left.
if [ "${FETCHFS_TEST_NAMESPACE%% *}" != $$ ]; then
	unshare=(unshare --mount --propagation private)
	[ "${1-}" != network ] || unshare+=(--net)
	if ! "${unshare[@]}" true 2>/dev/null; then
		echo "skipped: needs namespaces of its own"
		exit 77
	fi
	FETCHFS_TEST_NAMESPACE="$$ $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net)" \
		exec "${unshare[@]}" "$0"
fi

# The network that was made for this script, if one was: site.sh builds in no other.
own_network=
read -r _ left_mounts left_network <<<"$FETCHFS_TEST_NAMESPACE"
[ "$(readlink /proc/self/ns/net)" = "$left_network" ] || own_network=$(readlink /proc/self/ns/net)
if [ "$(readlink /proc/self/ns/mnt)" = "$left_mounts" ] || { [ "${1-}" = network ] && [ -z "$own_network" ]; }; then
	echo "FAIL: these are the namespaces of who has started the test" >&2
	exit 1
fi
unset FETCHFS_TEST_NAMESPACE left_mounts left_network

# The mounts of tests that run beside this one are in the namespace, too, and would live as long.
while read -r _ _ _ _ mountpoint _; do
	umount -l "$mountpoint" 2>/dev/null || :
done < <(grep ' - fuse\.fetchfs ' /proc/self/mountinfo)
unset mountpoint
