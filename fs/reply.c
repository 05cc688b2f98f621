#include "fs/reply.h"

#include "base/fault.h"
#include "base/log.h"
#include "fs/prune.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_FIXED    3600.0 /* seconds: what never changes while it is mounted */
#define TIMEOUT_COMPLETE 3600.0 /* an opener still revalidates */
#define TIMEOUT_FOLDER                                                                             \
	3600.0        /* something below is known to all; watch.h looks whether it still is */
#define BLOCK     512 /* the unit of st_blocks */
#define READ_SIZE (128 * 1024)
#define TEXT_SIZE 4096 /* shown; the text is made at open and read past the page cache */

void reply_error(fuse_req_t req, struct node *node, const struct err *err)
{
	struct fs *fs = ops_fs(req);
	int code = err->code > 0 ? err->code : EIO;

	if (node && err->msg[0]) {
		if (code != EINTR && code != ESTALE)
			inode_set_error(fs->inodes, node, fuse_req_ctx(req)->uid, err->msg);
		log_debug("%s", err->msg);
	}
	fuse_reply_err(req, code);
}

static bool is_folder(const struct node *node)
{
	switch (node->kind) {
	case NODE_FILE:
	case NODE_OBJECT:
	case NODE_TEXT:
	case NODE_TREE_FILE:
	case NODE_TREE_LINK:
		return false;
	default:
		return true;
	}
}

/*
 * How long the kernel may believe what it was told. Only what does not depend on the caller, and
 * does not change behind the kernel's back, may be kept at all.
 */
static double timeout_of(const struct node *node, const struct facts *facts)
{
	switch (node->kind) {
	case NODE_FOLDER:
		return names_is_origin(node->path) ? TIMEOUT_FIXED
		       : facts->is_public          ? TIMEOUT_FOLDER
						   : 0;
	case NODE_FILE:
	case NODE_OBJECT:
	case NODE_TREE:
	case NODE_TREE_FOLDER:
	case NODE_TREE_FILE:
	case NODE_TREE_LINK:
		return node->complete && facts->complete && facts->is_public ? TIMEOUT_COMPLETE : 0;
	case NODE_TEXT:
		return 0;
	default:
		return TIMEOUT_FIXED;
	}
}

/*
 * What is here, as du(1) shows it; but never nothing: a file without a block is one hole to
 * tar(1), which archives zeros for it without reading.
 */
static blkcnt_t blocks_of(const struct facts *facts)
{
	uint64_t blocks = (facts->cached + BLOCK - 1) / BLOCK;

	return blocks == 0 && facts->size > 0 ? 1 : (blkcnt_t)blocks;
}

static struct stat stat_of(struct fs *fs, const struct node *node, const struct facts *facts)
{
	struct stat st = {
		.st_ino = node->st_ino,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_nlink = 1, /* of a folder: nobody has counted those below it */
		.st_blksize = READ_SIZE,
	};
	time_t modified = fs->started;

	if (is_folder(node)) {
		st.st_mode = S_IFDIR | 0555;
		if (inode_is_in_tree(node) && facts->modified >= 0)
			modified = facts->modified;
	} else if (node->kind == NODE_TEXT) {
		st.st_mode = S_IFREG | 0444;
		st.st_size = TEXT_SIZE;
	} else {
		st.st_mode = node->kind == NODE_TREE_LINK ? S_IFLNK | 0777
			     : facts->executable          ? S_IFREG | 0555
							  : S_IFREG | 0444;
		if (facts->known && !facts->is_public)
			st.st_mode &= ~(mode_t)0007;
		st.st_size = facts->size > 0 ? facts->size : 0;
		st.st_blocks = blocks_of(facts);
		if (facts->modified >= 0)
			modified = facts->modified;
	}
	st.st_mtime = st.st_ctime = st.st_atime = modified;
	return st;
}

struct fuse_entry_param reply_entry_of(struct fs *fs, struct node *node)
{
	struct facts facts = inode_facts(fs->inodes, node);

	return (struct fuse_entry_param){
		.ino = node->id,
		.attr = stat_of(fs, node, &facts),
		.attr_timeout = timeout_of(node, &facts),
		.entry_timeout = timeout_of(node, &facts),
	};
}

void reply_entry(fuse_req_t req, struct node *node)
{
	struct fs *fs = ops_fs(req);
	struct fuse_entry_param entry = reply_entry_of(fs, node);

	if (node->kind == NODE_FILE)
		(void)fault_hit("reply.entry");
	if (fuse_reply_entry(req, &entry) < 0)
		inode_forget(fs->inodes, node->id, 1);
	prune_if_many(fs);
}

void reply_attr(fuse_req_t req, struct node *node)
{
	struct fs *fs = ops_fs(req);
	struct facts facts = inode_facts(fs->inodes, node);
	struct stat st = stat_of(fs, node, &facts);

	if (node->kind == NODE_FILE)
		(void)fault_hit("reply.attr");
	fuse_reply_attr(req, &st, timeout_of(node, &facts));
}

void reply_attr_of_text(fuse_req_t req, struct node *node, size_t len)
{
	struct fs *fs = ops_fs(req);
	struct facts facts = inode_facts(fs->inodes, node);
	struct stat st = stat_of(fs, node, &facts);

	st.st_size = (off_t)len;
	fuse_reply_attr(req, &st, 0);
}

void reply_xattr(fuse_req_t req, const char *value, size_t len, size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, len);
	else if (len > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, len);
}
