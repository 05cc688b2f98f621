/*
 * Trees: what the archives among the objects unpack to. trees/<sha256>/ is a property of the object
 * of that name: it counts and goes with it, and whoever has the object open keeps both.
 *
 * A tree is made as trees/.new.<random>, with room that is reserved as it grows, and published
 * whole by rename. Its row comes before its name: a folder without a row is none. Who makes one
 * holds the lock of the tree's key (tree_key()), as if it were an artifact in flight; the others
 * wait on the word of that key. What a killed process leaves behind is removed by the next one that
 * makes a tree or evicts.
 */
#ifndef FETCHFS_CACHE_TREE_H
#define FETCHFS_CACHE_TREE_H

#include "cache/store.h"

/* Folders below each other, the tree's own included: what tree_check() lets pass. */
#define TREE_DEPTH_MAX 256

struct tree {
	int fd;      /* of its folder */
	bool single; /* it is no archive's, but the one file "data" of what was compressed by itself
		      */
};

#define TREE_INIT                                                                                  \
	(struct tree)                                                                              \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * The tree of @digest, whose object the caller has open for as long as he uses it: *ret is his, for
 * tree_release(). -ENOENT when there is none, or none that surely survived the last boot.
 */
int tree_open(
	const struct store *store, const struct digest *digest, struct tree *ret, struct err *err);
void tree_release(struct tree *tree);
struct tree tree_steal(struct tree *tree);

/* What the lock, the word and the reservation of the tree of @digest go by. */
int tree_key(const struct digest *digest, struct entry_key *ret, struct err *err);

/* ---- making one ---- */

struct tree_draft;

/*
 * Begin to make the tree of @digest, whose object the caller has open, under @key: the tree's, or,
 * if who has that is frozen, one that follows it (entry_key_next()). -EALREADY when somebody else
 * is at it, -EEXIST when it is there. *ret is the caller's, for tree_publish() or tree_abort().
 */
int tree_begin(const struct store *store, const struct digest *digest, const struct entry_key *key,
	struct tree_draft **ret, struct err *err);

/* The folder to fill: still the draft's. Who has a copy of it keeps it from being swept away. */
int tree_draft_fd(const struct tree_draft *draft);

/*
 * Room for @bytes in all, evicting as needed; says to those who wait that it goes on. Whoever asks
 * for more has used what he had, or up to TREE_STEP of it would count twice.
 */
#define TREE_STEP (UINT64_C(4) << 20)
int tree_reserve(struct tree_draft *draft, uint64_t bytes, struct err *err);

/*
 * Nobody writes to it any more, and it has passed tree_check(): publish what occupies @bytes. The
 * draft is freed in any case.
 */
int tree_publish(
	struct tree_draft **draft, uint64_t bytes, bool single, struct tree *ret, struct err *err);

/* Throw it away. NULL is ignored. */
void tree_abort(struct tree_draft **draft); /* for CLEANUP(), too */

/*
 * Whether what lies in the folder @fd may be a tree: files, folders and links that are the cache's
 * own, of the modes that these have in a tree; no link leads outside. *ret_bytes is what all of it
 * occupies. -EBADMSG with the entry's name.
 */
int tree_check(int fd, uint64_t *ret_bytes, struct err *err);

/* ---- files of it with names elsewhere: cache/tree_seal.c ---- */

/*
 * Around hardlinks of files of the tree of @digest, whose folder is open as @fd: _lend() before,
 * _lent() after, if what the first one said in *ret_is_right is true. Reads all of it the first
 * time.
 */
int tree_lend(const struct store *store, const struct digest *digest, int fd, bool *ret_is_right,
	struct err *err);
int tree_lent(const struct store *store, const struct digest *digest, int fd, struct err *err);

/* Whether there are, or were, such links: then tree_examine() may take a while. */
bool tree_is_lent(const struct store *store, const struct digest *digest);

/* 0: it is what was lent, if it was; -EBADMSG: somebody has changed it, and tree_discard() is due.
 */
int tree_examine(const struct store *store, const struct digest *digest, int fd, struct err *err);

/* Throw the tree away, so that it is made anew. While the object is leased it is only moved out of
 * the way, to trees/.bad.<sha256>/: somebody may have it mounted. */
int tree_discard(const struct store *store, const struct digest *digest, struct err *err);

/* The folder of what there is of it, whatever has become of it; the caller's. -ENOENT */
int tree_open_names(
	const struct store *store, const struct digest *digest, int *ret, struct err *err);

/* ---- the end of one ---- */

/*
 * For who evicts the object @digest, and holds its lock exclusively: -EBUSY when a file of its tree
 * is linked from elsewhere; 0: it may go, if there is one.
 */
int tree_probe(const struct store *store, const struct digest *digest, struct err *err);
/* Remove the tree, if there is one; its row stays. */
int tree_remove(const struct store *store, const struct digest *digest, struct err *err);
/* Likewise what tree_discard() moved out of the way: its object has no lease any more. */
int tree_remove_bad(const struct store *store, const struct digest *digest, struct err *err);

/* Remove what dead processes left. What cannot be removed stays for the next time. */
void tree_sweep(const struct store *store);

#endif
