/* The page that all processes of a cache map, for the files that make it and use it. */
#ifndef FETCHFS_CACHE_CACHEDIR_PRIVATE_H
#define FETCHFS_CACHE_CACHEDIR_PRIVATE_H

#include "cache/cachedir.h"

#include <assert.h>

#define SHARED_WORDS 1023

/* CACHE/shared, mapped by every process that uses the cache. */
struct shared_page {
	_Atomic uint32_t changes;
	_Atomic uint32_t words[SHARED_WORDS];
};
static_assert(sizeof(struct shared_page) == 4096, "exactly one page");

#endif
