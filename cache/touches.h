/*
 * Uses of objects, kept until there are some or a second has gone by, and then written together:
 * a transaction for each open would cost more than the open. What dies with the process only blurs
 * the order in which objects go.
 *
 * Thread-safe. Lock order: the catalog's locks, then the one of this, which is held for memory
 * only.
 */
#ifndef FETCHFS_CACHE_TOUCHES_H
#define FETCHFS_CACHE_TOUCHES_H

#include "base/digest.h"
#include "base/err.h"

struct catalog;
struct touches;

#define TOUCHES_MAX  256  /* objects that are written together */
#define TOUCHES_LATE 1000 /* ms until a use is written */
#define TOUCHES_REST 3    /* so much longer than a writing took nothing more is written */

int touches_new(struct catalog *catalog, struct touches **ret, struct err *err);
void touches_free(struct touches *touches); /* writes what there is */

/* @digest was used at @now, after all that were before. Waits for nobody. */
void touches_add(struct touches *touches, const struct digest *digest, int64_t now);

/* Write what there is, now. */
int touches_write(struct touches *touches, struct err *err);

#endif
