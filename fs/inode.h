/*
 * The nodes that the kernel knows, by id, and the current node of each identity.
 *
 * A node stands for one folder, or for one version of one artifact in one phase: while it is in
 * flight, or when it is complete. When the phase or the version changes, the identity gets a new
 * node with a new id and the same st_ino, so that the kernel never mixes two in one page cache;
 * the old one lives on until the kernel forgets it. Ids are never used twice.
 *
 * The one mutex is held for memory operations only: never across I/O or a call of the library.
 */
#ifndef FETCHFS_FS_INODE_H
#define FETCHFS_FS_INODE_H

#include "base/err.h"
#include "fetch/fetchfs.h"
#include "fs/names.h"
#include "fs/passthrough.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define INODE_ROOT 1

enum node_kind {
	NODE_ROOT,
	NODE_FOLDER,  /* of the natural tree */
	NODE_URIS,    /* uri/ */
	NODE_DIGEST,  /* digest/ */
	NODE_SHA256,  /* digest/sha256/ */
	NODE_CONTROL, /* .fetchfs/ */
	NODE_TEXT,    /* .fetchfs/status and its like */
	NODE_LEASES,  /* .fetchfs/lease/: files of lazy sandboxes, by their leases; never listed */
	NODE_FILE,    /* an artifact, by its URI, or by a lease on one */
	NODE_OBJECT,  /* an artifact, by its digest */
	NODE_TREE,    /* NAME.unpacked: what is in the archive NAME (unpacked.h) … */
	NODE_TREE_FOLDER, /* … and in it */
	NODE_TREE_FILE,
	NODE_TREE_LINK,
};

/* What is known of a file; copied, never shared. */
struct facts {
	bool known;       /* the cache knows it at all; else nothing below counts */
	int64_t size;     /* bytes, -1: unknown */
	int64_t modified; /* seconds since 1970, -1: unknown */
	uint64_t cached;  /* bytes here */
	uint64_t version; /* 0: unknown */
	bool complete;
	bool executable;
	bool is_public;
	char sha256[FETCHFS_SHA256_SIZE];
};

struct facts inode_facts_of(const struct fetchfs_info *info);

#define NODE_SMALL ((int64_t)64 * 1024) /* bytes */

struct node {
	/* never changes */
	uint64_t id;
	uint64_t st_ino;
	enum node_kind kind;
	bool complete;                    /* the phase */
	bool small;                       /* complete, and the kernel is to keep its few pages */
	char *identity;                   /* one string an identity */
	char *path;                       /* folders: relative to the mount; in a tree: to that */
	struct wanted wanted;             /* NODE_FILE; of trees the archive */
	char key[FETCHFS_KEY_HEX_SIZE];   /* NODE_FILE; of trees the archive's */
	char sha256[FETCHFS_SHA256_SIZE]; /* NODE_OBJECT; of trees the archive's, "": not known */

	struct passthrough_node passthrough; /* passthrough.c's, which guards it */

	/* guarded by fs->sizes: the size that every answer has had which the kernel may still
	 * believe; -1: there were some without */
	int64_t told;

	/* guarded by the table's mutex */
	struct facts facts;
	uint64_t lookups;          /* references of the kernel */
	unsigned int refs;         /* references of requests */
	uint64_t parent;           /* where it was found last, with … */
	char *name;                /* … this name */
	char *error;               /* the text of the last error, or NULL; … */
	uid_t error_uid;           /* … who ran into it */
	struct stale *stale;       /* inode_stale.c's; NULL: none was ever told ESTALE */
	struct doubts *doubts;     /* doubt.h's; NULL: there never were any */
	unsigned int cached_opens; /* that go through the kernel's cache, or past this process */
	unsigned int direct_opens; /* of another version, past the cache */
	bool was_direct;           /* what the cache has need not be of the node's version */
	bool renewed;              /* what the cache has is of another version, and to go */
	bool shadowed;             /* something below its name is known, as was seen last */
	bool used;                 /* since inode_walk_idle() came by */
	struct node *next_by_id;
	struct node *next_by_identity;
};

struct inodes;

int inode_table_new(struct inodes **ret, struct err *err);
void inode_table_free(struct inodes *inodes);

/* The node @id with a reference for inode_unref(), or NULL. */
struct node *inode_ref(struct inodes *inodes, uint64_t id);
void inode_unref(struct inodes *inodes, struct node *node);

