/*
 * A partial of what is larger than the cache could ever hold: there is room for a window of its
 * chunks, and those that came first make way for those that come. It never becomes an object.
 *
 * Who reads finds out whether what he has read was there all the time by the number of chunks that
 * were forgotten: it is raised after a chunk is no longer said to be there, and before its bytes
 * go.
 */
#include "base/cleanup.h"
#include "cache/evict.h"
#include "cache/room.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Of the cache it takes a quarter at most, unless that is too little to read on with. */
#define WINDOW_MIN (UINT64_C(4) << 20)
#define WINDOW_MAX (UINT64_C(256) << 20)

/* Requests may be under way for so many runs, and as much again is to stay for its readers. */
#define RUNS 16

struct window {
	uint64_t capacity; /* chunks */
	uint64_t count;    /* of those that have room … */
	uint64_t first;    /* … the oldest of them is there, in … */
	uint64_t chunks[]; /* … this ring */
};

static uint64_t bytes_for(const struct partial *partial)
{
	const struct store *store = partial->store;
	uint64_t all = room_within(store);
	uint64_t bytes;

	if (partial->uid > 0 && store->share > 0 && store->share < all)
		all = store->share;
	bytes = all / 4 < WINDOW_MAX ? all / 4 : WINDOW_MAX;
	return bytes > WINDOW_MIN ? bytes : WINDOW_MIN;
}

static void push(struct window *window, uint64_t chunk)
{
	window->chunks[(window->first + window->count) % window->capacity] = chunk;
	window->count++;
}

static uint64_t pop(struct window *window)
{
	uint64_t chunk = window->chunks[window->first];

	window->first = (window->first + 1) % window->capacity;
	window->count--;
	return chunk;
}

int store_could_hold(const struct store *store, uid_t uid, int64_t size, struct err *err)
{
	if (size < 0)
		return 0;
	return evict_could_ever(store, uid, partial_footprint((uint64_t)size, size), err);
}

/* Readers elsewhere, of what an interrupted predecessor was about to drop, are to notice. */
static int tell_dropping(struct partial *partial, struct err *err)
{
	for (uint64_t i = 0; i < partial->chunk_count; i++)
		if (!partial->roomed[i])
			return ranges_forget(partial->ranges, i, ++partial->forgotten, err);
	return 0;
}

/* What has no room, also by an interrupted predecessor, has no bytes. */
static int drop_the_rest(struct partial *partial, struct err *err)
{
	uint64_t size = (uint64_t)partial->header.version.size;
	uint64_t from = 0;
	int r = tell_dropping(partial, err);

	if (r < 0)
		return r;

	for (uint64_t i = 0; i <= partial->chunk_count; i++) {
		uint64_t begin = from * CHUNK_SIZE;

		if (i < partial->chunk_count && !partial->roomed[i])
			continue;
		if (i > from && begin < size &&
			fallocate(partial->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)begin, (off_t)((i - from) * CHUNK_SIZE)) < 0)
			return err_set(err, ERR_SYSTEM, errno, "make a hole in partial/%s: %m",
				partial->name);
		from = i + 1;
	}
	return 0;
}

int partial_be_windowed(struct partial *partial, struct err *err)
{
	uint64_t capacity = bytes_for(partial) / CHUNK_SIZE;

	if (capacity < partial->rooms) /* of a wider one */
		capacity = partial->rooms;
	partial->window = calloc(1, sizeof(*partial->window) + capacity * sizeof(uint64_t));
	if (!partial->window)
		return err_oom(err);
	partial->window->capacity = capacity;
	for (uint64_t i = 0; i < partial->chunk_count; i++)
		if (partial->roomed[i])
			push(partial->window, i);
	return drop_the_rest(partial, err);
}

bool partial_is_windowed(const struct partial *partial)
{
	return partial->window;
}

uint64_t partial_run_max(const struct partial *partial)
{
	uint64_t bytes;

	if (!partial->window)
		return UINT64_MAX;
	bytes = partial->window->capacity / RUNS * CHUNK_SIZE;
	return bytes > 0 ? bytes : CHUNK_SIZE;
}

uint64_t partial_forgotten(struct partial *partial)
{
	WITH_LOCK(&partial->mu);

	return partial->forgotten;
}

/* Whether nobody writes it; then it is no longer said to be there. */
static bool give_up(struct partial *partial, uint64_t chunk)
{
	WITH_LOCK(&partial->mu);

	if (partial->chunks[chunk] == CHUNK_CLAIMED)
		return false;
	partial->chunks[chunk] = CHUNK_MISSING;
	partial->filled[chunk] = 0;
	partial->filled_hashes[chunk] = 0;
	partial->forgotten++;
	return true;
}

/* Under room_mu. 1: its room is another's. 0: somebody writes it. */
static int forget(struct partial *partial, uint64_t chunk, struct err *err)
{
	int r;

	if (!give_up(partial, chunk))
		return 0;
	r = ranges_forget(partial->ranges, chunk, partial->forgotten, err);
	if (r < 0)
		return r;
	if (fallocate(partial->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		    (off_t)(chunk * CHUNK_SIZE), CHUNK_SIZE) < 0)
		return err_set(
			err, ERR_SYSTEM, errno, "make a hole in partial/%s: %m", partial->name);
	partial->roomed[chunk] = false;
	partial->rooms--;
	return 1;
}

/* Under room_mu. The oldest one goes. */
static int forget_one(struct partial *partial, struct err *err)
{
	struct window *window = partial->window;

	for (uint64_t tries = window->count; tries > 0; tries--) {
		uint64_t chunk = pop(window);
		int r = forget(partial, chunk, err);

		if (r == 1)
			return 0;
		push(window, chunk);
		if (r < 0)
			return r;
	}
	return err_set_retry(
		err, ERR_SPACE, ENOSPC, 0, "no room in the cache for what is being read of it");
}

/*
 * Under room_mu. More of the cache, for @lacking chunks, as long as the window may grow and others
 * have some to give. -ENOSPC: it is too narrow as it is, what is brought would go before it was
 * read.
 */
static int widen(struct partial *partial, uint64_t lacking, struct err *err)
{
	uint64_t capacity = partial->window->capacity;
	uint64_t count = partial->rooms + lacking;
	struct err why = ERR_INIT;
	int r = partial_reserve_rooms(partial, count < capacity ? count : capacity, &why);

	if (r == 0 || partial->rooms >= RUNS)
		return 0;
	if (err)
		*err = why;
	return r;
}

int partial_move_window(
	struct partial *partial, uint64_t first, uint64_t last, uint64_t lacking, struct err *err)
{
	int r = widen(partial, lacking, err);

	for (uint64_t i = first; r == 0 && i <= last; i++) {
		if (partial->roomed[i])
			continue;
		if ((partial->rooms + 1) * CHUNK_SIZE > partial->reserved)
			r = forget_one(partial, err);
		if (r == 0)
			r = partial_allocate_chunk(partial, i, err);
		if (r == 0)
			push(partial->window, i);
	}
	return r;
}
