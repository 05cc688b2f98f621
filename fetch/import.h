/*
 * What the files of an import share: import.c goes through the archive, import_choose.c decides
 * what of it is wanted, the others make objects and entries of it.
 *
 * No more than one object that is larger than a chunk is on its way at a time. Smaller ones are
 * kept in memory, up to IMPORT_SMALL_MAX at once, which then share transactions.
 */
#ifndef FETCHFS_FETCH_IMPORT_H
#define FETCHFS_FETCH_IMPORT_H

#include "fetch/context.h"
#include "fetch/manifest.h"
#include "fetch/tar.h"

#define IMPORT_SMALL_MAX 32

/* One entry of the archive. */
struct import_item {
	struct entry entry; /* as it is to be here: key and scope are those of this cache */
	bool told;          /* what has become of it */
	bool seen;          /* its bytes came by */
	bool wanted;        /* import_decide() */
	bool confirms;      /* what is here is the same, and was confirmed earlier */
};

struct import {
	struct fetchfs *fetchfs;
	const struct fetchfs_import *how;
	struct tar_reader *tar;
	struct import_item *items; /* by digest, then URI */
	size_t count;
	struct fetchfs_imported sum;

	struct entry_key partial_key; /* of large objects on their way, … */
	struct lock partial_lock;     /* … held once there was one */

	bool torn; /* the archive cannot be read any further, or is not to be */

	pthread_mutex_t mu;
	pthread_cond_t published;
	struct import_small *ended; /* of the small ones, those to be told; guarded by mu */
	unsigned int under_way;     /* the others; guarded by mu */
};

/* @item came to its end. @err: when it failed. */
void import_tell(struct import *import, struct import_item *item,
	enum fetchfs_import_outcome outcome, const struct err *err);

/* -ECANCELED: fetchfs_cancel_all(). */
int import_check(const struct import *import, struct err *err);

/* ---- import_choose.c ---- */

/*
 * Make items of what @manifest has, whose entries go over. What no request could lead to on this
 * machine is told as failed.
 */
int import_admit(struct import *import, struct manifest *manifest, struct err *err);

/*
 * Whether @item is wanted: 1. Else 0 and *ret says what there is. -errno. Of the same content that
 * is here the item takes over what is known of its freshness, if that is the later word.
 */
int import_decide(struct import *import, struct import_item *item, enum fetchfs_import_outcome *ret,
	struct err *err);

/* -ENOSPC: what is wanted is more than this cache could hold beside what must stay. */
int import_check_room(struct import *import, struct err *err);

/* How many items from the one @i on have its content. */
size_t import_alike(const struct import *import, size_t i);

/* ---- import_put.c ---- */

/* @item is not wanted, since there is what @outcome says: see that it is pinned, and tell. */
void import_keep(
	struct import *import, struct import_item *item, enum fetchfs_import_outcome outcome);

/*
 * Publish the member of @size bytes that is to be read next for those of the @count items that are
 * wanted. 0 also when they failed, which is told. -errno: the archive is torn.
 */
int import_put(struct import *import, struct import_item *items, size_t count, uint64_t size,
	struct err *err);

/* So many bytes of the archive's objects are behind us. */
void import_tick(struct import *import, uint64_t bytes);

/*
 * Right before @item is published: whether that is wanted still, for while its bytes came somebody
 * may have fetched it; if not, it is told. @key keeps others from doing so meanwhile. If it cannot
 * be had somebody is at it, or is frozen: what he publishes will come after this, and be newer.
 */
bool import_claim(struct import *import, struct import_item *item, struct lock *key);

/* It is published, or not: @key is given back at once, on whatever thread. Whoever looked before,
 * and is about to fetch it, is to look again. */
void import_yield(const struct import *import, const struct import_item *item, struct lock *key);

/* Then: it is published, or @failure (or NULL) says why not, which is told. */
void import_end(struct import *import, struct import_item *item, const struct err *failure);

/* ---- import_small.c, import_large.c: import_put(), by the size ---- */

int import_small(struct import *import, struct import_item *items, size_t count, size_t size,
	struct err *err);
int import_large(struct import *import, struct import_item *items, size_t count, struct err *err);

/* Wait until at most @left of the small ones are on their way, and tell the others. */
void import_reap(struct import *import, unsigned int left);

/* Take away what imports that were killed left of large objects. */
void import_sweep(struct fetchfs *fetchfs);

#endif
