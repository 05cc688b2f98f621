/* What can be asked of a partial. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* How many records of the map to look at at once. */
#define BATCH 512

const struct ranges_version *partial_version(const struct partial *partial)
{
	return &partial->header.version;
}

bool partial_has_data(const struct partial *partial)
{
	return partial->fd >= 0;
}

uint64_t partial_frontier(struct partial *partial)
{
	WITH_LOCK(&partial->mu);

	return partial->frontier;
}

uint64_t partial_chunk_reach(const struct partial *partial, uint64_t chunk)
{
	uint64_t start = chunk * CHUNK_SIZE;

	if (chunk >= partial->chunk_count)
		return start;
	if (partial->chunks[chunk] == CHUNK_PRESENT)
		return start + chunk_length(chunk, partial->header.version.size);
	return start + partial->filled[chunk];
}

/* Under mu. Whether chunk @chunk is there, up to byte @end of the file. */
static bool is_there(const struct partial *partial, uint64_t chunk, uint64_t end)
{
	if (chunk < partial->chunk_count && partial->chunks[chunk] == CHUNK_PRESENT)
		return true;
	if (end > (chunk + 1) * CHUNK_SIZE)
		end = (chunk + 1) * CHUNK_SIZE;
	return partial_chunk_reach(partial, chunk) >= end;
}

bool partial_has(struct partial *partial, uint64_t offset, uint64_t length)
{
	WITH_LOCK(&partial->mu);

	if (length == 0 || (offset <= partial->frontier && length <= partial->frontier - offset))
		return true;
	if (length > UINT64_MAX - offset)
		return false;
	for (uint64_t i = offset / CHUNK_SIZE; i <= (offset + length - 1) / CHUNK_SIZE; i++) {
		if (!is_there(partial, i, offset + length))
			return false;
	}
	return true;
}

uint64_t partial_arrived(struct partial *partial)
{
	WITH_LOCK(&partial->mu);
	uint64_t bytes = partial->frontier;

	for (uint64_t i = (bytes + CHUNK_SIZE - 1) / CHUNK_SIZE; i < partial->chunk_count; i++)
		bytes += partial_chunk_reach(partial, i) - i * CHUNK_SIZE;
	return bytes;
}

int64_t partial_next_gap(struct partial *partial, uint64_t from)
{
	WITH_LOCK(&partial->mu);
	uint64_t chunk = from / CHUNK_SIZE;

	while (chunk < partial->chunk_count && partial->chunks[chunk] == CHUNK_PRESENT)
		chunk++;
	if (partial->header.version.size >= 0 && chunk >= partial->chunk_count)
		return -1;
	return (int64_t)partial_chunk_reach(partial, chunk);
}

/* The first of @count records that is wanted and on which nobody works; @count: none. */
static uint64_t first_wanted(
	struct partial *partial, uint64_t first, const struct ranges_chunk *records, uint64_t count)
{
	WITH_LOCK(&partial->mu);

	for (uint64_t i = 0; i < count; i++) {
		if (records[i].wanted && partial->chunks[first + i] == CHUNK_MISSING)
			return i;
	}
	return count;
}

static int64_t scan_wanted(struct partial *partial, uint64_t chunk_count)
{
	struct ranges_chunk records[BATCH];

	for (uint64_t first = 0; first < chunk_count; first += BATCH) {
		uint64_t count = chunk_count - first < BATCH ? chunk_count - first : BATCH;
		uint64_t i;

		if (ranges_chunks(partial->ranges, first, count, records, NULL) < 0)
			return -1; /* a wish that cannot be read is not granted early */
		i = first_wanted(partial, first, records, count);
		if (i < count)
			return (int64_t)((first + i) * CHUNK_SIZE);
	}
	return -1;
}

int64_t partial_next_wanted(struct partial *partial)
{
	uint64_t chunk_count;
	uint64_t wants;
	int64_t found;

	if (ranges_wants(partial->ranges, &wants, NULL) < 0)
		return -1;
	{
		WITH_LOCK(&partial->mu);

		if (wants == partial->wants_seen && !partial->wants_left)
			return -1;
		/* now, so that what is wished during the scan makes for another one */
		partial->wants_seen = wants;
		partial->wants_left = false;
		chunk_count = partial->chunk_count;
	}
	found = scan_wanted(partial, chunk_count);
	if (found >= 0) {
		WITH_LOCK(&partial->mu);

		partial->wants_left = true;
	}
	return found;
}

bool partial_whole_wanted(const struct partial *partial)
{
	bool wanted = false;

	/* a wish that cannot be read is not granted */
	return ranges_whole_wanted(partial->ranges, &wanted, NULL) == 0 && wanted;
}

int partial_reader_fd(const struct partial *partial)
{
	char file[PARTIAL_FILE_SIZE];
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;
	int r;

	partial_data_file(partial->name, file);
	fd = openat(partial->store->dir->partial_fd, file,
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	/* by this name, what is no longer ours would be shown */
	if (fstat(fd, &st) < 0 || st.st_ino != partial->header.data_inode)
		return -ESTALE;
	r = lock_mark_open(fd); /* it will be the object's: open, so no victim */
	return r < 0 ? r : fd_steal(&fd);
}
