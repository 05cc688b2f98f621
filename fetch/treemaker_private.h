/*
 * What the files of the maker of trees share.
 */
#ifndef FETCHFS_FETCH_TREEMAKER_PRIVATE_H
#define FETCHFS_FETCH_TREEMAKER_PRIVATE_H

#include "fetch/treemaker.h"

struct treemaker_folder {
	struct treemaker_folder *next;
	struct timespec time;
	char path[];
};

/* Each returns -errno, and fills @err. What failed there may be the disk, the names, or an error of
 * ours; @code is an errno. */
int treemaker_failed(const char *name, const char *what, int code, struct err *err);

/* @bytes more are about to be occupied. */
int treemaker_take_room(struct treemaker *maker, uint64_t bytes, struct err *err);
/* One more entry; @bytes more of what files have, holes included; @bytes more that are written. */
int treemaker_count_entry(struct treemaker *maker, const char *name, struct err *err);
int treemaker_count_logical(struct treemaker *maker, uint64_t bytes, struct err *err);
int treemaker_count_written(struct treemaker *maker, uint64_t bytes, struct err *err);

/* @path below @dirfd, over no link: a descriptor, the caller's, or -errno. */
int treemaker_open_at(int dirfd, const char *path, uint64_t flags);

/* Remember the folder @path for treemaker_finish(). */
int treemaker_note_folder(
	struct treemaker *maker, const char *path, const struct timespec *time, struct err *err);

/* Make the folder @name of @dirfd, which is @path in the tree. */
int treemaker_make_folder(
	struct treemaker *maker, int dirfd, const char *name, const char *path, struct err *err);

/* Where the entry maker->name belongs becomes maker->parent; folders that are missing are made. */
int treemaker_open_parent(struct treemaker *maker, struct err *err);

#endif
