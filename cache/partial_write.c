/* Bytes on their way into a partial: written, marked, hashed. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/room.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Without a size, room is reserved in steps that double up to this. */
#define STEP_MAX (UINT64_C(64) << 20)

/* How much of a chunk beyond the frontier may be written before the map is told: a killed leader
 * loses so much for each of its writers. */
#define TELL_STEP (UINT32_C(16) << 10)

#define READ_BACK 16384

struct partial_writer {
	struct partial *partial;
	uint64_t offset;    /* of the next byte */
	uint64_t kept;      /* bytes before it were there already and are not written again */
	uint32_t told;      /* how many bytes of the chunk the map knows of */
	bool entered;       /* it is settled whose the chunk of offset is */
	bool claimed;       /* it is ours to write */
	bool in_place;      /* the bytes are those of the data file */
	XXH3_state_t *hash; /* of the chunk so far, as it is in the data file */
};

/* Whether what comes before @offset in its chunk is there. */
static bool is_reached(struct partial *partial, uint64_t offset)
{
	WITH_LOCK(&partial->mu);

	return offset <= partial_chunk_reach(partial, offset / CHUNK_SIZE);
}

int partial_writer_new(
	struct partial *partial, uint64_t offset, struct partial_writer **ret, struct err *err)
{
	int64_t size = partial->header.version.size;
	struct partial_writer *writer;

	if (!is_reached(partial, offset) || offset > (size < 0 ? 0 : (uint64_t)size))
		return err_set(err, ERR_USAGE, EINVAL, "a writer cannot begin at byte %llu",
			(unsigned long long)offset);
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return err_oom(err);
	writer->hash = XXH3_createState();
	if (!writer->hash) {
		free(writer);
		return err_oom(err);
	}
	writer->partial = partial;
	writer->offset = offset;
	*ret = writer;
	return 0;
}

/*
 * Tell the map how far the writer has come in its chunk, if that is @step bytes more than it knows.
 * Where the frontier is, the frontier tells.
 */
static int tell_filled(struct partial_writer *writer, uint32_t step, struct err *err)
{
	struct partial *partial = writer->partial;
	uint64_t chunk = writer->offset / CHUNK_SIZE;
	uint32_t filled;
	uint64_t hash;

	{
		WITH_LOCK(&partial->mu);

		filled = partial->filled[chunk];
		hash = partial->filled_hashes[chunk];
		if (partial->frontier > chunk * CHUNK_SIZE || filled < writer->told + step)
			return 0;
	}
	writer->told = filled;
	return ranges_fill(partial->ranges, chunk, filled, hash, err);
}

void partial_writer_in_place(struct partial_writer *writer)
{
	writer->in_place = true;
}

void partial_writer_free(struct partial_writer *writer)
{
	if (!writer)
		return;
	if (writer->claimed) {
		tell_filled(writer, 1, NULL); /* untold, it is fetched again */
		WITH_LOCK(&writer->partial->mu);

		writer->partial->chunks[writer->offset / CHUNK_SIZE] = CHUNK_MISSING;
		writer->partial->wants_left = true; /* it may have been a wanted one */
	}
	XXH3_freeState(writer->hash);
	free(writer);
}

/* ---- chunks ---- */

int partial_hash_chunk(int fd, uint64_t chunk, uint64_t size, uint64_t *ret, struct err *err)
{
	uint64_t start = chunk * CHUNK_SIZE;
	uint64_t len = size - start < CHUNK_SIZE ? size - start : CHUNK_SIZE;
	CLEANUP(str_freep) char *buf = malloc(CHUNK_SIZE);
	ssize_t n;

	if (!buf)
		return err_oom(err);
	n = fd_pread_full(fd, buf, len, start);
	if (n != (ssize_t)len)
		return err_set(err, ERR_SYSTEM, n < 0 ? (int)-n : EIO, "read back a chunk: %m");
	*ret = XXH3_64bits(buf, len);
	return 0;
}

uint64_t partial_frontier_hash(const struct partial *partial)
{
	uint64_t chunk = partial->frontier / CHUNK_SIZE;

	return partial->frontier % CHUNK_SIZE > 0 ? partial->filled_hashes[chunk] : 0;
}

