#include "base/fd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_SIZE (1 << 20) /* bytes at a time, where the kernel does not copy itself */

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void fd_closep(int *fd)
{
	fd_close(fd);
}

int fd_steal(int *fd)
{
	int given = *fd;

	*fd = -1;
	return given;
}

int fd_pwrite_all(int fd, const void *buf, size_t len, uint64_t offset)
{
	const char *p = buf;

	if (fault_hit("fd.write"))
		return -errno;
	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_pread_full(int fd, void *buf, size_t len, uint64_t offset)
{
	char *p = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, p + done, len - done, (off_t)(offset + done));

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len)
{
	CLEANUP(fd_closep) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	CLEANUP(str_freep) char *buf = NULL;
	size_t cap = 4096;
	size_t len = 0;

	if (fd < 0)
		return -errno;

	for (;;) {
		char *bigger = realloc(buf, cap + 1);
		ssize_t n;

		if (!bigger)
			return -ENOMEM;
		buf = bigger;

		/* by read(), not pread(): /dev/stdin and pipes are files here, too */
		n = read(fd, buf + len, cap - len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (len == cap)
			cap *= 2;
	}

	buf[len] = '\0';
	*ret = str_steal(&buf);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int fd_open_list(int dirfd, const char *name, DIR **ret)
{
	CLEANUP(fd_closep)
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (!*ret)
		return -ENOMEM;
	fd_steal(&fd);
	return 0;
}

void fd_close_list(DIR **list)
{
	if (*list)
		closedir(*list);
}

int fd_clone(int from, int to)
{
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	if (errno == EXDEV || errno == EINVAL || errno == ENOTTY || errno == EOPNOTSUPP)
		return -EOPNOTSUPP;
	return -errno;
}

/* From @offset on. */
static int copy_by_hand(int from, int to, uint64_t offset)
{
	CLEANUP(str_freep) char *buffer = malloc(COPY_SIZE);
	ssize_t n;

	if (!buffer)
		return -ENOMEM;
	while ((n = fd_pread_full(from, buffer, COPY_SIZE, offset)) > 0) {
		int r = fd_pwrite_all(to, buffer, (size_t)n, offset);

		if (r < 0)
			return r;
		offset += (uint64_t)n;
	}
	return (int)n;
}

int fd_copy(int from, int to)
{
	off_t in = 0, out = 0;
	struct stat st;

	if (fstat(from, &st) < 0)
		return -errno;
	while (out < st.st_size) {
		ssize_t n = copy_file_range(from, &in, to, &out, SIZE_MAX / 4, 0);

		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return -errno;
		/* some file systems say 0 of what they cannot do */
		return copy_by_hand(from, to, (uint64_t)out);
	}
	return 0;
}

void fd_expect(unsigned int count)
{
	struct rlimit limit;
	int highest;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit all = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &all) == 0)
			limit = all;
	}
	if (count > limit.rlim_cur)
		count = (unsigned int)limit.rlim_cur;
	/* any open one will do; where there is none the table grows when it must */
	highest = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, (int)count - 1);
	fd_close(&highest);
}
