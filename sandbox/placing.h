/*
 * One item of a prepare on its way into its folder: prepare_place.c decides and keeps the leases,
 * prepare_order.c says what is to be placed: which bytes, by which method, with which mode;
 * prepare_together.c has the leases of many files written at once.
 */
#ifndef FETCHFS_SANDBOX_PLACING_H
#define FETCHFS_SANDBOX_PLACING_H

#include "sandbox/place.h"
#include "sandbox/prepare_private.h"

/* An item on its way; or, one after the other, its pieces. */
struct placing {
	struct prepare *prepare;
	size_t i;
	const struct plan_item *item;
	struct prepared *result;
	int parent; /* of all pieces */
	const struct piece *piece;
	struct content content;
	bool is_public;
};

/* What an order is made of, and refers to. */
struct placing_means {
	int source;   /* by its name, of which alone there can be mounts */
	char *target; /* of a symlink */
};

#define PLACING_MEANS_INIT                                                                         \
	(struct placing_means)                                                                     \
	{                                                                                          \
		.source = -1                                                                       \
	}

void prepare_means_release(struct placing_means *means); /* also for CLEANUP() */

/* How placing->piece is to be placed by @method. *ret refers to @placing and @means; the latter is
 * to be released whatever comes of it. */
int prepare_order(const struct placing *placing, enum plan_method method,
	struct placing_means *means, struct place_order *ret, struct err *err);

/* The place_intend of all orders: a lease on a name that something has for a moment. @arg: placing.
 */
int prepare_intend(const char *name, void *arg, struct err *err);

/* A lease at the end of prepare->ours; and write those from @from on to the cache: before anything
 * of them can be seen. */
int prepare_note_lease(const struct placing *placing, const char *name, const char *method,
	const struct node_id *id, uint64_t mount, struct err *err);
int prepare_write_leases(struct prepare *prepare, size_t from, struct err *err);

/* Give placing->piece its name: after its lease. */
int prepare_commit_piece(
	const struct placing *placing, struct placement *placement, struct err *err);

/* The pieces that are @missing, all of them by one of the item's methods: the one of number @first,
 * or the next that can be had. Nothing is left of what failed. */
int prepare_place_missing(
	struct placing *placing, const bool *missing, size_t first, struct err *err);

/*
 * Files that are ready, each without a name, and wait until there are some, or no more: then the
 * leases of all are written in one transaction, and each gets its name. What that comes to is in
 * the results. NULL: no memory.
 */
struct together;
struct together *prepare_together_new(struct prepare *prepare);

/* Places what waits, if the prepare goes on. NULL is ignored. */
void prepare_together_free(struct together *together);

/* Whether the item, of which nothing is there, is one file at the top of the directory. */
bool prepare_together_suits(const struct placing *placing);

/* Make it ready. It has placing->parent from now on. */
int prepare_together_begin(struct together *together, struct placing *placing, struct err *err);

#endif
