/* Directories that are changed by one at a time: fetchfs_hold_directory(). */
#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "fetch/context.h"

#include <errno.h>
#include <time.h>

/* The kernel has no such lock with a timeout. */
#define PAUSE_NS 10000000

int fetchfs_hold_directory(struct fetchfs *fetchfs, uint64_t device, uint64_t inode,
	int64_t timeout_ms, int *ret, struct err *err)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int64_t until = clock_monotonic_ms() + timeout_ms;
	struct lock lock = LOCK_INIT;
	int r;

	while ((r = cachedir_lock_directory(&fetchfs->dir, device, inode, &lock)) == -EAGAIN) {
		if (atomic_load(&fetchfs->closing))
			return err_set(err, ERR_CANCELLED, ECANCELED, "the cache is being closed");
		if (clock_monotonic_ms() >= until)
			return err_set_retry(err, ERR_SYSTEM, EBUSY, 0,
				"another process is changing the directory");
		nanosleep(&pause, NULL);
	}
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the directory: %m");
	*ret = fd_steal(&lock.fd);
	return 0;
}
