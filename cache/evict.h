/*
 * Room: keeps a cache within its two bounds, by letting the least recently used go.
 *
 * Never a victim: pinned, leased, open in any process, linked from elsewhere (its bytes would not
 * be freed), in flight. Partials that nobody leads go first.
 */
#ifndef FETCHFS_CACHE_EVICT_H
#define FETCHFS_CACHE_EVICT_H

#include "cache/store.h"

/*
 * Reserve @bytes in all for @partial, evicting as needed: first of the share of @uid (0: it is on
 * nobody's), if that is exhausted, and then of that alone. -ENOSPC when nothing more can go, with
 * a text that says who holds the space; nothing is reserved then.
 */
int evict_reserve(
	const struct store *store, const char *partial, uid_t uid, uint64_t bytes, struct err *err);

/* Whether that may ever succeed, whoever gives up what he has: 0, or -ENOSPC, which tells why not.
 */
int evict_could_ever(const struct store *store, uid_t uid, uint64_t bytes, struct err *err);

/* For what has room, but not a reservation of its own: evict of the share of @uid until it has
 * @bytes left. */
int evict_for_share(const struct store *store, uid_t uid, uint64_t bytes, struct err *err);

/*
 * The system had no room for @bytes and a few files (@err, -ENOSPC) that by the numbers is there:
 * somebody was faster, all inodes are in use, or a quota is full. 1: something was let go, to try
 * again, which is bounded by EVICT_TRIES; else -ENOSPC, and @err says besides who has the space.
 */
#define EVICT_TRIES 16
int evict_some(const struct store *store, uint64_t bytes, struct err *err);

/* Evict until objects and reservations are at most @bytes. *ret_freed may be NULL. */
int evict_to(const struct store *store, uint64_t bytes, uint64_t *ret_freed, struct err *err);

/* Evict one object, whoever uses it last. -EBUSY with the reason when it may not go. */
int evict_object(const struct store *store, const struct digest *digest, struct err *err);

#endif
