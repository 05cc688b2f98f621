/*
 * How many nodes there may be that the kernel merely remembers.
 *
 * It keeps each name that it looked up, or was given with a listing, until it needs the memory, and
 * so long this process keeps a node for it. Beyond 24,576 nodes the kernel is asked to give up
 * those that have not been looked up for longest. By FUSE_NOTIFY_PRUNE (protocol 7.45): of what
 * somebody has open, mapped, as his directory, bound elsewhere, or mounted something upon, the
 * kernel gives up nothing, and waits for no lookup. (An invalidated name would take with it what is
 * mounted there, in all namespaces.)
 */
#ifndef FETCHFS_FS_PRUNE_H
#define FETCHFS_FS_PRUNE_H

#include "fs/ops.h"

/* In the INIT operation. */
void prune_init(struct fs *fs, const struct fuse_conn_info *conn);

/* The kernel was given nodes: ask it, on the queue of notices, if there are too many by now. */
void prune_if_many(struct fs *fs);

/* Whether a listing may bring nodes with it. What it does not bring is looked up when it is wanted;
 * so who only lists stays within a bound whatever the kernel can do. */
bool prune_has_room(struct fs *fs);

#endif
