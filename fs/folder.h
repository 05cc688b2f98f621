/*
 * What a folder shows to who reads it.
 *
 * First some names that are kept, in the order in which they were added; then, of a folder of the
 * natural tree, those that the cache and the origin know, which are read by pages as they are asked
 * for, so that a folder of any size takes little memory. Of the pages read last a few are kept.
 *
 * A place between two names is an offset: what READDIR and telldir() know. It stays right as long
 * as the folder is open, and not rewound, whatever comes and goes meanwhile; but for that behind a
 * name that has gone itself, on a page that is not kept, and has changed before it, too.
 */
#ifndef FETCHFS_FS_FOLDER_H
#define FETCHFS_FS_FOLDER_H

#include "fs/ops.h"

struct folder_entry {
	char *name;
	uint64_t st_ino; /* 0: to be made when it goes out, which costs something */
	mode_t type;     /* as S_IFMT has it, 0: who reads it has to ask */
};

/* An empty listing of the folder @path, for @uid; NULL when out of memory. */
struct folder *folder_new(struct fs *fs, const char *path, uid_t uid);
void folder_free(struct folder *folder);

/* One more name, copied. -ENOMEM. */
int folder_add(struct folder *folder, const char *name, uint64_t st_ino, mode_t type);

/* Behind them come the names below the URI prefix @prefix. */
int folder_add_children(struct folder *folder, const char *prefix, struct err *err);

/* The inode number of @entry: that which LOOKUP would give, but for a local file. */
uint64_t folder_number(const struct folder *folder, const struct folder_entry *entry);

/*
 * Visit names from the place @offset on: at least one, if there is one, until @visit says false,
 * which then has not taken that one, or, at most, as many as are kept. 0 is the beginning: what
 * the folder has is looked at anew. @next is the place behind the entry. One at a time.
 */
typedef bool folder_visit(const struct folder_entry *entry, off_t next, void *arg);
int folder_read(
	struct folder *folder, off_t offset, folder_visit *visit, void *arg, struct err *err);

#endif
