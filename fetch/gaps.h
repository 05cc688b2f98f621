/*
 * What is still missing of a file that is being fetched, and whom it belongs to: the leader takes
 * what comes first, helpers what lies further on (claims, see flight.h).
 */
#ifndef FETCHFS_FETCH_GAPS_H
#define FETCHFS_FETCH_GAPS_H

#include "fetch/flight.h"

struct gap {
	uint64_t offset; /* bytes: the first missing one of a chunk */
	uint64_t length; /* 0: to the end of the file */
};

/*
 * The leader's next gap of @partial, whose version is known; it is claimed. Waits for helpers when
 * they fill all that is left, and ends those that got stuck. false: nothing is missing (or the
 * size is unknown: then one run brings everything).
 */
bool gaps_next(struct flight *flight, struct partial *partial, struct gap *ret);

/* Caller holds mu. Whether the chunk at @offset is being fetched by another claim than @slot. */
bool gaps_claimed(const struct flight *flight, uint64_t offset, unsigned int slot);

/*
 * Caller holds mu, and the flight is led here. A run for a helper that is there for speed: the
 * first missing bytes that nobody has claimed and the leader will not have reached soon. false:
 * there is none worth a request.
 */
bool gaps_for_speed(const struct flight *flight, struct gap *ret);

/* Caller holds mu. About how many bytes are still to come. */
uint64_t gaps_left(const struct flight *flight);

#endif
