/*
 * One file, or one folder of what was in an archive, into a sandbox: whole or not at all, never
 *over something that is there.
 *
 *	place_begin(&order, &placement, &err);  it is ready, under no name
 *	…                                       placement.id and .mount are known: write them
 *down place_commit(&placement, &err);         now it has its name
 *
 * What is made is made with the folder's user's rights, so it is that user's: a copy, a reflink, a
 * symbolic link, and the empty file that a bind is mounted on. A hardlink is the caller's doing,
 * after checking that the user might have made a file there; so is the mount.
 */
#ifndef FETCHFS_SANDBOX_PLACE_H
#define FETCHFS_SANDBOX_PLACE_H

#include "base/err.h"
#include "sandbox/folder.h"
#include "sandbox/plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define PLACE_TEMP_SIZE 32

/* Told of a name, relative to the folder, under which something will be for a moment. Not 0: the
 * placement ends with that. */
typedef int place_intend(const char *name, void *arg, struct err *err);

/* What is to be done; all of it outlives the placement. */
struct place_order {
	const struct folder *folder;
	int parent;                      /* the folder it goes into */
	const char *name;                /* relative to the folder */
	enum plan_method method;         /* not auto */
	int source;                      /* what is cached, open; for a symlink: -1 */
	bool is_folder;                  /* the source is: of an archive's tree */
	const char *target;              /* of a symlink */
	mode_t mode;                     /* of a file that is a copy or reflink */
	const struct timespec *modified; /* of what is made; NULL: now */
	place_intend *intend;            /* or NULL */
	void *arg;
};

struct placement {
	struct place_order order;
	int own;                    /* the file or folder we made, or -1 */
	int tree;                   /* of a bind: the mount, attached to nothing yet; else -1 */
	char temp[PLACE_TEMP_SIZE]; /* the name it has where it cannot be without one, or "" */
	struct node_id id;          /* of what will be there: under the mount, if there is one */
	uint64_t mount;             /* the unique id of the mount, or 0 */
};

#define PLACEMENT_INIT                                                                             \
	(struct placement)                                                                         \
	{                                                                                          \
		.own = -1, .tree = -1                                                              \
	}

/* -EOPNOTSUPP, -EXDEV or -EPERM when this method cannot be had here: place_is_refusal(). */
int place_begin(const struct place_order *order, struct placement *ret, struct err *err);

/*
 * Give it its name. -EEXIST when there is something of that name; -EXDEV, -EMLINK or -EPERM when
 * the file system or the kernel does not allow it. Nothing is left of what failed.
 */
int place_commit(struct placement *placement, struct err *err);

/*
 * The same for a bind whose empty file is there, of an earlier call, but nothing is mounted on it:
 * begin with what is @id, commit by mounting. No file is made.
 */
int place_begin_again(const struct place_order *order, const struct node_id *id,
	struct placement *ret, struct err *err);

/* Ends a placement; what has not been committed is gone. Also for CLEANUP(). */
void place_release(struct placement *placement);

/* Whether failing with @r means that another method may do. */
bool place_is_refusal(int r);

#endif
