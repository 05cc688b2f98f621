/*
 * One file into a sandbox: whole or not at all, never over something that is there.
 *
 *	place_begin(…, &placement, &err);     the bytes are on the disk, under no name
 *	…                                     placement.inode is known: write it down
 *	place_commit(&placement, &err);       now it has its name
 *
 * A copy is made with the folder's user's rights, so it is that user's; a hardlink by the caller,
 * after checking that the user might have made a file there.
 */
#ifndef FETCHFS_SANDBOX_PLACE_H
#define FETCHFS_SANDBOX_PLACE_H

#include "base/err.h"
#include "sandbox/folder.h"
#include "sandbox/plan.h"

#include <stdint.h>
#include <sys/types.h>

#define PLACE_TEMP_SIZE 32

struct placement {
	const struct folder *folder;
	const char *name; /* relative to the folder; the caller's */
	int parent;       /* the folder it goes into; the caller's */
	int source;       /* what is linked: the object, or the copy when it has no name yet */
	int copy;         /* ours, -1 for a hardlink */
	enum plan_method method;
	char temp[PLACE_TEMP_SIZE]; /* name of the copy where files cannot be without one, or "" */
	uint64_t inode;
};

#define PLACEMENT_INIT                                                                             \
	(struct placement)                                                                         \
	{                                                                                          \
		.copy = -1                                                                         \
	}

/*
 * Get ready to place the file behind @source as @name, whose parent folder is open as @parent.
 * @method is hardlink or copy; @mode is a copy's. All arguments outlive the placement.
 */
int place_begin(const struct folder *folder, int parent, const char *name, int source,
	enum plan_method method, mode_t mode, struct placement *ret, struct err *err);

/*
 * Give it its name. -EEXIST when there is something of that name; -EXDEV, -EMLINK or -EPERM when
 * the file system or the kernel's protection makes no such hardlink.
 */
int place_commit(struct placement *placement, struct err *err);

/* Ends a placement; what has not been committed is gone. Also for CLEANUP(). */
void place_release(struct placement *placement);

#endif
