/* A partial of which only parts are asked for has room for these and no more. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int partial_be_sparse(struct partial *partial, struct err *err)
{
	off_t size = (off_t)partial->header.version.size;
	int r;

	partial->roomed = calloc(partial->chunk_count + 1, sizeof(*partial->roomed));
	if (!partial->roomed)
		return err_oom(err);
	for (uint64_t i = 0; i < partial->chunk_count; i++) {
		partial->roomed[i] = partial_chunk_reach(partial, i) > i * CHUNK_SIZE;
		partial->rooms += partial->roomed[i];
	}
	partial->reserved = partial->rooms * CHUNK_SIZE;
	r = partial_reserve(partial, partial->reserved, partial->header.version.size, err);
	if (r < 0)
		return r;
	/* nothing else tells readers how long it will be */
	if (ftruncate(partial->fd, size) < 0)
		return err_set(err, ERR_SYSTEM, errno, "lengthen partial/%s: %m", partial->name);
	return partial->header.windowed ? partial_be_windowed(partial, err) : 0;
}

/* Caller holds room_mu. How many of the chunks [@first, @last] have no room. */
static uint64_t count_lacking(const struct partial *partial, uint64_t first, uint64_t last)
{
	uint64_t count = 0;

	for (uint64_t i = first; i <= last; i++)
		count += !partial->roomed[i];
	return count;
}

int partial_reserve_rooms(struct partial *partial, uint64_t count, struct err *err)
{
	uint64_t bytes = count * CHUNK_SIZE;
	int r;

	if (bytes <= partial->reserved)
		return 0;
	r = partial_reserve(partial, bytes, partial->header.version.size, err);
	if (r == 0)
		partial->reserved = bytes;
	return r;
}

int partial_allocate_chunk(struct partial *partial, uint64_t chunk, struct err *err)
{
	uint64_t size = (uint64_t)partial->header.version.size;
	uint64_t begin = chunk * CHUNK_SIZE;
	uint64_t length = size - begin < CHUNK_SIZE ? size - begin : CHUNK_SIZE;
	int r;

	do {
		r = fault_hit("partial.chunk") ||
				    fallocate(partial->fd, 0, (off_t)begin, (off_t)length) < 0
			    ? -errno
			    : 0;
	} while (r == -EINTR);
	if (r == -EOPNOTSUPP) /* written, it finds its room */
		r = 0;
	if (r < 0)
		return err_set(err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r,
			"allocate a chunk of partial/%s: %m", partial->name);
	partial->roomed[chunk] = true;
	partial->rooms++;
	return 0;
}

int partial_make_room_locked(
	struct partial *partial, uint64_t offset, uint64_t length, struct err *err)
{
	uint64_t size = (uint64_t)partial->header.version.size;
	uint64_t first = offset / CHUNK_SIZE;
	uint64_t last;
	uint64_t lacking;
	int r;

	if (!partial->roomed || length == 0 || offset >= size)
		return 0;
	last = (length < size - offset ? offset + length - 1 : size - 1) / CHUNK_SIZE;
	lacking = count_lacking(partial, first, last);
	if (lacking == 0)
		return 0;
	if (partial->window)
		return partial_move_window(partial, first, last, lacking, err);
	r = partial_reserve_rooms(partial, partial->rooms + lacking, err);
	for (uint64_t i = first; r == 0 && i <= last; i++)
		if (!partial->roomed[i])
			r = partial_allocate_chunk(partial, i, err);
	return r;
}

int partial_make_room(struct partial *partial, uint64_t offset, uint64_t length, struct err *err)
{
	WITH_LOCK(&partial->room_mu);

	return partial_make_room_locked(partial, offset, length, err);
}
