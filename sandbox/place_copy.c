/* The bytes in a file of the user's own: copied, or sharing the blocks of the cached file. */
#include "sandbox/place_private.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
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

static int fill(const struct placement *placement)
{
	const struct place_order *order = &placement->order;
	int r;

	if (fault_hit("place.copy"))
		return -errno;
	if (order->method == PLAN_REFLINK)
		r = fd_clone(order->source, placement->own);
	else
		r = copy_bytes(order->source, placement->own);
	if (r == 0 && fchmod(placement->own, order->mode) < 0)
		r = -errno;
	return r;
}

int place_copy_begin(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	CLEANUP(user_return) struct user_guard guard = {0};
	struct stat st;
	int r;

	r = place_make_file(placement, err);
	if (r == 0)
		r = user_become(order->folder->user, &guard, err);
	if (r < 0)
		return r;
	r = fill(placement);
	if (r == 0)
		place_set_time(placement);
	if (r == 0 && fstat(placement->own, &st) < 0)
		r = -errno;
	if (r == -EOPNOTSUPP)
		return err_set(err, ERR_SYSTEM, EOPNOTSUPP,
			"reflink %s/%s: it and the cache are not on one file system that shares "
			"blocks",
			order->folder->path, order->name);
	if (r < 0)
		return place_failed(placement, r, err);
	placement->inode = st.st_ino;
	return 0;
}

int place_copy_commit(struct placement *placement, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r;

	r = user_become(placement->order.folder->user, &guard, err);
	return r < 0 ? r : place_failed(placement, place_give_name(placement), err);
}
