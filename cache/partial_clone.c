/* The bytes of a file of this machine, without copying them: where file systems share blocks. */
#include "base/cleanup.h"
#include "base/fault.h"
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

/* No writer comes in between. */
static bool begin(struct partial *partial)
{
	WITH_LOCK(&partial->mu);

	if (partial->roomed || partial->header.version.size < 0 || !is_untouched(partial))
		return false;
	partial->picture = PICTURE_BEGUN;
	return true;
}

static void end(struct partial *partial, bool taken)
{
	WITH_LOCK(&partial->mu);

	partial->picture = taken ? PICTURE_TAKEN : PICTURE_NONE;
	pthread_cond_broadcast(&partial->pictured);
}

int partial_clone(struct partial *partial, int fd, int *ret_fd)
{
	bool taken;

	if (!begin(partial))
		return -EOPNOTSUPP;
	/* of one moment: what is written to @fd before is in it, what is written later is not; of a
	 * file in many pieces that takes seconds, in which readers may look what is there */
	taken = !fault_hit("partial.clone") && ioctl(partial->fd, FICLONE, fd) == 0;
	end(partial, taken);
	if (!taken)
		return -EOPNOTSUPP;
	*ret_fd = partial->fd;
	return 0;
}
