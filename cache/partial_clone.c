/* The bytes of a file of this machine, without copying them: where file systems share blocks. */
#include "base/cleanup.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

/* Nothing is there, and nobody is at work. Under mu. */
static bool is_untouched(const struct partial *partial)
{
	for (uint64_t i = 0; i < partial->chunk_count; i++)
		if (partial->chunks[i] != CHUNK_MISSING || partial->filled[i] > 0)
			return false;
	return true;
}

int partial_clone(struct partial *partial, int fd, int *ret_fd)
{
	WITH_LOCK(&partial->mu);

	if (partial->roomed || partial->header.version.size < 0 || !is_untouched(partial))
		return -EOPNOTSUPP;
	/* of one moment: what is written to @fd before is in it, what is written later is not */
	if (ioctl(partial->fd, FICLONE, fd) < 0)
		return -EOPNOTSUPP;
	*ret_fd = partial->fd;
	return 0;
}
