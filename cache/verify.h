/*
 * Whether the bytes of a cache are what their names promise: all of them are read. Disks forget,
 * and whoever is root can write to them.
 */
#ifndef FETCHFS_CACHE_VERIFY_H
#define FETCHFS_CACHE_VERIFY_H

#include "cache/store.h"

/* Of content that is known by more names than that, so many are told. */
#define VERIFIED_NAMES 16

enum verdict {
	VERDICT_RIGHT,
	VERDICT_DAMAGED, /* other bytes, another owner or mode, or unreadable: it is gone now */
	VERDICT_MISSING, /* a row without a file: it is gone now */
	VERDICT_GONE,    /* somebody let it go meanwhile */
};

struct verified {
	enum verdict verdict;
	uint64_t bytes;                       /* that were read */
	struct entry entries[VERIFIED_NAMES]; /* what it stood for, if it is gone by our hand */
	size_t count;
};

void verify_release(struct verified *verified);

/*
 * Read the object @digest, both of its files, and compare it with the XXH3 of the index, or, if
 * @full, with its SHA-256. What is wrong leaves the cache, also when it is pinned or leased;
 * whoever has it open keeps it. May take long. *ret is the caller's after 0.
 */
int verify_object(const struct store *store, const struct digest *digest, bool full,
	struct verified *ret, struct err *err);

#endif
