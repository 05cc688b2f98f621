#include "sandbox/place.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (1 << 20)

/* Where the kernel cannot copy between these two files, in its own time. */
static int copy_by_hand(int from, int to, uint64_t offset)
{
	CLEANUP(str_freep) char *buffer = malloc(BUFFER_SIZE);
	ssize_t n;
	int r;

	if (!buffer)
		return -ENOMEM;
	while ((n = fd_pread_full(from, buffer, BUFFER_SIZE, offset)) > 0) {
		r = fd_pwrite_all(to, buffer, (size_t)n, offset);
		if (r < 0)
			return r;
		offset += (uint64_t)n;
	}
	return (int)n;
}

static int copy_bytes(int from, int to)
{
	off_t in = 0, out = 0;

	for (;;) {
		ssize_t n = copy_file_range(from, &in, to, &out, SIZE_MAX / 4, 0);

		if (n == 0)
			/* some file systems answer 0 for what they cannot do */
			return copy_by_hand(from, to, (uint64_t)out);
		if (n > 0 || errno == EINTR)
			continue;
		if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
			return -errno;
		return copy_by_hand(from, to, (uint64_t)out);
	}
}

/* A file of no name, or, where the file system has no such thing, one of a random name. */
static int make_copy_file(struct placement *placement)
{
	uint64_t random;
	int fd;

	fd = openat(placement->parent, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(placement->temp, sizeof(placement->temp), ".fetchfs.%016llx",
		(unsigned long long)random);
	fd = openat(placement->parent, placement->temp,
		O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		fd = -errno;
		placement->temp[0] = '\0';
	}
	return fd;
}

static int begin_copy(struct placement *placement, int source, mode_t mode, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r;

	r = user_become(placement->folder->user, &guard, err);
	if (r < 0)
		return r;
	placement->copy = make_copy_file(placement);
	if (placement->copy < 0)
		return err_set(err, ERR_SYSTEM, -placement->copy, "make a file for %s/%s: %m",
			placement->folder->path, placement->name);
	r = fault_hit("place.copy") ? -errno : copy_bytes(source, placement->copy);
	if (r == 0 && fchmod(placement->copy, mode) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "copy to %s/%s: %m", placement->folder->path,
			placement->name);
	placement->source = placement->copy;
	return 0;
}

/* The link is root's doing, so ask whether the user may do it. */
static int begin_hardlink(struct placement *placement, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r;

	r = user_become(placement->folder->user, &guard, err);
	if (r < 0)
		return r;
	if (faccessat(placement->parent, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_set(err, ERR_SYSTEM, errno, "link %s/%s: %m", placement->folder->path,
			placement->name);
	return 0;
}

int place_begin(const struct folder *folder, int parent, const char *name, int source,
	enum plan_method method, mode_t mode, struct placement *ret, struct err *err)
{
	CLEANUP(place_release)
	struct placement placement = {
		.folder = folder,
		.name = name,
		.parent = parent,
		.source = source,
		.copy = -1,
		.method = method,
	};
	struct stat st;
	int r;

	r = method == PLAN_HARDLINK ? begin_hardlink(&placement, err)
				    : begin_copy(&placement, source, mode, err);
	if (r < 0)
		return r;
	if (fstat(placement.source, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat %s: %m", name);
	placement.inode = st.st_ino;
	*ret = placement;
	placement = PLACEMENT_INIT;
	return 0;
}

/* A second name, or the first, for what is open as @fd. */
static int link_descriptor(int fd, int parent, const char *last)
{
	char proc[32];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, parent, last, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* without /proc: needs CAP_DAC_READ_SEARCH */
	if (errno == ENOENT && linkat(fd, "", parent, last, AT_EMPTY_PATH) == 0)
		return 0;
	return -errno;
}

int place_commit(struct placement *placement, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	const char *last = folder_last(placement->name);
	int r = 0;

	if (placement->method == PLAN_COPY)
		r = user_become(placement->folder->user, &guard, err);
	if (r < 0)
		return r;
	if (fault_hit("place.link"))
		r = -errno;
	else if (!placement->temp[0])
		r = link_descriptor(placement->source, placement->parent, last);
	else if (renameat2(placement->parent, placement->temp, placement->parent, last,
			 RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == -EEXIST)
		return err_set(err, ERR_USAGE, EEXIST, "%s/%s is in the way",
			placement->folder->path, placement->name);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "%s %s/%s: %m",
			plan_method_name(placement->method), placement->folder->path,
			placement->name);
	placement->temp[0] = '\0';
	return 0;
}

void place_release(struct placement *placement)
{
	struct user_guard guard = {0};

	if (placement->temp[0] && user_become(placement->folder->user, &guard, NULL) == 0) {
		unlinkat(placement->parent, placement->temp, 0);
		placement->temp[0] = '\0';
		user_return(&guard);
	}
	fd_close(&placement->copy);
}
