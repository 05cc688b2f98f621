/*
 * What is promised and not yet on the disk: a reservation is made before there are blocks for it,
 * and some file systems give them only as bytes are written.
 */
#ifndef FETCHFS_CACHE_PENDING_H
#define FETCHFS_CACHE_PENDING_H

#include "cache/cachedir.h"

/* How many of the @bytes that are reserved for @partial have no blocks yet; at most, since who
 * reserves is at work meanwhile. */
uint64_t pending_of(const struct cachedir *dir, const char *partial, uint64_t bytes);

#endif
