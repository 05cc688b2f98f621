/*
 * The map of a partial file: which chunks of one version of one artifact are present, which are
 * wanted, and how its transfer ended. A file of its own (partial/<key>.<gen>.map), so that readers
 * in other processes can follow a transfer, and a successor can resume it. Allocated, read and
 * written by pread and pwrite (a full disk is an error here, not a SIGBUS).
 *
 * Layout (docs/cache-format.md): a header of RANGES_HEADER bytes, then one record of 16 bytes per
 * chunk. One process writes (the leader, who holds the key's lock); any may set "wanted".
 */
#ifndef FETCHFS_CACHE_RANGES_H
#define FETCHFS_CACHE_RANGES_H

#include "base/digest.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CHUNK_SIZE    UINT64_C(262144)
#define RANGES_HEADER 2064

/* Bytes of chunk @chunk in a file of @size bytes (-1: unknown, and then all of it). */
static inline uint64_t chunk_length(uint64_t chunk, int64_t size)
{
	uint64_t left = size < 0 ? CHUNK_SIZE : (uint64_t)size - chunk * CHUNK_SIZE;

	return left < CHUNK_SIZE ? left : CHUNK_SIZE;
}

/* The start of the chunk that comes after the one of byte @offset. */
static inline uint64_t chunk_after(uint64_t offset)
{
	return (offset / CHUNK_SIZE + 1) * CHUNK_SIZE;
}

enum ranges_state {
	RANGES_STARTING,  /* nothing is known of it yet */
	RANGES_ACTIVE,    /* the version is known, bytes arrive */
	RANGES_DONE,      /* published: look in the catalog */
	RANGES_FAILED,    /* ended by the error in the header */
	RANGES_ABANDONED, /* the artifact changed: this version will never be complete */
};

/* Whose transfer it is and since when, for those who look on. */
#define RANGES_URI_MAX   768
#define RANGES_SCOPE_MAX 128
struct ranges_label {
	char uri[RANGES_URI_MAX];     /* as it may be shown; cut, with "…", when it is longer */
	char scope[RANGES_SCOPE_MAX]; /* cut likewise: then nobody's */
	int64_t since;                /* milliseconds since 1970: when the leader began */
	uint64_t base;                /* bytes that were there already then */
	int pid;                      /* the leader's, of its own namespace: for people */
};

/* The version of the artifact, as the origin described it. */
struct ranges_version {
	int64_t size;     /* bytes, -1: unknown until the end */
	int64_t modified; /* seconds since 1970, -1: unknown */
	char etag[256];
	bool ranges; /* parts of it can be asked for */
	bool strong; /* parts fetched at different times may be put together */
};

struct ranges_header {
	enum ranges_state state;
	struct ranges_version version;
	bool mixed; /* of several versions, maybe: nothing is shown before a digest vouches for it
		     */
	bool windowed;     /* chunks are forgotten again; its frontier stays at the beginning */
	uint64_t frontier; /* all bytes before it are present, to the byte */
	uint64_t frontier_hash; /* as of ranges_advance(); not what ranges_store() stores */
	uint64_t data_inode;    /* of the .data file */
	char boot[37];        /* during which the leader wrote: bytes of another boot are checked */
	struct digest digest; /* when DONE, and from just before publication on; else zero */
	struct err err;       /* when FAILED */
	struct ranges_label label;
};

struct ranges;

/* Make (O_EXCL), beginning with @header, or open the map @name in @dirfd. */
int ranges_create(int dirfd, const char *name, const struct ranges_header *header,
	struct ranges **ret, struct err *err);
int ranges_open(int dirfd, const char *name, struct ranges **ret, struct err *err);
void ranges_free(struct ranges *ranges);

/* What a map for so many bytes (-1: not known yet) occupies on disk. */
uint64_t ranges_bytes(int64_t size);

/* The leader's: allocate the records of @chunks chunks, so that marking cannot fail later. */
int ranges_allocate(struct ranges *ranges, uint64_t chunks, struct err *err);

/* The header as it is now. -EBADMSG when it is not one (cut off, wrong checksum). */
int ranges_load(const struct ranges *ranges, struct ranges_header *ret, struct err *err);

/* The leader's: replace the header. One pwrite of one checksummed block. */
int ranges_store(struct ranges *ranges, const struct ranges_header *header, struct err *err);

/*
 * Whether the header says "mixed" now. It is said before the first byte that it is about is marked:
 * who looks after the marks knows whether what they show may be read.
 */
int ranges_is_mixed(const struct ranges *ranges, bool *ret, struct err *err);

/* Likewise whether it says "window"; and, for it, how many chunks have been forgotten. */
int ranges_is_windowed(const struct ranges *ranges, bool *ret, struct err *err);
int ranges_forgotten(const struct ranges *ranges, uint64_t *ret, struct err *err);

/* The leader's: it was at work at @ms (monotonic). And when it last was; 0: it has not said so. */
int ranges_beat(struct ranges *ranges, int64_t ms, struct err *err);
int ranges_last_beat(const struct ranges *ranges, int64_t *ret, struct err *err);

/* The leader's: bytes [0, @frontier) are there; @hash is the XXH3-64 of those of the chunk that it
 * lies in (at the beginning of one, anything). Cheap; for every write. */
int ranges_advance(struct ranges *ranges, uint64_t frontier, uint64_t hash, struct err *err);
int ranges_frontier(const struct ranges *ranges, uint64_t *ret, struct err *err);

/* The leader's: chunk @chunk is whole in the data file, its XXH3-64 is @hash. */
int ranges_mark(struct ranges *ranges, uint64_t chunk, uint64_t hash, struct err *err);

/* The leader's: chunk @chunk is not there after all. */
int ranges_unmark(struct ranges *ranges, uint64_t chunk, struct err *err);

/* The leader's: chunk @chunk is not there any more, nor wanted; @forgotten ones have gone now.
 * Before its bytes do. */
int ranges_forget(struct ranges *ranges, uint64_t chunk, uint64_t forgotten, struct err *err);

/* The leader's: the first @filled bytes of chunk @chunk, fewer than it has, are in the data file,
 * and their XXH3-64 is @hash. For a chunk that the frontier has not reached. Cheap, but not for
 * every write. */
int ranges_fill(
	struct ranges *ranges, uint64_t chunk, uint32_t filled, uint64_t hash, struct err *err);

/* Any reader's: ask for @chunk first. A wish beyond the allocated records is forgotten. */
int ranges_want(const struct ranges *ranges, uint64_t chunk, struct err *err);

/* A number that changes with each wish: as long as it has not, there is nothing new to look for. */
int ranges_wants(const struct ranges *ranges, uint64_t *ret, struct err *err);

/* Any reader's: the whole file is needed. And whether somebody has said so. */
int ranges_want_whole(const struct ranges *ranges, struct err *err);
int ranges_whole_wanted(const struct ranges *ranges, bool *ret, struct err *err);

/* The records of chunks [@first, @first + @count); beyond the end of the map, and where they are
 * damaged, nothing is present. */
struct ranges_chunk {
	bool present;
	bool wanted;
	uint32_t filled; /* as it was found: to be checked */
	uint64_t hash;   /* of the chunk; of one that is not present, of what is filled */
};
int ranges_chunks(const struct ranges *ranges, uint64_t first, uint64_t count,
	struct ranges_chunk *ret, struct err *err);

/* Bytes that are there, of a file of @size bytes (-1: unknown): the frontier, and what is known of
 * the chunks beyond it. */
int ranges_arrived(const struct ranges *ranges, int64_t size, uint64_t *ret, struct err *err);

#endif
