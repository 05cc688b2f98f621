/*
 * The sandbox of a container, whose root directory is on its way to become /. Prepare in two steps:
 * who can ask the network cannot mount where the container will see it, and the other way round.
 *
 *	container_fetch()	outside: all is here, under leases that are pending
 *	container_place()	in the container's mount namespace: from these leases, asking nobody
 *	container_release()	outside, when it is over
 *
 * The names of the plan are relative to the root directory, whose identity is the sandbox's.
 * Containers may share it: what is mounted for one of them is its own, what is copied is not.
 */
#ifndef FETCHFS_SANDBOX_CONTAINER_H
#define FETCHFS_SANDBOX_CONTAINER_H

#include "base/err.h"
#include "base/user.h"
#include "fetch/fetchfs.h"
#include "sandbox/leases.h"
#include "sandbox/plan.h"
#include "sandbox/prepare.h"

#include <stdint.h>

struct container {
	const char *root;
	const struct user *user;  /* on whose behalf is fetched; file: only below the roots */
	const struct user *owner; /* with whose rights root is changed: its own uid 0 */
	uint64_t space;           /* its mount namespace, as in a lease */
};

/*
 * @plan is finished, @ret and @err are as of prepare_run(). All or nothing. Leases of containers on
 * the same root that never came to be are dropped.
 */
int container_fetch(struct fetchfs *fetchfs, const struct container *container,
	const struct plan *plan, struct prepared *ret, struct err *err);

/*
 * The same plan. Its leases are not pending any more, or gone when it fails. -ENOENT: nothing was
 * fetched for this container.
 */
int container_place(struct fetchfs *fetchfs, const struct container *container,
	const struct plan *plan, struct prepared *ret, struct err *err);

/* release_run(), but what others have on the same root is theirs. */
int container_release(struct fetchfs *fetchfs, const char *root, leases_notice *notice, void *arg,
	struct err *err);

#endif