/* What a lookup found. Strings are copied. */
struct found {
	enum node_kind kind;
	const char *path; /* folders, NODE_TEXT, and what is in a tree */
	const struct wanted *wanted;
	const char *key;
	const char *sha256;
	struct facts facts;
};

/*
 * The node to answer with, for @name in @parent: the current one of that identity, or a new one.
 * It has a reference for inode_unref() and counts as looked up once more.
 */
int inode_enter(struct inodes *inodes, const struct found *found, uint64_t parent, const char *name,
	struct node **ret, struct err *err);

/* How many nodes there are. */
size_t inode_count(struct inodes *inodes);

/* The kernel gives up @count lookups of the node @id. */
void inode_forget(struct inodes *inodes, uint64_t id, uint64_t count);

/* The inode number that a folder, and a file, has or would have. */
uint64_t inode_number_of_folder(const char *path);
uint64_t inode_number_of_key(const char *key);

/* Whether, of many nodes, half are gone: since the start, or since it was last so. */
bool inode_have_shrunk(struct inodes *inodes);

struct facts inode_facts(struct inodes *inodes, struct node *node);

/*
 * Note what is known now. false, and nothing noted, when these are facts of another version than
 * the node stands for. A node whose version is unknown takes the first that it is told.
 */
bool inode_learn(struct inodes *inodes, struct node *node, const struct facts *facts);

/*
 * Make @node one of another version, if nobody has it open, or the content is the same: else what
 * the kernel has of it goes with the next open. For nodes to which no name leads, so that there can
 * be no other one. false: it is open.
 */
bool inode_renew(struct inodes *inodes, struct node *node, const struct facts *facts);

/* Whether it was since the last call, so that what the kernel has of it must go before it is
 * opened. */
bool inode_take_renewed(struct inodes *inodes, struct node *node);

/* Lookups lead to another node from now on; this one is for those who have it. */
void inode_detach(struct inodes *inodes, struct node *node);

/*
 * It is opened, @direct: by one who reads another version, past the kernel's cache. false: others
 * have it open in the other way. What is mapped into memory goes through the cache all the same, so
 * the two would see each other's version. *ret_keep: what is in the cache is of the node's version.
 * Adds a reference, which inode_close() gives up.
 */
bool inode_open(struct inodes *inodes, struct node *node, bool direct, bool *ret_keep);
void inode_close(struct inodes *inodes, struct node *node, bool direct);

/* Where the node was found last; the name is the caller's to free(), NULL when out of memory. */
char *inode_place(struct inodes *inodes, struct node *node, uint64_t *ret_parent);

/* The text of the last error, which is for @uid, who ran into it, and for root; NULL is none. The
 * copy is the caller's to free(). */
void inode_set_error(struct inodes *inodes, struct node *node, uid_t uid, const char *text);
char *inode_error(struct inodes *inodes, struct node *node, uid_t uid);

/*
 * Files and folders that the kernel keeps for long, by pages: up to @max of them into @ret, each
 * with a reference, from *cursor on (0: the first), which moves on. 0 at the end. Some may come up
 * twice.
 */
size_t inode_walk_kept(struct inodes *inodes, size_t *cursor, struct node **ret, size_t max);

/*
 * The ids of up to @max nodes into @ret that the kernel remembers and that, as far as this process
 * can tell, nobody uses. Each call goes on where the one before stopped; a node that was looked up
 * or opened since it was last passed is left out, unless all are so.
 */
size_t inode_walk_idle(struct inodes *inodes, uint64_t *ret, size_t max);

/* What was complete is not any more, or nothing is below: the next lookup makes another node. */
void inode_supersede(struct inodes *inodes, struct node *node);

/* Note whether it is shadowed; whether that is news. */
bool inode_set_shadowed(struct inodes *inodes, struct node *node, bool shadowed);

/* The id of the node of the folder at @path; 0: it has none. */
uint64_t inode_id_of_path(struct inodes *inodes, const char *path);

/* Whether it is in an archive, or what is in one. */
bool inode_is_in_tree(const struct node *node);

/* The current node of @path in the tree of the archive @key with the content @sha256, with a
 * reference; or NULL. The number that such a file or folder has, or would have. */
struct node *inode_ref_in_tree(
	struct inodes *inodes, const char *key, const char *sha256, const char *path);
uint64_t inode_number_in_tree(const char *key, const char *sha256, const char *path);

/* Whether @thread was told ESTALE on this node before; from now on it was. */
bool inode_told_stale(struct inodes *inodes, struct node *node, pid_t thread);

#endif
