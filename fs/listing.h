/*
 * Asking an origin for the names in a folder (`list = yes`), on behalf of who opens it.
 */
#ifndef FETCHFS_FS_LISTING_H
#define FETCHFS_FS_LISTING_H

#include "fs/settle.h"

/*
 * Whether @node has a listing that is to be asked for first. If so, the request is answered by
 * @answer once it is here, or cannot be had: then by what is known. The caller keeps its reference.
 */
bool listing_ask(
	fuse_req_t req, struct node *node, const struct fuse_file_info *fi, settle_answer *answer);

#endif
