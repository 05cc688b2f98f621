/*
 * GETATTR and STATFS.
 *
 * A complete node answers from memory. One in flight asks the cache; only when that knows nothing,
 * the origin.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/reply.h"

#include <errno.h>

#define BLOCK    4096
#define NAME_LEN 255

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	struct facts facts;

	if (!info) {
		reply_error(ask->req, ask->node, err);
		return;
	}
	facts = inode_facts_of(info);
	/* If it is another version by now, the next opener will get a node for that. */
	inode_learn(ask->fs->inodes, ask->node, &facts);
	reply_attr(ask->req, ask->node);
}

/* Consumes the reference of @node. */
static void ask_origin(fuse_req_t req, struct node *node)
{
	struct fs *fs = ops_fs(req);
	struct ask *ask = ask_new(req);
	struct err err = ERR_INIT;

	if (ask) {
		ask->wanted = node->wanted;
		ask->wanted.uri = str_copy(node->wanted.uri);
	}
	if (!ask || !ask->wanted.uri) {
		ask_free(ask);
		err_oom(&err);
		reply_error(req, node, &err);
		inode_unref(fs->inodes, node);
		return;
	}
	ask->node = node;
	ask->answer = answered;
	ask_send(ask);
}

static void file_attr(fuse_req_t req, struct node *node)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fs *fs = ops_fs(req);
	struct err err = ERR_INIT;
	struct facts facts;
	int r = ops_find(fs, node, fuse_req_ctx(req)->uid, &info, &err);

	if (r == 0 && (info.state == FETCHFS_KNOWN || info.state == FETCHFS_IN_FLIGHT ||
			      info.state == FETCHFS_COMPLETE)) {
		facts = inode_facts_of(&info);
		inode_learn(fs->inodes, node, &facts);
		reply_attr(req, node);
	} else if (r < 0 && r != -ENOENT) {
		reply_error(req, node, &err);
	} else if (fs->options->known_only) {
		fuse_reply_err(req, ENOENT);
	} else {
		ask_origin(req, node);
		return;
	}
	inode_unref(fs->inodes, node);
}

void attr_get_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);

	(void)fi;
	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (node->kind == NODE_FILE && !node->complete) {
		file_attr(req, node);
		return;
	}
	reply_attr(req, node);
	inode_unref(fs->inodes, node);
}

void attr_statfs_op(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = ops_fs(req);
	struct fetchfs_usage usage = {0};
	struct err err = ERR_INIT;
	struct statvfs st = {.f_bsize = BLOCK, .f_frsize = BLOCK, .f_namemax = NAME_LEN};

	(void)ino;
	if (fetchfs_usage(fs->fetchfs, &usage, &err) < 0) {
		reply_error(req, NULL, &err);
		return;
	}
	st.f_blocks = usage.limit / BLOCK;
	st.f_bfree = usage.used < usage.limit ? (usage.limit - usage.used) / BLOCK : 0;
	st.f_bavail = st.f_bfree;
	st.f_files = usage.entries;
	st.f_flag = ST_RDONLY | ST_NOSUID;
	fuse_reply_statfs(req, &st);
}
