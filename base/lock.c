#include "base/lock.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>

static struct flock one_byte(uint64_t offset, short type)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1};
}

static int set(int fd, uint64_t offset, enum lock_mode mode, int command)
{
	struct flock request = one_byte(offset, mode == LOCK_SHARED ? F_RDLCK : F_WRLCK);

	while (fcntl(fd, command, &request) < 0) {
		if (errno == EINTR)
			continue;
		return errno == EACCES ? -EAGAIN : -errno;
	}
	return 0;
}

static int acquire(int dirfd, const char *name, uint64_t offset, enum lock_mode mode, int command,
	struct lock *ret)
{
	CLEANUP(fd_closep) int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : set(fd, offset, mode, command);

	if (r < 0)
		return r;
	*ret = (struct lock){.fd = fd_steal(&fd)};
	return 0;
}

int lock_try(int dirfd, const char *name, uint64_t offset, enum lock_mode mode, struct lock *ret)
{
	return acquire(dirfd, name, offset, mode, F_OFD_SETLK, ret);
}

int lock_wait(int dirfd, const char *name, uint64_t offset, enum lock_mode mode, struct lock *ret)
{
	return acquire(dirfd, name, offset, mode, F_OFD_SETLKW, ret);
}

int lock_also(const struct lock *lock, uint64_t offset, enum lock_mode mode)
{
	return set(lock->fd, offset, mode, F_OFD_SETLKW);
}

void lock_release(struct lock *lock)
{
	fd_close(&lock->fd);
}

struct lock lock_steal(struct lock *lock)
{
	return (struct lock){.fd = fd_steal(&lock->fd)};
}

int lock_is_held(int dirfd, const char *name, uint64_t offset)
{
	struct flock request = one_byte(offset, F_WRLCK);
	CLEANUP(fd_closep) int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &request) < 0)
		return -errno;
	return request.l_type != F_UNLCK;
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
