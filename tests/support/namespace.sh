# shellcheck shell=bash
# Sourced before lib.sh: the script goes on in a mount namespace of its own, where it may put things
# over the machine's. Where there can be none, it is skipped.
if [ -z "${FETCHFS_TEST_NAMESPACE-}" ]; then
	if ! unshare -m --propagation private true 2>/dev/null; then
		echo "skipped: needs a mount namespace"
		exit 77
	fi
	FETCHFS_TEST_NAMESPACE=1 exec unshare -m --propagation private "$0"
fi

# The mounts of tests that run beside this one are in the namespace, too, and would live as long.
while read -r _ _ _ _ mountpoint _; do
	umount -l "$mountpoint" 2>/dev/null || :
done < <(grep ' - fuse\.fetchfs ' /proc/self/mountinfo)
unset mountpoint
