#include "sandbox/put.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_SIZE 32

static int make_temp_name(char ret[TEMP_SIZE])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(ret, TEMP_SIZE, ".fetchfs.%016llx", (unsigned long long)random);
	return 0;
}

/* What is called @temp gets its name, or none. */
static int rename_over(int parent, const char *temp, const char *name)
{
	int r = fault_hit("put.rename")                    ? -errno
		: renameat(parent, temp, parent, name) < 0 ? -errno
							   : 0;

	/* two names of one file: rename() leaves both */
	unlinkat(parent, temp, 0);
	return r;
}

/* ---- a file of its own ---- */

/* A copy while it is made: without a name, so that nothing is left of it if this process dies. */
struct copy {
	int fd;
	char temp[TEMP_SIZE]; /* where files cannot be without a name, or "" */
};

static int make_copy(int parent, struct copy *ret)
{
	int r;

	*ret = (struct copy){.fd = openat(parent, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
	if (ret->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return -errno;
	r = make_temp_name(ret->temp);
	if (r < 0)
		return r;
	ret->fd =
		openat(parent, ret->temp, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	return ret->fd < 0 ? -errno : 0;
}

static int dress(const struct put *put, int fd)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW},
		put->modified ? *put->modified : (struct timespec){.tv_nsec = UTIME_NOW}};

	if (fchmod(fd, put->mode) < 0)
		return -errno;
	return put->modified && futimens(fd, times) < 0 ? -errno : 0;
}

/* A name for the file behind @fd. */
static int link_descriptor(int fd, int parent, const char *name)
{
	char proc[32];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, proc, parent, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* By way of a second name when there is something in the way. */
static int link_over(const struct put *put, int fd)
{
	char temp[TEMP_SIZE];
	int r = link_descriptor(fd, put->parent, put->name);

	if (r != -EEXIST || put->exclusive)
		return r;
	r = make_temp_name(temp);
	if (r == 0)
		r = link_descriptor(fd, put->parent, temp);
	return r < 0 ? r : rename_over(put->parent, temp, put->name);
}

static int name_copy(const struct put *put, struct copy *copy)
{
	if (!copy->temp[0])
		return link_over(put, copy->fd);
	if (!put->exclusive)
		return rename_over(put->parent, copy->temp, put->name);
	if (renameat2(put->parent, copy->temp, put->parent, put->name, RENAME_NOREPLACE) < 0)
		return -errno;
	copy->temp[0] = '\0';
	return 0;
}

/* ---- another name of the source ---- */

/* The link is the caller's doing, so ask whether the user may do it. */
static int may_write(const struct put *put)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r = user_become(put->user, &guard, NULL);

	if (r < 0)
		return r;
	return faccessat(put->parent, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int put_hardlink(const struct put *put)
{
	int r = may_write(put);

	return r < 0 ? r : link_over(put, put->source);
}

/* ---- both ---- */

static void note_inode(int fd, uint64_t *ret)
{
	struct stat st;

	if (ret && fstat(fd, &st) == 0)
		*ret = st.st_ino;
}

/* 1: no blocks can be shared, and a hardlink is to be tried. */
static int fill(const struct put *put, const struct copy *copy, bool try_hardlink)
{
	int r = fault_hit("put.copy") ? -errno : fd_clone(put->source, copy->fd);

	if (r == 0 || r == -ENOSPC || r == -EDQUOT)
		return r;
	if (put->only)
		return r;
	return try_hardlink ? 1 : fd_copy(put->source, copy->fd);
}

static int put_copy(const struct put *put, bool try_hardlink, uint64_t *ret_inode)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	struct copy copy;
	int r = user_become(put->user, &guard, NULL);

	if (r < 0)
		return r;
	r = make_copy(put->parent, &copy);
	if (r == 0)
		r = fill(put, &copy, try_hardlink);
	if (r == 0)
		r = dress(put, copy.fd);
	if (r == 0)
		r = name_copy(put, &copy);
	if (r == 0)
		note_inode(copy.fd, ret_inode);
	if (r != 0 && copy.temp[0])
		unlinkat(put->parent, copy.temp, 0);
	fd_close(&copy.fd);
	return r;
}

int put_file(const struct put *put, uint64_t *ret_inode)
{
	int r = put->only && put->hardlink ? 1 : put_copy(put, put->hardlink, ret_inode);

	if (r <= 0)
		return r;
	r = put_hardlink(put);
	if (r == 0)
		note_inode(put->source, ret_inode);
	if (put->only)
		return r;
	/* another file system, too many links, or the kernel's protection */
	if (r == -EXDEV || r == -EMLINK || r == -EPERM)
		r = put_copy(put, false, ret_inode);
	return r;
}

int put_link(const struct user *user, int parent, const char *name, const char *target,
	bool exclusive, const struct timespec *modified, uint64_t *ret_inode)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	const struct timespec now = {.tv_nsec = UTIME_NOW};
	const struct timespec times[2] = {now, modified ? *modified : now};
	char temp[TEMP_SIZE];
	struct stat st;
	int r = user_become(user, &guard, NULL);

	if (r == 0)
		r = make_temp_name(temp);
	if (r == 0 && symlinkat(target, parent, exclusive ? name : temp) < 0)
		r = -errno;
	if (r == 0 && !exclusive)
		r = rename_over(parent, temp, name);
	if (r < 0)
		return r;
	/* best effort: who owns the folder may have been at it */
	utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
	if (ret_inode && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*ret_inode = st.st_ino;
	return 0;
}
