/*
 * Following a flight that another process leads, by its map and the wake-up words of the cache.
 */
#ifndef FETCHFS_FETCH_FOLLOW_H
#define FETCHFS_FETCH_FOLLOW_H

#include "fetch/flight.h"

/*
 * Read along until it ends. 0: published, *ret_object and *ret_entry are the caller's. 1: nobody
 * leads any more (or nobody has begun): try the key's lock. -errno: the leader's outcome, which is
 * that of all who joined, or our own.
 */
int follow_flight(
	struct flight *flight, struct object *ret_object, struct entry *ret_entry, struct err *err);

#endif
