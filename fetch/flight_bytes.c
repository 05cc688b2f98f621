/* Which bytes of a flight are here: in the partial that it leads, or in the map that it follows. */
#include "fetch/flight.h"

/* Whether what a follower's map shows may be shown: asked after what it shows. */
static bool is_of_one_version(const struct ranges *ranges)
{
	bool mixed;

	return ranges_is_mixed(ranges, &mixed, NULL) == 0 && !mixed;
}

/* Whether a follower's map has every chunk of the range; the frontier counts to the byte. */
static bool followed_has(const struct ranges *ranges, uint64_t offset, uint64_t end)
{
	struct ranges_chunk chunk;
	uint64_t frontier;

	if (ranges_frontier(ranges, &frontier, NULL) < 0)
		return false;
	if (offset < frontier)
		offset = frontier;
	for (uint64_t i = offset / CHUNK_SIZE; offset < end; i++, offset = i * CHUNK_SIZE) {
		if (ranges_chunks(ranges, i, 1, &chunk, NULL) < 0 || !chunk.present)
			return false;
	}
	return is_of_one_version(ranges);
}

bool flight_has(const struct flight *flight, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	if (flight->state == FLIGHT_DONE)
		return true;
	if (flight->state != FLIGHT_STARTED)
		return false;
	if (end < offset)
		end = UINT64_MAX;
	if (flight->version.size >= 0 && end > (uint64_t)flight->version.size)
		end = (uint64_t)flight->version.size;
	if (offset >= end)
		return flight->version.size >= 0;
	if (flight->partial)
		return partial_has(flight->partial, offset, end - offset);
	return flight->followed && followed_has(flight->followed, offset, end);
}

uint64_t flight_forgotten(const struct flight *flight)
{
	uint64_t forgotten;

	if (!flight->windowed)
		return 0;
	if (flight->partial)
		return partial_forgotten(flight->partial);
	if (flight->followed && ranges_forgotten(flight->followed, &forgotten, NULL) == 0)
		return forgotten;
	return UINT64_MAX;
}

uint64_t flight_arrived(const struct flight *flight)
{
	uint64_t arrived = 0;

	if (flight->partial)
		return partial_arrived(flight->partial);
	if (flight->followed)
		(void)ranges_arrived(flight->followed, flight->version.size, &arrived, NULL);
	return arrived;
}
