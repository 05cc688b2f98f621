/*
 * Answers to the kernel. Each consumes the request.
 */
#ifndef FETCHFS_FS_REPLY_H
#define FETCHFS_FS_REPLY_H

#include "fs/ops.h"

/* An error; its text is kept with @node (may be NULL) for the xattr user.fetchfs.error. */
void reply_error(fuse_req_t req, struct node *node, const struct err *err);

/* What the kernel is told of a node that it looks up, or lists. */
struct fuse_entry_param reply_entry_of(struct fs *fs, struct node *node);

/* The node that inode_enter() gave; it is forgotten again if the kernel is not interested. */
void reply_entry(fuse_req_t req, struct node *node);

/* Its attributes. */
void reply_attr(fuse_req_t req, struct node *node);

/* The same of a text in .fetchfs/ that is open, and @len bytes long. */
void reply_attr_of_text(fuse_req_t req, struct node *node, size_t len);

/* A value or list of xattrs: its length when @size is 0, -ERANGE when it does not fit. */
void reply_xattr(fuse_req_t req, const char *value, size_t len, size_t size);

#endif
