/*
 * One call of prepare, from its plan to its files.
 */
#ifndef FETCHFS_SANDBOX_PREPARE_PRIVATE_H
#define FETCHFS_SANDBOX_PREPARE_PRIVATE_H

#include "sandbox/folder.h"
#include "sandbox/leases.h"
#include "sandbox/methods.h"
#include "sandbox/prepare.h"

struct prepare {
	struct fetchfs *fetchfs;
	const struct plan *plan;
	const struct user *user;
	struct folder folder;
	struct prepared *results;
	struct fetchfs_file **files;
	struct fetchfs_digests *digests; /* of the plan's listing, or NULL */
	struct methods methods;
	struct leases before; /* of earlier calls */
	struct leases ours;   /* of this one; without their ids */
	int64_t until_ms;     /* of the monotonic clock: when the downloads must have ended, or 0 */
	bool failed;          /* some item did */
	bool had_temporary;   /* there are leases of that kind to be dropped */
};

/* Item @i fails with @err; the others go on if the plan says so. */
void prepare_fail(struct prepare *prepare, size_t i, const struct err *err);
bool prepare_goes_on(const struct prepare *prepare);

/* Download all that has not failed. */
int prepare_fetch(struct prepare *prepare, struct err *err);

/* Find what is in the way before anything is downloaded. */
void prepare_check_names(struct prepare *prepare);

/* Place all that has not failed. */
void prepare_place(struct prepare *prepare);

/* Take back what this call has placed, from the lease @from of its own on. */
int prepare_take_back(struct prepare *prepare, size_t from, struct err *err);

#endif
