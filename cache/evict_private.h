/*
 * What goes (evict.c), and for what it goes (evict_reserve.c).
 */
#ifndef FETCHFS_CACHE_EVICT_PRIVATE_H
#define FETCHFS_CACHE_EVICT_PRIVATE_H

#include "cache/evict.h"

/* How many victims are taken, and how many candidates looked at, between two transactions. */
#define HAUL_MAX 32

/* Victims taken together: their locks are held until their rows are gone, so that nobody can
 * publish the same content in between and lose the row of a file that exists. */
struct haul {
	size_t count;
	uint64_t bytes;
	struct digest digests[HAUL_MAX];
	struct lock locks[HAUL_MAX];
};

void haul_release(struct haul *haul); /* also for CLEANUP() */

/*
 * Take victims of the share of @uid (0: whosever) until they amount to @need bytes or @haul is
 * full. *skip, which grows, counts those that had to be left alone; a haul that stays empty means
 * that there are no others.
 */
int evict_take(const struct store *store, uid_t uid, uint64_t need, uint64_t *skip,
	struct haul *haul, struct err *err);

/* Drop partials of that share which nobody leads, until @need bytes are free. */
int evict_idle(
	const struct store *store, uid_t uid, uint64_t need, uint64_t *ret_freed, struct err *err);

#endif
