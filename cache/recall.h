/*
 * Entries that were read from the index lately, for as long as nothing in the index has changed.
 *
 * Each is kept with the change counter as it was before it was read, and counts until that moves,
 * whoever moves it. (One who is killed between his commit and that leaves it standing: until the
 * next change of anything, or its expiry, the entry is what it was before; a file never lies.)
 * Only last_used may be old.
 *
 * Bounded; thread-safe, by locks that are held for memory only.
 */
#ifndef FETCHFS_CACHE_RECALL_H
#define FETCHFS_CACHE_RECALL_H

#include "cache/catalog.h"

struct recall;

int recall_new(struct recall **ret, struct err *err);
void recall_free(struct recall *recall);

/* Whether the entry of @key is here as of @changes; *ret is then a copy, for entry_release(). */
bool recall_find(
	struct recall *recall, const struct entry_key *key, uint32_t changes, struct entry *ret);

/* Keep a copy of @entry, read when the counter had been @changes. */
void recall_keep(struct recall *recall, const struct entry *entry, uint32_t changes);

#endif
