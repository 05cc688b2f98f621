/*
 * One call of prepare, from its plan to its files.
 */
#ifndef FETCHFS_SANDBOX_PREPARE_PRIVATE_H
#define FETCHFS_SANDBOX_PREPARE_PRIVATE_H

#include "sandbox/folder.h"
#include "sandbox/leases.h"
#include "sandbox/methods.h"
#include "sandbox/prepare.h"

/* What an item comes to: a thing with a name of its own, under a lease of its own. */
enum piece_kind {
	PIECE_FILE,  /* the artifact itself */
	PIECE_TREE,  /* a folder of all that is in it */
	PIECE_ENTRY, /* one thing of what is in it */
	PIECE_LAZY,  /* the artifact, when it is read */
	PIECE_ANY,   /* the artifact, or what is in it if it is an archive: not looked into yet */
};

struct piece {
	enum piece_kind kind;
	char *name;   /* relative to the directory */
	char *inside; /* of an entry: its name in the tree */
	mode_t mode;  /* of what is in the tree, and its time */
	struct timespec modified;
	size_t item;
};

struct pieces {
	struct piece *items;
	size_t count;
};

void prepare_pieces_release(struct pieces *pieces);

struct prepare {
	struct fetchfs *fetchfs;
	const struct plan *plan;
	const struct user *user;
	struct folder folder;
	struct prepared *results;
	struct fetchfs_file **files;
	struct lazy *lazy;               /* of each item, or NULL: all is fetched */
	struct fetchfs_tree **trees;     /* NULL: of what is placed as it is */
	struct pieces *pieces;           /* of each item, in the order of their names */
	struct fetchfs_digests *digests; /* of the plan's listing, or NULL */
	struct methods methods;
	struct leases before; /* of earlier calls */
	struct leases ours;   /* of this one; without their ids */
	int64_t until_ms;     /* of the monotonic clock: when all must be here, unpacked, or 0 */
	bool below_roots;     /* file: only below the configured roots */
	bool failed;          /* some item did */
	bool had_temporary;   /* there are leases of that kind to be dropped */
};

/*
 * The first and the last step of every call. Before: fetchfs, plan, user and results are filled;
 * @owner, with whose rights the directory is changed, outlives it. prepare_end() also when
 * prepare_begin() has failed.
 */
int prepare_begin(
	struct prepare *prepare, const char *directory, const struct user *owner, struct err *err);
void prepare_end(struct prepare *prepare);

/* -EIO, with an empty @err, when items have failed. */
int prepare_outcome(const struct prepare *prepare, struct err *err);

/* Item @i fails with @err; the others go on if the plan says so. */
void prepare_fail(struct prepare *prepare, size_t i, const struct err *err);
bool prepare_goes_on(const struct prepare *prepare);

/* Milliseconds that are left, -1: for ever; and the error of what has come to the end of them. */
int prepare_time_left(const struct prepare *prepare);
int prepare_too_late(const struct prepare *prepare, struct err *err);

/* Download all that has not failed, and is not lazy. */
int prepare_fetch(struct prepare *prepare, struct err *err);
int prepare_fetch_one(struct prepare *prepare, size_t i, struct err *err);

/* Its steps: what each item has to hash to, by the plan and what was read of its listing, goes into
 * the results; then this is what is asked for as item @i. */
void prepare_find_digests(struct prepare *prepare);
struct fetchfs_request prepare_request(const struct prepare *prepare, size_t i);

/* What something is to be. */
struct content {
	bool lazy;
	char sha256[FETCHFS_SHA256_SIZE];   /* "" of what is lazy: that is … */
	char key[FETCHFS_KEY_HEX_SIZE];     /* … what comes of this first, …; else of that the
					     * bytes will be, where there are none yet, or "" */
	char expected[FETCHFS_SHA256_SIZE]; /* … or this, if it is not "" */
	char token[FETCHFS_TOKEN_SIZE];     /* by which it is read */
};

/* The SHA-256 that the bytes are to have; "" where there is none. */
int prepare_learn_expected(
	const struct prepare *prepare, size_t i, char ret[FETCHFS_SHA256_SIZE], struct err *err);

/*
 * Find out what is placed before it is here. From then on prepare_is_lazy() tells; only of such
 * items: what they are to be, with the size for the result; the file of the mount, a descriptor
 * (O_PATH) of the caller's; and that one is fetched after all.
 */
int prepare_find_lazy(struct prepare *prepare, struct err *err);
bool prepare_is_lazy(const struct prepare *prepare, size_t i);
void prepare_learn_lazy(struct prepare *prepare, size_t i, struct content *ret);
int prepare_open_lazy(const struct prepare *prepare, size_t i, int *ret, struct err *err);
int prepare_fetch_lazy(struct prepare *prepare, size_t i, struct err *err);
void prepare_lazy_free(struct lazy *lazy, size_t count);

/* Read anew what earlier calls have placed. */
int prepare_load_before(struct prepare *prepare, struct err *err);

/* Find what is in the way before anything is downloaded. */
void prepare_check_names(struct prepare *prepare);

/* In the place of all that follows: what the cache knows of the items that have not failed. */
int prepare_look(struct prepare *prepare, struct err *err);

/* Unpack what is to be, and find out under which names all will be: no name twice. */
int prepare_unpack(struct prepare *prepare, struct err *err);

/* What is under a piece's name. */
enum there {
	THERE_NOTHING,
	THERE_PLACED,    /* it, placed by an earlier call */
	THERE_UNMOUNTED, /* what an earlier call mounted on, and nothing is mounted */
};

/*
 * Whether @piece is there in @parent, from an earlier call: an enum there, and its lease. -EEXIST
 * when something else has its name, or, unless @content is NULL, when it is of other content.
 */
int prepare_check_there(const struct prepare *prepare, int parent, const struct piece *piece,
	const struct content *content, const struct fetchfs_lease **ret, struct err *err);

/* Whether @lease is on something of the name @name. */
bool prepare_is_lease_of(const struct fetchfs_lease *lease, const char *name);

/* The method of a lease on @piece; the caller's to free(). */
char *prepare_lease_method(const struct piece *piece, enum plan_method method);

/* Place all that has not failed. */
void prepare_place(struct prepare *prepare);

/* The same, holding the directory; all is taken back again if it is all or nothing. */
int prepare_commit(struct prepare *prepare, struct err *err);

/* Take back what this call has placed, from the lease @from of its own on. */
int prepare_take_back(struct prepare *prepare, size_t from, struct err *err);

#endif
