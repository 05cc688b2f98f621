/*
 * Folders in doubt: names that nobody declared, which LOOKUP answers as folders since it cannot
 * know whether the walk goes on below them.
 *
 * What comes next tells. GETATTR, ACCESS, and OPENDIR without O_DIRECTORY show that the name was
 * the last one of a path, so that the origin is worth asking; what only folders are used for makes
 * it one until the kernel forgets the node.
 *
 * That it is a file after all is told by ESTALE, upon which the kernel repeats the walk. A thread
 * that comes to the same node again without a lookup of it in between holds it by something other
 * than its name: it gets the folder.
 */
#ifndef FETCHFS_FS_DOUBT_H
#define FETCHFS_FS_DOUBT_H

#include "fs/inode.h"

enum doubt {
	DOUBT_NONE,   /* treat it as the folder that it is, or that it was taken for */
	DOUBT_OPEN,   /* the origin is to be asked */
	DOUBT_ABSENT, /* the origin had nothing of that name a moment ago */
};

/* A lookup by @thread found the folder @node; @until: how long ABSENT holds, seconds since 1970. */
int doubt_looked_up(struct inodes *inodes, struct node *node, pid_t thread, enum doubt doubt,
	int64_t until, struct err *err);

/* How @thread is to take it, at @now. */
enum doubt doubt_of(struct inodes *inodes, struct node *node, pid_t thread, int64_t now);

/* It was used as only folders are: so it is one until it is forgotten. */
void doubt_commit(struct inodes *inodes, struct node *node);

/* The origin says that it is a folder. That holds until the next lookup, which looks again. */
void doubt_settle_folder(struct inodes *inodes, struct node *node);

/*
 * The origin says that it is a file: @facts, at @now. true: @thread is to be told ESTALE.
 * Remembered for a moment, for the lookup that follows, in case the index could not take it.
 */
bool doubt_settle_file(struct inodes *inodes, struct node *node, pid_t thread,
	const struct facts *facts, int64_t now);

/* Whether what was last heard of the folder at @path is that it is a file: then its facts. */
bool doubt_recall_file(struct inodes *inodes, const char *path, int64_t now, struct facts *ret);

#endif
