/*
 * Telling the kernel, from a request, that a name is to be looked up again.
 */
#ifndef FETCHFS_FS_NOTICE_H
#define FETCHFS_FS_NOTICE_H

#include "fs/ops.h"

/* Where @node was found last. Best effort, and later: it waits for lookups in that folder, on a
 * queue that no lookup waits for. */
void notice_expire(struct fs *fs, struct node *node);

#endif
