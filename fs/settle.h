/*
 * Asking an origin what a folder in doubt (doubt.h) is, for a request that shows that it was the
 * last name of a path.
 */
#ifndef FETCHFS_FS_SETTLE_H
#define FETCHFS_FS_SETTLE_H

#include "fs/ops.h"

/* Answers a request about @node, which is a folder; the node is the caller's. */
typedef void settle_answer(fuse_req_t req, struct node *node, const struct fuse_file_info *fi);

/*
 * false: @node is a folder for this thread, the caller goes on. true: @req has been answered, or
 * will be: as @answer does it if it turns out to be a folder, by ENOENT, ESTALE or another error
 * if not. The reference to @node is then consumed. @fi is handed to @answer; may be NULL. With
 * @enters, which only folders can be, what the origin does not have is one, too.
 */
bool settle(fuse_req_t req, struct node *node, const struct fuse_file_info *fi, bool enters,
	settle_answer *answer);

#endif
