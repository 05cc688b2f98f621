/*
 * What the files of a group share: group.c is its life and its room, group_publish.c its
 * transactions, in which nobody else may have a part.
 */
#ifndef FETCHFS_CACHE_GROUP_PRIVATE_H
#define FETCHFS_CACHE_GROUP_PRIVATE_H

#include "cache/group.h"
#include "cache/store_private.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * Invariants, under mu:
 *  - whoever set `busy` is alone with the reservation's row and with transactions;
 *  - taken <= reserved, which is at most what the row says.
 */
struct group {
	const struct store *store;
	char name[PARTIAL_NAME_SIZE]; /* of the reservation */

	pthread_mutex_t mu;
	pthread_cond_t changed; /* for those who wait for room, or to be busy */
	unsigned int waiters;   /* how many these are; guarded by mu */
	struct lock key;        /* of the reservation, from its first use on; whose `busy` is */
	bool busy;              /* guarded by mu */
	uint64_t reserved;      /* bytes; guarded by mu */
	uint64_t taken;         /* by publications under way; guarded by mu */
	uint64_t wanting;       /* by those who wait for room; guarded by mu */
	unsigned int expected;  /* publications; guarded by mu */
	struct group_job *jobs; /* oldest first; guarded by mu */
	struct group_job **end; /* where the next one goes; guarded by mu */
	unsigned int waiting;   /* jobs; guarded by mu */

	pthread_t publisher;   /* once it is started */
	pthread_cond_t work;   /* for the publisher: there are jobs, or enough of them, or stop */
	bool started, stopped; /* guarded by mu */

	/* when partial/, which is empty, was changed; 0: unknown */
	atomic_int_fast64_t no_partials;
};

/* Be alone with transactions. Caller holds mu, as for both of these; it is given up while waiting.
 */
void group_become_busy(struct group *group);
void group_end_busy(struct group *group);

/* End the publisher, with the last job. */
void group_stop(struct group *group);

#endif
