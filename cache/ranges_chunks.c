/* The records of a map, one a chunk. */
#include "base/fd.h"
#include "cache/ranges_private.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* How many records to read at once. */
#define BATCH 512

/* Of one that was never written it is 0, too. */
static uint16_t check_of(const struct disk_chunk *record)
{
	const uint64_t numbers[] = {record->hash, record->filled, record->present};

	if (record->hash == 0 && record->filled == 0 && record->present == 0)
		return 0;
	return (uint16_t)XXH3_64bits(numbers, sizeof(numbers));
}

static int put_chunk(
	struct ranges *ranges, uint64_t chunk, const struct disk_chunk *made, struct err *err)
{
	struct disk_chunk record = *made;
	int r;

	record.check = check_of(&record);
	/* up to "wanted", which is not ours */
	r = fd_pwrite_all(
		ranges->fd, &record, offsetof(struct disk_chunk, wanted), chunk_offset(chunk));
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write map: %m") : 0;
}

int ranges_mark(struct ranges *ranges, uint64_t chunk, uint64_t hash, struct err *err)
{
	return put_chunk(ranges, chunk, &(struct disk_chunk){.hash = hash, .present = 1}, err);
}

int ranges_unmark(struct ranges *ranges, uint64_t chunk, struct err *err)
{
	return put_chunk(ranges, chunk, &(struct disk_chunk){.hash = 0}, err);
}

int ranges_forget(struct ranges *ranges, uint64_t chunk, uint64_t forgotten, struct err *err)
{
	static const struct disk_chunk none = {0};
	int r = fd_pwrite_all(ranges->fd, &none, sizeof(none), chunk_offset(chunk));

	if (r == 0)
		r = fd_pwrite_all(ranges->fd, &forgotten, sizeof(forgotten), FORGOTTEN_OFFSET);
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write map: %m") : 0;
}

int ranges_fill(
	struct ranges *ranges, uint64_t chunk, uint32_t filled, uint64_t hash, struct err *err)
{
	return put_chunk(ranges, chunk, &(struct disk_chunk){.hash = hash, .filled = filled}, err);
}

int ranges_want(const struct ranges *ranges, uint64_t chunk, struct err *err)
{
	static const uint8_t one = 1;
	struct timespec now;
	struct stat st;
	uint64_t stamp;
	int r;

	if (fstat(ranges->fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "read map: %m");
	/* only inside of what is allocated: a wish must not make the cache grow */
	if (chunk > (uint64_t)st.st_size || chunk_offset(chunk + 1) > (uint64_t)st.st_size)
		return 0;
	r = fd_pwrite_all(ranges->fd, &one, sizeof(one),
		chunk_offset(chunk) + offsetof(struct disk_chunk, wanted));
	if (r == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		stamp = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
		r = fd_pwrite_all(ranges->fd, &stamp, sizeof(stamp), WANTS_OFFSET);
	}
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write map: %m") : 0;
}

static struct ranges_chunk chunk_of(const struct disk_chunk *record)
{
	bool whole = record->check == check_of(record);

	return (struct ranges_chunk){
		.present = whole && record->present != 0,
		.wanted = record->wanted != 0,
		.filled = whole ? record->filled : 0,
		.hash = whole ? record->hash : 0,
	};
}

int ranges_chunks(const struct ranges *ranges, uint64_t first, uint64_t count,
	struct ranges_chunk *ret, struct err *err)
{
	for (uint64_t done = 0; done < count;) {
		struct disk_chunk records[BATCH] = {0};
		uint64_t batch = count - done < BATCH ? count - done : BATCH;
		ssize_t n = fd_pread_full(ranges->fd, records, batch * sizeof(records[0]),
			chunk_offset(first + done));

		if (n < 0)
			return err_set(err, ERR_SYSTEM, (int)-n, "read map: %m");
		for (uint64_t i = 0; i < batch; i++)
			ret[done + i] = chunk_of(&records[i]);
		done += batch;
	}
	return 0;
}

/* How many bytes of a chunk of @length are there. */
static uint64_t bytes_of(const struct ranges_chunk *record, uint64_t length)
{
	if (record->present)
		return length;
	return record->filled < length ? record->filled : 0;
}

int ranges_arrived(const struct ranges *ranges, int64_t size, uint64_t *ret, struct err *err)
{
	uint64_t chunks = size > 0 ? ((uint64_t)size + CHUNK_SIZE - 1) / CHUNK_SIZE : 0;
	struct ranges_chunk records[BATCH];
	uint64_t bytes = 0;
	uint64_t first;
	int r = ranges_frontier(ranges, &bytes, err);

	if (r < 0)
		return r;
	first = (bytes + CHUNK_SIZE - 1) / CHUNK_SIZE;
	while (first < chunks) {
		uint64_t count = chunks - first < BATCH ? chunks - first : BATCH;

		r = ranges_chunks(ranges, first, count, records, err);
		if (r < 0)
			return r;
		for (uint64_t i = 0; i < count; i++)
			bytes += bytes_of(&records[i], chunk_length(first + i, size));
		first += count;
	}
	*ret = bytes;
	return 0;
}
