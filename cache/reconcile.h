/*
 * What the index says there is, and what there is: objects' files and trees without a row, or of
 * which their row does not know, and what rows count and is not there. Kills, power cuts and
 * indexes made anew leave them. Everything is looked at: for gc.
 */
#ifndef FETCHFS_CACHE_RECONCILE_H
#define FETCHFS_CACHE_RECONCILE_H

#include "cache/store.h"

struct reconciled {
	uint64_t orphans; /* files that were removed; a tree is one */
	uint64_t bytes;   /* of these, on disk */
	uint64_t missing; /* rows that were removed, or counted a file that is not there */
	bool recounted;   /* what all of it occupies was wrong in the account, and is right now */
};

/* What somebody is at work on is left alone. Also takes away the index that was replaced. */
int reconcile(const struct store *store, struct reconciled *ret, struct err *err);

/* The same for the files of one object, whose lock the caller does not hold. */
int reconcile_object(const struct store *store, const struct digest *digest, struct err *err);

#endif
