#include "fetch/segment_enter.h"

#include "base/cleanup.h"
#include "fetch/gaps.h"

/*
 * Others' chunks are received and dropped as long as that is cheaper than a new connection: not
 * many in one go, and all together no more than so small a part of the file. That holds for what is
 * on its way already, too: it comes anyhow, but only once if the request ends there.
 */
#define PASS_OVER_MAX  (16 * CHUNK_SIZE)
#define PASS_OVER_PART 512

/* More than that is never on its way: no window is so large. */
#define SIGHT (128 * CHUNK_SIZE)

/* Caller holds mu. How many bytes from @offset on are others', as far as it matters here. */
static uint64_t others_ahead(const struct segment *segment, uint64_t offset)
{
	uint64_t run = 0;

	while (run <= PASS_OVER_MAX &&
		(partial_has(segment->partial, offset + run, CHUNK_SIZE) ||
			gaps_claimed(segment->flight, offset + run, segment->slot)))
		run += CHUNK_SIZE;
	return run;
}

/*
 * Caller holds mu. Whether the leader receives @others bytes that are others', when @passed others
 * lie before them.
 */
static bool may_pass_over(const struct segment *segment, uint64_t others, uint64_t passed)
{
	const struct flight *flight = segment->flight;

	return others <= PASS_OVER_MAX &&
	       flight->passed + passed + others <= (uint64_t)flight->version.size / PASS_OVER_PART;
}

/* Caller holds mu. Where the leader, who enters a chunk, will have to end, if that is in sight. */
static uint64_t end_in_sight(const struct segment *segment)
{
	uint64_t size = (uint64_t)segment->flight->version.size;
	uint64_t at = segment->position - segment->position % CHUNK_SIZE;
	uint64_t limit = at + SIGHT < size ? at + SIGHT : size;
	uint64_t passed = 0;

	while (at < limit) {
		uint64_t others = others_ahead(segment, at);

		if (others > 0 && !may_pass_over(segment, others, passed))
			return at;
		passed += others;
		at += others + CHUNK_SIZE; /* the one behind them is nobody's */
	}
	return 0;
}

enum segment_entered segment_enter(struct segment *segment)
{
	struct flight *flight = segment->flight;
	struct flight_claim *claim = &flight->claims[0];
	uint64_t others;
	WITH_LOCK(&flight->mu);

	segment->sink.end = flight->helped && !segment->passes_all ? end_in_sight(segment) : 0;
	others = others_ahead(segment, segment->position);
	if (others > 0 && (segment->passes_all || may_pass_over(segment, others, 0))) {
		flight->passed += CHUNK_SIZE;
		return SEGMENT_OTHERS;
	}
	if (others > 0) {
		flight->bounded = true;
		return SEGMENT_END;
	}
	claim->begin = segment->position - segment->position % CHUNK_SIZE;
	if (claim->end < chunk_after(segment->position))
		claim->end = chunk_after(segment->position);
	return SEGMENT_OURS;
}
