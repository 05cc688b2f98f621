#include "base/lock.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>

static struct flock bytes(uint64_t offset, uint64_t length, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)offset,
		.l_len = (off_t)length,
	};
}

static struct flock one_byte(uint64_t offset, short type)
{
	return bytes(offset, 1, type);
}

static int acquire(int dirfd, const char *name, struct flock request, int command, struct lock *ret)
{
	/* a shared lock can be had where nothing can be written */
	int mode = request.l_type == F_RDLCK ? O_RDONLY : O_RDWR;
	CLEANUP(fd_closep) int fd = openat(dirfd, name, mode | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	while (fcntl(fd, command, &request) < 0) {
		if (errno == EINTR)
			continue;
		return errno == EACCES ? -EAGAIN : -errno;
	}
	*ret = (struct lock){.fd = fd_steal(&fd)};
	return 0;
}

static short type_of(enum lock_mode mode)
{
	return mode == LOCK_SHARED ? F_RDLCK : F_WRLCK;
}

int lock_try(int dirfd, const char *name, uint64_t offset, enum lock_mode mode, struct lock *ret)
{
	return acquire(dirfd, name, one_byte(offset, type_of(mode)), F_OFD_SETLK, ret);
}

int lock_wait(int dirfd, const char *name, uint64_t offset, enum lock_mode mode, struct lock *ret)
{
	return acquire(dirfd, name, one_byte(offset, type_of(mode)), F_OFD_SETLKW, ret);
}

int lock_wait_range(int dirfd, const char *name, uint64_t offset, uint64_t length,
	enum lock_mode mode, struct lock *ret)
{
	return acquire(dirfd, name, bytes(offset, length, type_of(mode)), F_OFD_SETLKW, ret);
}

void lock_release(struct lock *lock)
{
	fd_close(&lock->fd);
}

struct lock lock_steal(struct lock *lock)
{
	return (struct lock){.fd = fd_steal(&lock->fd)};
}

/* What would exclude an exclusive lock of the byte; its type is F_UNLCK when nothing would. */
static int probe(int dirfd, const char *name, uint64_t offset, struct flock *ret)
{
	struct flock request = one_byte(offset, F_WRLCK);
	CLEANUP(fd_closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &request) < 0)
		return -errno;
	*ret = request;
	return 0;
}

int lock_is_held(int dirfd, const char *name, uint64_t offset)
{
	struct flock found;
	int r = probe(dirfd, name, offset, &found);

	return r < 0 ? r : found.l_type != F_UNLCK;
}

int lock_is_in_range(int dirfd, const char *name, uint64_t offset)
{
	struct flock found;
	int r = probe(dirfd, name, offset, &found);

	if (r < 0)
		return r;
	return found.l_type == F_UNLCK ? -ENOENT : found.l_len != 1;
}

int lock_mark_open(int fd)
{
	struct flock request = one_byte(0, F_RDLCK);

	return fcntl(fd, F_OFD_SETLK, &request) < 0 ? -errno : 0;
}

int lock_is_marked(int fd)
{
	struct flock request = one_byte(0, F_WRLCK);

	if (fcntl(fd, F_OFD_GETLK, &request) < 0)
		return -errno;
	return request.l_type != F_UNLCK;
}
