#include "fetch/gaps.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/alone.h"

#include <errno.h>
#include <time.h>

/* A helper without a byte for so long is in the way of a leader who has nothing else to do. */
#define STUCK_MS 3000
#define LOOK_MS  500

bool gaps_claimed(const struct flight *flight, uint64_t offset, unsigned int slot)
{
	for (unsigned int i = 0; i < FLIGHT_CLAIMS; i++) {
		const struct flight_claim *claim = &flight->claims[i];

		if (i != slot && claim->used && claim->begin / CHUNK_SIZE <= offset / CHUNK_SIZE &&
			offset < claim->end)
			return true;
	}
	return false;
}

/* The first missing byte of the first chunk from @from on that is not whole, and not claimed by
 * others than @slot; or -1. */
static int64_t unclaimed(
	const struct flight *flight, struct partial *partial, uint64_t from, unsigned int slot)
{
	int64_t gap = partial_next_gap(partial, from);

	while (gap >= 0 && gaps_claimed(flight, (uint64_t)gap, slot))
		gap = partial_next_gap(partial, (uint64_t)gap + CHUNK_SIZE);
	return gap;
}

/* Where the gap at @offset ends: at the next chunk that has begun, is here or claimed, or after
 * about @max bytes. */
static uint64_t gap_end(const struct flight *flight, struct partial *partial, uint64_t offset,
	uint64_t max, unsigned int slot)
{
	uint64_t size = (uint64_t)partial_version(partial)->size;
	uint64_t limit = max < size - offset ? offset + max : size;
	uint64_t end = offset;

	while (end < limit && !partial_has(partial, end, 1) && !gaps_claimed(flight, end, slot))
		end = chunk_after(end);
	return end < size ? end : size;
}

uint64_t gaps_left(const struct flight *flight)
{
	uint64_t frontier = partial_frontier(flight->partial);
	uint64_t size = (uint64_t)flight->version.size;

	return size > frontier ? size - frontier : 0;
}

static void drop_stuck(struct flight *flight)
{
	int64_t now = clock_monotonic_ms();

	for (unsigned int i = 1; i < FLIGHT_CLAIMS; i++) {
		struct flight_claim *claim = &flight->claims[i];

		if (claim->used && now - claim->moved_ms >= STUCK_MS)
			claim->dropped = true;
	}
}

/* Caller holds mu. */
static void wait_for_helpers(struct flight *flight)
{
	struct timespec until = clock_monotonic_in(LOOK_MS);

	if (pthread_cond_timedwait(&flight->changed, &flight->mu, &until) == ETIMEDOUT)
		drop_stuck(flight);
}

bool gaps_next(struct flight *flight, struct partial *partial, struct gap *ret)
{
	uint64_t size = (uint64_t)partial_version(partial)->size;
	uint64_t max = UINT64_MAX;
	uint64_t end;
	int64_t gap;
	WITH_LOCK(&flight->mu);

	flight->claims[0].used = false;
	if (partial_version(partial)->size < 0)
		return false;
	while ((gap = unclaimed(flight, partial, partial_frontier(partial), 0)) < 0 &&
		flight->helpers > 0) {
		partial_beat(partial);
		wait_for_helpers(flight);
	}
	if (gap < 0)
		return false;

	if (flight->bounded && flight->streams.wanted > 0)
		max = streams_run(&flight->streams, size - partial_frontier(partial));
	if (alone_run(flight) < max)
		max = alone_run(flight);
	end = gap_end(flight, partial, (uint64_t)gap, max, 0);
	*ret = (struct gap){
		.offset = (uint64_t)gap,
		.length = end < size ? end - (uint64_t)gap : 0,
	};
	flight->claims[0] = (struct flight_claim){
		.begin = ret->offset - ret->offset % CHUNK_SIZE,
		.end = flight->bounded || max < UINT64_MAX ? end : chunk_after(ret->offset),
		.used = true,
		.moved_ms = clock_monotonic_ms(),
	};
	return true;
}

bool gaps_for_speed(const struct flight *flight, struct gap *ret)
{
	uint64_t run = streams_run(&flight->streams, gaps_left(flight));
	uint64_t from = flight->claims[0].used ? flight->claims[0].end : 0;
	int64_t gap;

	/* a leader on its way to the end of the file keeps a run for itself, and what is sent
	 * already
	 */
	if (flight->claims[0].used && !flight->bounded)
		from += (run + flight->window) / CHUNK_SIZE * CHUNK_SIZE;
	gap = unclaimed(flight, flight->partial, from / CHUNK_SIZE * CHUNK_SIZE, FLIGHT_CLAIMS);
	if (gap < 0)
		return false;
	ret->offset = (uint64_t)gap;
	ret->length =
		gap_end(flight, flight->partial, ret->offset, run, FLIGHT_CLAIMS) - ret->offset;
	return ret->length > 0;
}
