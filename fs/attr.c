/*
 * GETATTR, ACCESS and STATFS.
 *
 * A complete node answers from memory. One in flight asks the cache; only when that knows nothing,
 * the origin.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/leased.h"
#include "fs/reply.h"
#include "fs/settle.h"

#include <errno.h>
#include <unistd.h>

#define BLOCK    4096
#define NAME_LEN 255

/* ---- GETATTR, and ACCESS that only wants to know whether it is there ---- */

static void reply_there(fuse_req_t req, struct node *node, bool access)
{
	if (access)
		fuse_reply_err(req, 0);
	else
		reply_attr(req, node);
}

static void folder_attr(fuse_req_t req, struct node *node, const struct fuse_file_info *fi)
{
	(void)fi;
	reply_there(req, node, false);
}

static void folder_access(fuse_req_t req, struct node *node, const struct fuse_file_info *fi)
{
	(void)fi;
	reply_there(req, node, true);
}

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	struct facts facts;

	if (!info) {
		reply_error(ask->req, ask->node, err);
		return;
	}
	facts = inode_facts_of(info);
	if (!str_equal(info->key, ask->node->key)) {
		reply_there(ask->req, ask->node, ask->access);
		return;
	}
	/* If it is another version by now, the next opener will get a node for that. */
	inode_learn(ask->fs->inodes, ask->node, &facts);
	reply_there(ask->req, ask->node, ask->access);
}

/* Consumes the reference of @node. */
static void ask_origin(fuse_req_t req, struct node *node, bool access)
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
	ask->access = access;
	ask->answer = answered;
	ask_send(ask);
}

/* Consumes the reference of @node. */
static void file_attr(fuse_req_t req, struct node *node, bool access)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fs *fs = ops_fs(req);
	struct err err = ERR_INIT;
	struct facts facts;
	int r = ops_find(fs, node, fuse_req_ctx(req)->uid, &info, &err);

	if (r == 0 && ops_is_file(&info)) {
		facts = inode_facts_of(&info);
		if (leased_is(node))
			(void)leased_learn(fs, node, &facts);
		else if (str_equal(info.key, node->key)) /* of this caller, too, it is the node's */
			inode_learn(fs->inodes, node, &facts);
		reply_there(req, node, access);
	} else if (leased_is(node) && inode_facts(fs->inodes, node).known) {
		reply_there(req, node, access); /* who has it open reads on after its release */
	} else if (r < 0 && r != -ENOENT) {
		reply_error(req, node, &err);
	} else if (fs->options->known_only) {
		fuse_reply_err(req, ENOENT);
	} else {
		ask_origin(req, node, access);
		return;
	}
	inode_unref(fs->inodes, node);
}

void attr_get_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);

	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	/* who seeks to the end of one that is open is told where that is */
	if (node->kind == NODE_TEXT && fi) {
		reply_attr_of_text(req, node, ((struct handle *)(uintptr_t)fi->fh)->text_len);
		inode_unref(fs->inodes, node);
		return;
	}
	if (node->kind == NODE_FILE && !node->complete) {
		file_attr(req, node, false);
		return;
	}
	if (node->kind == NODE_FOLDER && settle(req, node, NULL, false, folder_attr))
		return;
	reply_attr(req, node);
	inode_unref(fs->inodes, node);
}

/* Consumes the reference of @node. */
static void file_access(fuse_req_t req, struct node *node, int mask)
{
	struct fs *fs = ops_fs(req);
	struct facts facts = inode_facts(fs->inodes, node);

	if (node->kind == NODE_FILE && !node->complete && !(mask & X_OK)) {
		file_attr(req, node, true);
		return;
	}
	fuse_reply_err(req, (mask & X_OK) && !facts.executable ? EACCES : 0);
	inode_unref(fs->inodes, node);
}

/*
 * access() and, as X_OK on a folder, chdir(). Everything may be read by who has found it: LOOKUP
 * has decided that, and OPEN will again.
 */
void attr_access_op(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);

	if (!node || (mask & W_OK)) {
		fuse_reply_err(req, node ? EROFS : ESTALE);
	} else if (node->kind == NODE_FILE || node->kind == NODE_OBJECT ||
		   node->kind == NODE_TREE_FILE) {
		file_access(req, node, mask);
		return;
	} else if (node->kind == NODE_TEXT) {
		fuse_reply_err(req, mask & X_OK ? EACCES : 0);
	} else if (node->kind == NODE_FOLDER &&
		   settle(req, node, NULL, mask & X_OK, folder_access)) {
		return;
	} else {
		fuse_reply_err(req, 0);
	}
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
