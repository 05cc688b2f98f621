/*
 * Flying: every flight is led here if the lock of its key can be had, and follows whoever has it
 * otherwise.
 */
#ifndef FETCHFS_FETCH_FETCHER_H
#define FETCHFS_FETCH_FETCHER_H

#include "fetch/flight.h"

/*
 * Fly @flight, whose turn it is by flight_join(): without a thread as long as there is nothing to
 * do but to wait for an answer, else on one of its own. A failure to do so is the flight's outcome.
 */
void fetcher_start(struct flight *flight);

/* The same if it is its turn by flight_call(): nobody leads it, and @uid waits for more of it. */
void fetcher_call(struct flight *flight, uid_t uid);

/* The end of it, and of its turn: @object and @entry are taken over if @r is 0, LEAD_RESTS is none,
 * else @err. */
void fetcher_end(struct flight *flight, int r, struct object *object, struct entry *entry,
	const struct err *err);

#endif
