/*
 * One item of a prepare on its way into its folder: prepare_place.c decides and keeps the leases,
 * prepare_order.c says what is to be placed: which bytes, by which method, with which mode.
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

#endif
