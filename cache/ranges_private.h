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
#define FRONTIER_OFFSET  2008 /* struct disk_frontier */
#define BEAT_OFFSET      2024 /* when the leader was last at work, monotonic milliseconds */
#define WANTS_OFFSET     2032 /* some number, another one whenever a reader asked for a chunk */
#define WHOLE_OFFSET     2040 /* not zero: a reader needs all of it */
#define FORGOTTEN_OFFSET 2048 /* chunks of a window, ever */

struct disk_frontier {
	uint64_t hash;  /* of what is there of the chunk that it lies in */
	uint64_t place; /* and in the uppermost 16 bits a check of the others */
};

struct disk_chunk {
	uint64_t hash; /* of the chunk, or of the first `filled` bytes of one that is not present */
	uint32_t filled;
	uint16_t check; /* of all that is the leader's: a record that was damaged is none */
	uint8_t present;
	uint8_t wanted; /* any reader's; all before it is the leader's, and written at once */
};
static_assert(sizeof(struct disk_chunk) == 16, "a record never lies across two pages");
static_assert(offsetof(struct disk_chunk, wanted) == 15, "nothing is hidden in padding");

struct ranges {
	int fd;
};

static inline uint64_t chunk_offset(uint64_t chunk)
{
	return RANGES_HEADER + chunk * sizeof(struct disk_chunk);
}

#endif
