/*
 * Sees to it, while a mount serves, that what was published outlives a power cut: half a minute
 * after it came, by one sync of the file system for all of it. Nobody waits for that; what cannot
 * be synced stays unsettled, and is read once before it is used after a power cut.
 */
#ifndef FETCHFS_FETCH_SETTLER_H
#define FETCHFS_FETCH_SETTLER_H

#include "cache/store.h"

struct settler;

/* @store must live until settler_stop(). */
int settler_start(const struct store *store, struct settler **ret, struct err *err);

/* Waits for no sync that is under way. NULL is ignored. */
void settler_stop(struct settler *settler);

#endif
