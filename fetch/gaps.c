#include "fetch/gaps.h"

#include "base/cleanup.h"

/* Caller holds mu. The end of the helper's claim that covers @offset, or 0. */
static uint64_t claimed_until(const struct flight *flight, uint64_t offset)
{
	for (unsigned int i = 1; i < FLIGHT_CLAIMS; i++) {
		const struct flight_claim *claim = &flight->claims[i];

		if (claim->used && claim->begin <= offset && offset < claim->end)
			return claim->end;
	}
	return 0;
}

/* Caller holds mu. The first gap that no helper is filling, or -1. */
static int64_t unclaimed_gap(const struct flight *flight, struct partial *partial)
{
	int64_t gap = partial_next_gap(partial, 0);
	uint64_t end;

	while (gap >= 0 && (end = claimed_until(flight, (uint64_t)gap)) > 0)
		gap = partial_next_gap(partial, end);
	return gap;
}

/* Where the gap at @offset ends: at the next chunk that is here, or at the end. */
static uint64_t gap_end(struct partial *partial, uint64_t offset, uint64_t size)
{
	uint64_t end = offset;

	while (end < size && !partial_has(partial, end, CHUNK_SIZE))
		end = (end / CHUNK_SIZE + 1) * CHUNK_SIZE;
	return end < size ? end : size;
}

bool gaps_next(struct flight *flight, struct partial *partial, struct gap *ret)
{
	const struct ranges_version *version = partial_version(partial);
	uint64_t size = (uint64_t)version->size;
	uint64_t end;
	int64_t gap;
	WITH_LOCK(&flight->mu);

	flight->claims[0].used = false;
	if (version->size < 0)
		return false;
	while ((gap = unclaimed_gap(flight, partial)) < 0 && flight->helpers > 0)
		pthread_cond_wait(&flight->changed, &flight->mu);
	if (gap < 0)
		return false;

	end = gap_end(partial, (uint64_t)gap, size);
	*ret = (struct gap){
		.offset = (uint64_t)gap,
		.length = end < size ? end - (uint64_t)gap : 0,
	};
	return true;
}
