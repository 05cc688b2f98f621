/*
 * The two bounds of a cache, as numbers: its own limit, and what the file system must keep free.
 */
#ifndef FETCHFS_CACHE_ROOM_H
#define FETCHFS_CACHE_ROOM_H

#include "cache/store.h"

/* How many bytes objects and reservations may amount to: the limit without what else there is. */
uint64_t room_within(const struct store *store);

/*
 * How much of the limit is for the index's log, from the start, since any change makes it longer
 * and not each of them asks for room before. Where there is plenty it may be longer: the next
 * checkpoint, for which everybody who writes has to wait, is then further away.
 */
uint64_t room_of_log(const struct store *store);

/* Add to @err, which says what the system had no room for, who has it. Returns -ENOSPC; of any
 * other error nothing is changed. */
int room_blame(const struct store *store, struct err *err);

/* How many bytes of the file system stay free, and are for the ballast, whatever is written. */
uint64_t room_keep_free(const struct store *store);

/* How many bytes must become free on the file system before @more can be written beside what is
 * reserved, and the ballast be there. */
int room_missing_on_disk(const struct store *store, uint64_t more, uint64_t *ret, struct err *err);

#endif
