/*
 * What a leader fetches next: the first bytes that are neither here nor being fetched by a helper.
 */
#ifndef FETCHFS_FETCH_GAPS_H
#define FETCHFS_FETCH_GAPS_H

#include "fetch/flight.h"

struct gap {
	uint64_t offset; /* bytes, at the start of a chunk */
	uint64_t length; /* 0: to the end of the file */
};

/*
 * The next gap of @partial, whose version is known. Waits for helpers when they fill all that is
 * left. false: nothing is missing (or the size is unknown: then one run brings everything).
 */
bool gaps_next(struct flight *flight, struct partial *partial, struct gap *ret);

#endif
