/*
 * The mounts of binds, by their unique ids: a name can be moved away and another put in its place,
 * an id is never used again. (Kernels before 6.8 have only ids that are; there a mount must also
 * show the file it is said to be of.)
 */
#ifndef FETCHFS_SANDBOX_MOUNTS_H
#define FETCHFS_SANDBOX_MOUNTS_H

#include "base/err.h"
#include "fetch/fetchfs.h"
#include "sandbox/folder.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a lease's mount is, or will be. */
enum mounts_state {
	MOUNTS_NONE,      /* there never was one, or it is gone */
	MOUNTS_HERE,      /* in this namespace, if it is still there */
	MOUNTS_ELSEWHERE, /* in the namespace of other processes */
};
enum mounts_state mounts_state(const struct fetchfs_lease *lease);

/*
 * Take down the mount of @lease, which is MOUNTS_HERE: at its name in @folder (which may be NULL),
 * or wherever its name was moved. 1: it was there; 0: it was not; or -errno.
 */
int mounts_take_down(
	const struct folder *folder, const struct fetchfs_lease *lease, struct err *err);

/*
 * Where it is mounted now: a path, the caller's to free(), or NULL: nowhere. -errno.
 */
int mounts_find(const struct fetchfs_lease *lease, char **ret, struct err *err);

#endif
