/*
 * The transfers of a cache, of all processes, as their maps show them: for those who look on.
 *
 * A map whose key is locked is being worked on by somebody; one of nobody is what an interrupted
 * transfer left. Small objects that arrive at once have no map, and are not seen here.
 */
#ifndef FETCHFS_CACHE_TRANSFERS_H
#define FETCHFS_CACHE_TRANSFERS_H

#include "cache/store.h"

/* Maps that are looked at in one walk. */
#define TRANSFERS_MAX 4096

enum transfer_state {
	TRANSFER_WAITING,     /* for the origin's answer: nothing is known of it yet */
	TRANSFER_ACTIVE,      /* bytes arrive */
	TRANSFER_INTERRUPTED, /* nobody leads it; the next who asks resumes */
	TRANSFER_STOPPED,     /* whoever leads it gives no sign of life */
};

struct transfer {
	struct entry_key key;
	struct ranges_label label;
	enum transfer_state state;
	int64_t size;   /* bytes, -1: unknown */
	uint64_t bytes; /* that are there */
};

/* A non-zero answer ends the walk and is returned. */
typedef int transfers_visitor(const struct transfer *transfer, void *arg);

/*
 * How many bytes of the artifact @key are there though it is not complete: on their way in any
 * process, or left by one that was interrupted. 0 when there are none.
 */
int transfers_arrived(
	const struct store *store, const struct entry_key *key, uint64_t *ret, struct err *err);

/* In no particular order; takes no lock, and never waits for anybody. */
int transfers_visit(
	const struct store *store, transfers_visitor *visitor, void *arg, struct err *err);

#endif
