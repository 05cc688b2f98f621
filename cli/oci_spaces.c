#include "cli/oci_spaces.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_SIZE 64
#define TEXT_MAX  65536 /* bytes of a file in /proc; a map has at most 340 lines */

static const char *proc_path(int64_t pid, const char *name, char ret[PATH_SIZE])
{
	snprintf(ret, PATH_SIZE, "/proc/%lld/%s", (long long)pid, name);
	return ret;
}

/* ---- the mount namespace ---- */

static bool is_same_space(int64_t pid)
{
	char path[PATH_SIZE];
	struct stat own, other;

	return stat("/proc/self/ns/mnt", &own) == 0 &&
	       stat(proc_path(pid, "ns/mnt", path), &other) == 0 && own.st_ino == other.st_ino &&
	       own.st_dev == other.st_dev;
}

/* As /proc numbers it, which may be of an outer namespace; 0: there is none. */
static int64_t pid_in_proc(int64_t pid)
{
	CLEANUP(fd_closep) int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	CLEANUP(str_freep) char *text = NULL;
	char path[PATH_SIZE];
	const char *line;
	size_t len;

	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (fd_read_file(AT_FDCWD, path, TEXT_MAX, &text, &len) < 0)
		return 0;
	line = strstr(text, "\nPid:");
	return line ? strtoll(line + strlen("\nPid:"), NULL, 10) : 0;
}

bool oci_spaces_is_inside(int64_t pid)
{
	int64_t outer = pid_in_proc(pid);

	return (outer > 0 && is_same_space(outer)) || is_same_space(pid);
}

int oci_spaces_mount(int64_t pid, uint64_t *ret, struct err *err)
{
	char path[PATH_SIZE];
	int r = spaces_of(proc_path(pid, "ns/mnt", path), ret);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "look at %s: %m", path) : 0;
}

int oci_spaces_enter(int64_t pid, struct err *err)
{
	char path[PATH_SIZE];
	CLEANUP(fd_closep) int fd = open(proc_path(pid, "ns/mnt", path), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
		return err_set(err, ERR_SYSTEM, errno, "enter %s: %m", path);
	return 0;
}

/* ---- its users ---- */

/* A line of a map: so many from @inside on are those from @outside on. */
struct range {
	unsigned long inside;
	unsigned long outside;
	unsigned long count;
};

typedef bool range_test(const struct range *range, unsigned long id);

static bool has_inside(const struct range *range, unsigned long id)
{
	return id >= range->inside && id - range->inside < range->count;
}

static bool has_outside(const struct range *range, unsigned long id)
{
	return id >= range->outside && id - range->outside < range->count;
}

/* Step over the number that *text begins with. */
static bool take_number(const char **text, unsigned long *ret)
{
	char *end;

	*ret = strtoul(*text, &end, 10);
	if (end == *text)
		return false;
	*text = end;
	return true;
}

static bool take_range(const char **text, struct range *ret)
{
	return take_number(text, &ret->inside) && take_number(text, &ret->outside) &&
	       take_number(text, &ret->count);
}

/* The first line of the map @name that has @id. 1, 0, or -errno. */
static int find_range(
	int64_t pid, const char *name, range_test *test, unsigned long id, struct range *ret)
{
	CLEANUP(str_freep) char *text = NULL;
	char path[PATH_SIZE];
	const char *rest;
	size_t len;
	int r = fd_read_file(AT_FDCWD, proc_path(pid, name, path), TEXT_MAX, &text, &len);

	if (r < 0)
		return r;
	rest = text;
	while (take_range(&rest, ret))
		if (test(ret, id))
			return 1;
	return 0;
}

static int map_one(
	int64_t pid, const char *name, unsigned long id, unsigned long *ret, struct err *err)
{
	struct range range;
	int r = find_range(pid, name, has_inside, id, &range);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "read /proc/%lld/%s: %m", (long long)pid, name);
	if (r == 0)
		return err_set(err, ERR_USAGE, ENOENT,
			"the container's user namespace has no %lu in its %s", id, name);
	*ret = range.outside + (id - range.inside);
	return 0;
}

int oci_spaces_map(
	int64_t pid, uid_t uid, gid_t gid, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	unsigned long host_uid, host_gid;
	int r = map_one(pid, "uid_map", uid, &host_uid, err);

	if (r == 0)
		r = map_one(pid, "gid_map", gid, &host_gid, err);
	if (r < 0)
		return r;
	*ret_uid = (uid_t)host_uid;
	*ret_gid = (gid_t)host_gid;
	return 0;
}

bool oci_spaces_maps_to(int64_t pid, uid_t uid)
{
	struct range range;

	/* who does not know had better believe it */
	return find_range(pid, "uid_map", has_outside, uid, &range) != 0;
}
