/*
 * What a name in a sandbox is of. The number of an inode is given again as soon as what had it is
 * gone; so the moment of its birth belongs to it, where the file system has that.
 */
#ifndef FETCHFS_SANDBOX_NODE_H
#define FETCHFS_SANDBOX_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Which of all that a file system ever had. All zeros: nothing is known of it. */
struct node_id {
	uint64_t inode;
	int64_t born; /* nanoseconds since 1970, 0: not known */
};

struct node {
	uint64_t mount; /* the unique id of the mount it is in, or of which it is the root */
	uint64_t device;
	struct node_id id;
	uint64_t size;
	mode_t mode;
};

/* What has the name @last in @dirfd; with an empty @last: what is open as @dirfd. -errno. */
int node_look(int dirfd, const char *last, struct node *ret);

/* Whether both are the same, as far as is known. */
bool node_is(const struct node_id *one, const struct node_id *other);

#endif
