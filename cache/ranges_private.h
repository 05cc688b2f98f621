/*
 * What the two files of a map share: ranges.c has its header, ranges_chunks.c its records.
 * docs/cache-format.md describes both.
 */
#ifndef FETCHFS_CACHE_RANGES_PRIVATE_H
#define FETCHFS_CACHE_RANGES_PRIVATE_H

#include "cache/ranges.h"

#include <assert.h>
#include <stddef.h>

/* Written on their own, at any time, and therefore outside of the checksum. */
#define BEAT_OFFSET     2016 /* when the leader was last at work, monotonic milliseconds */
#define WANTS_OFFSET    2024 /* some number, another one whenever a reader asked for a chunk */
#define FRONTIER_OFFSET 2032
#define WHOLE_OFFSET    2040 /* not zero: a reader needs all of it */

struct disk_chunk {
	uint64_t hash;
	uint8_t present; /* the leader's */
	uint8_t wanted;  /* any reader's */
	uint8_t zero[2];
	uint32_t filled; /* the leader's, written on its own */
};
static_assert(sizeof(struct disk_chunk) == 16, "a record never lies across two pages");
static_assert(offsetof(struct disk_chunk, filled) == 12, "nothing is hidden in padding");

struct ranges {
	int fd;
};

static inline uint64_t chunk_offset(uint64_t chunk)
{
	return RANGES_HEADER + chunk * sizeof(struct disk_chunk);
}

#endif
