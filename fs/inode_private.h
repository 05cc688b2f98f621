/*
 * What the files of the table of nodes share.
 */
#ifndef FETCHFS_FS_INODE_PRIVATE_H
#define FETCHFS_FS_INODE_PRIVATE_H

#include "base/cleanup.h"
#include "fs/inode.h"

#include <pthread.h>
#include <stddef.h>

struct inodes {
	pthread_mutex_t mu;
	/* all below: guarded by mu */
	struct node **by_id;
	struct node **by_identity; /* only the current node of each identity */
	size_t buckets;
	size_t count;
	uint16_t shrinks; /* how often there became fewer buckets */
	size_t hand;      /* the bucket where inode_walk_idle() goes on */
	size_t most;      /* that there were, as inode_have_shrunk() counts */
	uint64_t next_id;
};

/* Whether @facts are of the version that @node stands for, as far as both know one. Under mu. */
bool inode_is_version(const struct node *node, const struct facts *facts);

/* Where the current node of @identity is, or would be. Under mu. */
struct node **inode_identity_slot(struct inodes *inodes, const char *identity);

/* The threads that were told ESTALE on @node, the last ones: whether @thread is among them; add it,
 * as far as there is memory; take it out. Under mu. */
bool inode_stale_has(const struct node *node, pid_t thread);
void inode_stale_add(struct node *node, pid_t thread);
void inode_stale_drop(struct node *node, pid_t thread);

/* The identity of the folder at @path; the caller's to free(), NULL when out of memory. */
char *inode_identity_of_path(const char *path);
char *inode_identity_in_tree(const char *key, const char *sha256, const char *path);

#endif
