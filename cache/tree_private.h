/* What the files of trees share. */
#ifndef FETCHFS_CACHE_TREE_PRIVATE_H
#define FETCHFS_CACHE_TREE_PRIVATE_H

#include "cache/tree.h"

#include <sys/types.h>

/* ".new.<16 hex>" while it is made, ".gone.<16 hex>" while it is removed. */
#define TREE_NEW      ".new."
#define TREE_GONE     ".gone."
#define TREE_TMP_SIZE 24

/* ".bad.<sha256>": what was set aside of that object's trees. */
#define TREE_BAD      ".bad."
#define TREE_BAD_SIZE (sizeof(TREE_BAD) + DIGEST_HEX_SIZE)
void tree_name_bad(const struct digest *digest, char ret[TREE_BAD_SIZE]);

/* Whose tree the name in trees/ is, or what was set aside of whose; false: nobody's. */
bool tree_parse_name(const char *name, struct digest *ret);

/* What the folder @name in @trees occupies with all that is in it; 0: there is none. What cannot be
 * looked at is not in it. */
uint64_t tree_measure(int trees, const char *name);

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
/* The object's row says that there is one of @bytes, for which @partial had a reservation; or that
 * there is none. What was set aside counts in any case. */
int tree_record(const struct store *store, const struct digest *digest, uint64_t bytes,
	const char *partial, struct err *err);
int tree_forget(const struct store *store, const struct digest *digest, struct err *err);
/* Give it another name, for tree_remove_bad(). The caller holds the digest's lock exclusively. */
int tree_set_aside(const struct store *store, const struct digest *digest, struct err *err);

/* Remove the folder @name in trees/, which was seized as @fd, with all that is in it. */
int tree_delete(const struct store *store, const char *name, int fd);

#endif
