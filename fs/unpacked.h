/*
 * NAME.unpacked: what is in the archive NAME, as a folder beside it.
 *
 * Its node stands for one content of the archive, or, as long as that is not here, for whatever it
 * will be (sha256 is "" then). Nodes below stand for one content, always. What they need of it is
 * found anew for each request, so that nothing is kept from eviction but what is open: at once
 * when the archive is here, fresh and unpacked, else by a thread that may wait.
 */
#ifndef FETCHFS_FS_UNPACKED_H
#define FETCHFS_FS_UNPACKED_H

#include "fs/ops.h"

#define UNPACKED_SUFFIX ".unpacked"

/* The length of NAME if @name is NAME.unpacked, else 0. */
size_t unpacked_name_len(const char *name);

/* A request about @node, which is in a tree. */
struct unpacked_call {
	struct fs *fs;
	fuse_req_t req;
	struct node *node;
	const char *name; /* LOOKUP */
	const struct fuse_file_info *fi;
	bool opens; /* its origin is to be asked whether the archive is still the same, when due */
	/* below: what was found */
	struct fetchfs_tree *tree;        /* who takes it sets NULL */
	char sha256[FETCHFS_SHA256_SIZE]; /* of the archive */
	bool is_public;
};

/*
 * Answer @call by @go, with the tree, now or later, or by an error. @limit_ms: after so long by
 * EAGAIN, 0: never. Consumes the reference of call->node; the strings are copied.
 */
typedef void unpacked_go(struct unpacked_call *call);
void unpacked_run(struct unpacked_call *call, int limit_ms, unpacked_go *go);

/* The path in the tree that the name @name of the folder call->node has; the caller's to free().
 * -ENOENT, -ENOMEM. */
int unpacked_path(const struct unpacked_call *call, const char *name, char **ret);

/* The name that "data" of a tree of a single file has in @node; likewise, NULL: out of memory. */
char *unpacked_single_name(const struct node *node);

/* Open @path of the tree: -errno. */
int unpacked_openat(int tree_fd, const char *path, int flags);

/* Why the archive whose folder @node is cannot be unpacked, as far as is known: the caller's to
 * free(), NULL: nothing speaks against it. Asks nobody. */
char *unpacked_error(struct fs *fs, const struct node *node, uid_t uid);

/* Start or join the download of the archive of @request; where nobody may be asked, only what is
 * complete. *ret is the caller's. */
int unpacked_fetch(struct fs *fs, const struct fetchfs_request *request, struct fetchfs_file **ret,
	struct err *err);

/* Unpack the archive @file, all of which is here: blocks. Of it *ret, for fetchfs_info_release();
 * *ret_tree is the caller's, also after an error, if it is set. */
int unpacked_unpack(struct fetchfs_file *file, struct fetchfs_info *ret,
	struct fetchfs_tree **ret_tree, struct err *err);

/* Each consumes the reference of @node. */
void unpacked_lookup(fuse_req_t req, struct node *node, const char *name);
void unpacked_open(fuse_req_t req, struct node *node, const struct fuse_file_info *fi);
void unpacked_open_folder(fuse_req_t req, struct node *node, const struct fuse_file_info *fi);

/* For a listing: the node of @name in @folder, which @handle has open; as lookup_listed(). */
struct node *unpacked_listed(
	struct fs *fs, const struct node *folder, const struct handle *handle, const char *name);

#endif
