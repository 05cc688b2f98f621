/* What the files of trees share. */
#ifndef FETCHFS_CACHE_TREE_PRIVATE_H
#define FETCHFS_CACHE_TREE_PRIVATE_H

#include "cache/tree.h"

#include <sys/types.h>

/* ".new.<16 hex>" while it is made, ".gone.<16 hex>" while it is removed. */
#define TREE_NEW      ".new."
#define TREE_GONE     ".gone."
#define TREE_TMP_SIZE 24

/* A name that is not used. 0 or -errno. */
int tree_tmp_name(const char *prefix, char ret[TREE_TMP_SIZE]);

/* Open the folder @name in trees/: a descriptor, or -errno. What somebody has put there that is no
 * folder goes, and is -ENOENT. */
int tree_folder(const struct store *store, const char *name);

/*
 * Open the folder @name in trees/ and take what says that somebody is at work on it (a lock of the
 * open folder itself, flock(2), which goes to those who inherit it). *ret is the caller's. -ENOENT,
 * -EAGAIN when somebody else has it.
 */
int tree_seize(const struct store *store, const char *name, int *ret);

/* What was written down of a lent tree goes with it. */
void tree_break_seal(const struct store *store, const struct digest *digest);

/* It is none any more: removed, or, since sandboxes may have it mounted, set aside if its object is
 * leased. Nothing happens when there is none. The caller holds the digest's lock exclusively. */
int tree_part_with(const struct store *store, const struct digest *digest, struct err *err);
/* Give it another name, for tree_remove_bad(). The caller holds the digest's lock exclusively. */
int tree_set_aside(const struct store *store, const struct digest *digest, struct err *err);

/* Remove the folder @name in trees/, which was seized as @fd, with all that is in it. */
int tree_delete(const struct store *store, const char *name, int fd);

#endif
