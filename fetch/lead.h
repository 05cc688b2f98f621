/*
 * Leading a flight: the one process (and thread) on this machine that asks the origin.
 */
#ifndef FETCHFS_FETCH_LEAD_H
#define FETCHFS_FETCH_LEAD_H

#include "fetch/flight.h"

/* The flight is not over, but nobody wants anything of it now. */
#define LEAD_RESTS 2

/*
 * Bring the artifact of @flight into the cache, or find that it is there. The caller holds the
 * lock of its key. Looks in the index first (somebody else may just have finished), asks the
 * origin whether an old version still holds, resumes what a dead leader left, and tries again
 * what may succeed. On success *ret_object and *ret_entry are the caller's. LEAD_RESTS:
 * the next wish (fetchfs_file_wait()) starts another leader.
 */
int lead_flight(
	struct flight *flight, struct object *ret_object, struct entry *ret_entry, struct err *err);

#endif
