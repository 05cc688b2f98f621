/*
 * What was handed out to one directory, as the cache remembers it: a row for each file, and one of
 * the method LEASES_FOLDER for each folder that was made for them. (A folder's row carries the
 * digest of the file it was made for, which has a row of its own.)
 */
#ifndef FETCHFS_SANDBOX_LEASES_H
#define FETCHFS_SANDBOX_LEASES_H

#include "base/err.h"
#include "fetch/fetchfs.h"
#include "sandbox/folder.h"

#include <stddef.h>

#define LEASES_FOLDER "folder"

struct leases {
	struct fetchfs_lease *items;
	size_t count;
};

/* Those of the directory with this identity; of all when both numbers are 0. */
int leases_load(struct fetchfs *fetchfs, uint64_t device, uint64_t inode, struct leases *ret,
	struct err *err);
void leases_release(struct leases *leases);

/* A copy of @lease at the end of @leases. */
int leases_add(struct leases *leases, const struct fetchfs_lease *lease, struct err *err);

/* The lease on the file @name, or NULL. */
const struct fetchfs_lease *leases_find(const struct leases *leases, const char *name);

/* Told of each file that is not ours any more and was left alone. */
typedef void leases_notice(const char *name, void *arg);

/*
 * Remove from @folder what @leases say, each only if it still is the inode that was placed, then
 * the folders if they are empty, and drop the leases. Goes on after a failure, whose lease stays;
 * the first one is returned. @notice may be NULL.
 */
int leases_take_back(struct fetchfs *fetchfs, const struct folder *folder,
	const struct leases *leases, leases_notice *notice, void *arg, struct err *err);

#endif
