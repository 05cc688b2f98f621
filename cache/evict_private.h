/*
 * What goes (evict.c, evict_idle.c), and for what it goes (evict_reserve.c).
 */
#ifndef FETCHFS_CACHE_EVICT_PRIVATE_H
#define FETCHFS_CACHE_EVICT_PRIVATE_H

#include "cache/evict.h"

/*
 * Victims taken together: their locks are held until their rows are gone, so that nobody can
 * publish the same content in between and lose the row of a file that exists. Who opens one of
 * them waits so long, hence no more than so many, nor are they collected for longer than so many
 * milliseconds. (Then comes their transaction, when it is the evictor's turn to write; where that
 * fills the log the disk is waited for as well.) But not few: for each haul the evictor waits for
 * his turn to write, and those before him may be waiting for the disk. Where the index is large a
 * row that goes changes some eight pages of it, in as many places; a haul may be the transaction
 * that fills the log, and has a quarter of that: so there are no more than one for each HAUL_LOG
 * bytes of it.
 */
#define HAUL_MAX 256
#define HAUL_MS  20
#define HAUL_LOG (UINT64_C(128) << 10)

struct haul {
	size_t count;
	uint64_t bytes;
	int64_t until; /* monotonic ms; once it is not empty */
	struct digest digests[HAUL_MAX];
	struct lock locks[HAUL_MAX];
};

void evict_haul_release(struct haul *haul); /* also for CLEANUP() */

/* How far an evictor has come. */
struct hunt {
	uid_t uid; /* whose share is looked through, 0: everybody's */
	bool begun;
	struct victim first; /* that it looked at; what was used before is held by somebody */
	struct victim last;
};

/* Spares others what this one had to look at in vain. */
void evict_hunt_end(const struct store *store, const struct hunt *hunt);

/* Take victims until they amount to @need bytes or @haul, which is empty, has enough. A haul that
 * stays empty means that there are no others. One that cannot be removed is passed over: an error
 * when all are. */
int evict_take(const struct store *store, uint64_t need, struct hunt *hunt, struct haul *haul,
	struct err *err);

/* Drop partials that nobody leads, of the share of @uid (0: whosever), until @need bytes are free.
 */
int evict_idle(
	const struct store *store, uid_t uid, uint64_t need, uint64_t *ret_freed, struct err *err);

/* How many bytes that could come to, of whosever share, as far as @need. */
int evict_count_idle(const struct store *store, uint64_t need, uint64_t *ret, struct err *err);

/* Remove what is there for nobody. */
void evict_sweep(const struct store *store);

#endif
