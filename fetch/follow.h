/*
 * Following a flight that another process leads, by its map and the wake-up words of the cache.
 */
#ifndef FETCHFS_FETCH_FOLLOW_H
#define FETCHFS_FETCH_FOLLOW_H

#include "fetch/flight.h"

/* Whoever leads gives no sign of life any more, but holds the lock. */
#define FOLLOW_FROZEN 3

/* What was last seen of a leader, and since when it is all that is seen. */
struct watch {
	uint64_t map; /* the inode of its data; 0: there is no map */
	int64_t beat;
	int64_t since_ms; /* 0: nothing was seen */
};

/*
 * Read along until it ends. 0: published, *ret_object and *ret_entry are the caller's. 1: nobody
 * leads any more (or nobody has begun): try the key's lock. FOLLOW_FROZEN: do without the leader.
 * -errno: the leader's outcome, which is that of all who joined, or our own. @watch begins as zero
 * and stays as long as it is about one leader.
 */
int follow_flight(struct flight *flight, struct watch *watch, struct object *ret_object,
	struct entry *ret_entry, struct err *err);

#endif
