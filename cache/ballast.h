/*
 * CACHE/ballast: blocks that nothing is in, given up when the disk is full, so that it can be
 * recorded what is let go. Part of the limit at its full size, whether it is there or not.
 */
#ifndef FETCHFS_CACHE_BALLAST_H
#define FETCHFS_CACHE_BALLAST_H

#include "cache/store.h"

#define BALLAST "ballast"

/* How many bytes it has: 1 MiB, in a small cache less. */
uint64_t ballast_size(const struct store *store);

/* How many of them are not there. */
uint64_t ballast_lacking(const struct store *store);

/* Take it aboard if it is not there and there is room. Cheap if it is; failures are for the next
 * time. */
void ballast_take(const struct store *store);

/*
 * Let go of some of it: not of all at once, since others who fill the disk may be faster than
 * whoever it is for. false: nothing is left.
 */
bool ballast_give_up(const struct cachedir *dir);

#endif
