# shellcheck shell=bash
# Sourced before lib.sh: the script goes on in a mount namespace of its own, where it may put things
# over the machine's. Where there can be none, it is skipped. With NAMESPACES=-n it has a network of its own, too.
if [ -z "${FETCHFS_TEST_NAMESPACE-}" ]; then
	# shellcheck disable=SC2086 # none, or words
	if ! unshare ${NAMESPACES-} -m --propagation private true 2>/dev/null; then
		echo "skipped: needs namespaces of its own"
		exit 77
	fi
	# shellcheck disable=SC2086
	FETCHFS_TEST_NAMESPACE=1 exec unshare ${NAMESPACES-} -m --propagation private "$0"
fi

# The mounts of tests that run beside this one are in the namespace, too, and would live as long.
while read -r _ _ _ _ mountpoint _; do
	umount -l "$mountpoint" 2>/dev/null || :
done < <(grep ' - fuse\.fetchfs ' /proc/self/mountinfo)
unset mountpoint
