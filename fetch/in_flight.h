/*
 * The flights of this process, for listings: what is on its way, and the index does not know yet.
 */
#ifndef FETCHFS_FETCH_IN_FLIGHT_H
#define FETCHFS_FETCH_IN_FLIGHT_H

#include "fetch/flight.h"

/* So many of them a listing shows. */
#define IN_FLIGHT_MAX 1024

/* References, which keep them going. */
struct in_flight {
	struct flight *items[IN_FLIGHT_MAX];
	size_t count;
};

void in_flight_take(struct fetchfs *fetchfs, struct in_flight *ret);
void in_flight_release(struct in_flight *set); /* for CLEANUP() */

/* Whether a listing is to show it for @prefix and @uid, and the index does not. */
bool in_flight_is_unlisted(
	struct fetchfs *fetchfs, const struct target *target, const char *prefix, uid_t uid);

#endif