void partial_skip_present(struct partial *partial)
{
	uint64_t chunk = partial->frontier / CHUNK_SIZE;
	int64_t size = partial->header.version.size;

	if (partial->header.windowed) /* what it has passed over may go */
		return;
	while (chunk < partial->chunk_count && partial->chunks[chunk] == CHUNK_PRESENT) {
		chunk++;
		partial->frontier = chunk * CHUNK_SIZE;
	}
	if (chunk < partial->chunk_count && partial->filled[chunk] > 0)
		partial->frontier = partial_chunk_reach(partial, chunk);
	if (size >= 0 && partial->frontier > (uint64_t)size)
		partial->frontier = (uint64_t)size;
}

/*
 * The first byte for a chunk: it becomes ours unless it is there, or somebody else's; then its
 * bytes are passed over. Of one that another writer left half-way, what readers may have seen
 * stays; of a picture all does.
 */
static int claim_chunk(struct partial_writer *writer, struct err *err)
{
	struct partial *partial = writer->partial;
	uint64_t chunk = writer->offset / CHUNK_SIZE;
	int r;
	WITH_LOCK(&partial->mu);

	r = partial_grow_chunks(partial, chunk + 1, err);
	if (r < 0)
		return r;
	while (partial->picture == PICTURE_BEGUN)
		pthread_cond_wait(&partial->pictured, &partial->mu);
	writer->entered = true;
	writer->claimed = partial->chunks[chunk] == CHUNK_MISSING;
	writer->kept = partial_chunk_reach(partial, chunk);
	/* what this one brings may be of a later moment */
	if (partial->picture == PICTURE_TAKEN && !writer->in_place)
		writer->kept = (chunk + 1) * CHUNK_SIZE;
	writer->told = partial->filled[chunk];
	if (writer->claimed)
		partial->chunks[chunk] = CHUNK_CLAIMED;
	return 0;
}

/* Bytes [@from, @to) of the data file, which others wrote, go into the hash of the chunk. */
static int hash_what_is_there(
	struct partial_writer *writer, uint64_t from, uint64_t to, struct err *err)
{
	char buf[READ_BACK];

	while (from < to) {
		size_t len = to - from < sizeof(buf) ? to - from : sizeof(buf);
		ssize_t n = fd_pread_full(writer->partial->fd, buf, len, from);

		if (n != (ssize_t)len)
			return err_set(err, ERR_SYSTEM, n < 0 ? (int)-n : EIO,
				"read back partial/%s: %m", writer->partial->name);
		XXH3_64bits_update(writer->hash, buf, len);
		from += len;
	}
	return 0;
}

/* Its room may have gone to those who are faster; once it is claimed nobody takes it. */
static int claim_in_window(struct partial_writer *writer, struct err *err)
{
	WITH_LOCK(&writer->partial->room_mu);
	int r = partial_make_room_locked(writer->partial, writer->offset, 1, err);

	return r < 0 ? r : claim_chunk(writer, err);
}

static int enter_chunk(struct partial_writer *writer, struct err *err)
{
	uint64_t start = writer->offset / CHUNK_SIZE * CHUNK_SIZE;
	int r = partial_is_windowed(writer->partial) ? claim_in_window(writer, err)
						     : claim_chunk(writer, err);

	XXH3_64bits_reset(writer->hash);
	if (r < 0 || !writer->claimed)
		return r;
	return hash_what_is_there(writer, start, writer->offset, err);
}

/* The chunk that the writer is in is whole: its hash goes to the map. */
static int mark_chunk(struct partial_writer *writer, struct err *err)
{
	return ranges_mark(writer->partial->ranges, writer->offset / CHUNK_SIZE,
		XXH3_64bits_digest(writer->hash), err);
}

/* Publish the frontier in the map: one thread at a time, until it has told the newest. */
static int advance(struct partial *partial, struct err *err)
{
	uint64_t frontier;
	uint64_t hash;
	int r = 0;

	pthread_mutex_lock(&partial->mu);
	if (partial->advancing) {
		pthread_mutex_unlock(&partial->mu);
		return 0;
	}
	partial->advancing = true;
	while (r == 0 && partial->told != partial->frontier) {
		frontier = partial->frontier;
		hash = partial_frontier_hash(partial);
		pthread_mutex_unlock(&partial->mu);
		r = ranges_advance(partial->ranges, frontier, hash, err);
		pthread_mutex_lock(&partial->mu);
		partial->told = frontier;
	}
	partial->advancing = false;
	pthread_mutex_unlock(&partial->mu);
	return r;
}

