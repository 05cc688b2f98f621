#include "sandbox/clone.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (1 << 20)

int clone_reflink(int from, int to)
{
	return ioctl(to, FICLONE, from) < 0 ? -errno : 0;
}

/* Where the kernel cannot copy between these two files, in its own time. */
static int copy_by_hand(int from, int to, uint64_t offset)
{
	CLEANUP(str_freep) char *buffer = malloc(BUFFER_SIZE);
	ssize_t n;

	if (!buffer)
		return -ENOMEM;
	while ((n = fd_pread_full(from, buffer, BUFFER_SIZE, offset)) > 0) {
		int r = fd_pwrite_all(to, buffer, (size_t)n, offset);

		if (r < 0)
			return r;
		offset += (uint64_t)n;
	}
	return (int)n;
}

int clone_copy(int from, int to)
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
		/* 0 is said of what cannot be done, too */
		return copy_by_hand(from, to, (uint64_t)out);
	}
	return 0;
}
