/* The configuration, and the cache that it names. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/units.h"
#include "cli/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Two files without a name, beside the objects. */
static void check_reflink(struct checks *checks, const char *path)
{
	CLEANUP(fd_closep) int from = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	CLEANUP(fd_closep) int to = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (from < 0 || to < 0)
		checks_tell(checks, "unnamed files", FINDING_NOTE,
			"put the cache on ext4, XFS or btrfs",
			"its file system has none: small downloads take longer");
	else if (fd_pwrite_all(from, "x", 1, 0) < 0 || fd_clone(from, to) < 0)
		checks_tell(checks, "reflink", FINDING_NOTE,
			"XFS and btrfs share the blocks of copies",
			"copies for sandboxes take room of their own; binds do not");
	else
		checks_tell(checks, "reflink", FINDING_GOOD, NULL,
			"copies for sandboxes share blocks with the cache");
}

static void check_room(struct checks *checks, struct fetchfs *fetchfs, const char *path)
{
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;
	char limit[UNITS_SIZE_TEXT];
	char used[UNITS_SIZE_TEXT];
	char left[UNITS_SIZE_TEXT];
	struct statvfs st;

	if (fetchfs_usage(fetchfs, &usage, &err) < 0 || statvfs(path, &st) < 0) {
		checks_tell(checks, "room", FINDING_BAD, NULL, "%s", err.msg);
		return;
	}
	units_format_size(usage.limit, limit);
	units_format_size(usage.used, used);
	units_format_size((uint64_t)st.f_bavail * st.f_frsize, left);
	if (usage.used < usage.limit &&
		(uint64_t)st.f_bavail * st.f_frsize < usage.limit - usage.used)
		checks_tell(checks, "room", FINDING_NOTE,
			"make room, or say a smaller size in [cache]",
			"%s of %s are used, and only %s are left on the disk", used, limit, left);
	else
		checks_tell(checks, "room", FINDING_GOOD, NULL, "%s of %s are used", used, limit);
}

void check_cache(struct checks *checks)
{
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	const char *path;

	if (cli_open(checks->cli, &fetchfs, &err) < 0) {
		checks_tell(checks, "cache", FINDING_BAD, NULL, "%s", err.msg);
		return;
	}
	path = fetchfs_cache_path(fetchfs);
	checks_tell(checks, "cache", FINDING_GOOD, NULL, "%s", path);
	check_room(checks, fetchfs, path);
	check_reflink(checks, path);
	fetchfs_close(fetchfs);
}