/* The bytes up to @end are written; @whole: with them the chunk is complete. */
static void account(struct partial_writer *writer, uint64_t end, bool whole)
{
	struct partial *partial = writer->partial;
	uint64_t chunk = writer->offset / CHUNK_SIZE;
	uint32_t filled = (uint32_t)(end - chunk * CHUNK_SIZE);
	WITH_LOCK(&partial->mu);

	if (whole) {
		partial->chunks[chunk] = CHUNK_PRESENT;
		writer->claimed = false;
	} else if (partial->filled[chunk] < filled) {
		partial->filled[chunk] = filled;
		partial->filled_hashes[chunk] = XXH3_64bits_digest(writer->hash);
	}
	partial_skip_present(partial);
}

/* Bytes that lie in one chunk, which is ours. */
static int write_claimed(
	struct partial_writer *writer, const char *buf, size_t len, struct err *err)
{
	struct partial *partial = writer->partial;
	int64_t size = partial->header.version.size;
	uint64_t end = writer->offset + len;
	uint64_t start = writer->kept > writer->offset ? writer->kept : writer->offset;
	bool whole = end % CHUNK_SIZE == 0 || (size >= 0 && end == (uint64_t)size);
	int r;

	start = start < end ? start : end;
	buf += start - writer->offset;
	r = hash_what_is_there(writer, writer->offset, start, err);
	if (r < 0)
		return r;
	if (start < end && !writer->in_place)
		r = fd_pwrite_all(partial->fd, buf, end - start, start);
	if (r < 0) {
		err_set(err, ERR_SYSTEM, -r, "write partial/%s: %m", partial->name);
		return room_blame(partial->store, err);
	}
	XXH3_64bits_update(writer->hash, buf, end - start);
	if (whole)
		r = mark_chunk(writer, err);
	if (r < 0)
		return r;
	account(writer, end, whole);
	r = whole ? 0 : tell_filled(writer, TELL_STEP, err);
	if (r == 0)
		r = advance(partial, err);
	return r < 0 ? r : partial_hash_written(partial, buf, start, end - start, err);
}

/* Room for bytes up to @end, when nobody said how many there will be. The only writer's. */
static int make_room(struct partial *partial, uint64_t end, struct err *err)
{
	uint64_t step = partial->reserved < STEP_MAX ? partial->reserved : STEP_MAX;
	uint64_t data = partial->reserved + step;
	int r;

	if (end <= partial->reserved)
		return 0;
	data = data > end ? data : end;
	r = partial_reserve(partial, data, -1, err);
	if (r == 0)
		r = partial_allocate(partial, data, err);
	if (r == 0)
		r = ranges_allocate(partial->ranges, (data + CHUNK_SIZE - 1) / CHUNK_SIZE, err);
	if (r == 0)
		partial->reserved = data;
	return r;
}

int partial_write(struct partial_writer *writer, const void *buf, size_t len, struct err *err)
{
	struct partial *partial = writer->partial;
	int64_t size = partial->header.version.size;
	const char *p = buf;
	int r = 0;

	if (size >= 0 && len > (uint64_t)size - writer->offset)
		return err_set_retry(err, ERR_NETWORK, EIO, 0,
			"more bytes arrived than the %lld that were promised", (long long)size);
	if (size < 0)
		r = make_room(partial, writer->offset + len, err);
	while (r == 0 && len > 0) {
		uint64_t room = CHUNK_SIZE - writer->offset % CHUNK_SIZE;
		size_t piece = len < room ? len : room;

		if (!writer->entered)
			r = enter_chunk(writer, err);
		if (r == 0 && writer->claimed)
			r = write_claimed(writer, p, piece, err);
		if (r == 0) {
			writer->entered = piece < room;
			writer->offset += piece;
			p += piece;
			len -= piece;
		}
	}
	cachedir_bump(partial->store->dir, &partial->key);
	return r < 0 ? r : partial_hash_follow(partial, err);
}
