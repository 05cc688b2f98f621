/*
 * Files of lazy sandboxes: .fetchfs/lease/TOKEN:URI. The lease with this token decides what such a
 * file is: the content that it keeps, whatever has become of the URI since; or, as long as that has
 * yet to come, what the URI has, on behalf of the lease's user.
 */
#ifndef FETCHFS_FS_LEASED_H
#define FETCHFS_FS_LEASED_H

#include "fs/ops.h"

static inline bool leased_is(const struct node *node)
{
	return node->kind == NODE_FILE && *node->wanted.token;
}

/* As open_get() and ops_find(), of such a node. -ESTALE: there is no such lease (any more). */
int leased_get(struct fs *fs, const struct node *node, struct fetchfs_file **ret, struct err *err);
int leased_find(struct fs *fs, const struct node *node, struct fetchfs_info *ret, struct err *err);

/* Note what is known now; it may become another version, if nobody has it open. false: it is open
 * for another one, or it cannot be known which one this is. */
bool leased_learn(struct fs *fs, struct node *node, const struct facts *facts);

/* Who had it open as @file is about to close it: which content that was may be known by now, so
 * that the kernel's cache is seen to be of what the lease keeps. */
void leased_closed(struct fs *fs, struct node *node, struct fetchfs_file *file);

#endif
