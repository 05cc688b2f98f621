#include "fs/settle.h"

#include "base/clock.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/doubt.h"
#include "fs/reply.h"

#include <errno.h>

#define LIMIT_MS 60000 /* that stat() of such a name may take, whatever the origin's limits are */

static pid_t thread_of(fuse_req_t req)
{
	return fuse_req_ctx(req)->pid;
}

/* There is nothing that the caller could read under this name; below it there may be. */
static bool is_nothing(const struct err *err)
{
	return err->code == ENOENT || (err->code == EACCES && err->kind == ERR_REMOTE);
}

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	struct inodes *inodes = ask->fs->inodes;
	struct facts facts;
	struct err stale = ERR_INIT;

	if (!info && ask->enters && is_nothing(err)) {
		doubt_commit(inodes, ask->node);
	} else if (!info && err->code != EISDIR) {
		reply_error(ask->req, ask->node, err);
		return;
	} else if (!info || ops_looks_like_folder(ask->node->path, info)) {
		doubt_settle_folder(inodes, ask->node);
	} else {
		facts = inode_facts_of(info);
		if (doubt_settle_file(
			    inodes, ask->node, thread_of(ask->req), &facts, clock_wall())) {
			err_set(&stale, ERR_REMOTE, ESTALE, "it is a file");
			reply_error(ask->req, ask->node, &stale);
			return;
		}
	}
	ask->as_folder(ask->req, ask->node, &ask->fi);
}

static int ask_origin(fuse_req_t req, struct node *node, const struct fuse_file_info *fi,
	bool enters, settle_answer *answer, struct err *err)
{
	struct ask *ask = ask_new(req);
	int r;

	if (!ask)
		return err_oom(err);
	r = names_from_tree(node->path, &ask->wanted, err);
	if (r < 0) {
		ask_free(ask);
		return r;
	}
	ask->node = node;
	ask->limit_ms = LIMIT_MS;
	ask->late = ETIMEDOUT;
	ask->enters = enters;
	ask->as_folder = answer;
	if (fi)
		ask->fi = *fi;
	ask->answer = answered;
	ask_send(ask);
	return 0;
}

bool settle(fuse_req_t req, struct node *node, const struct fuse_file_info *fi, bool enters,
	settle_answer *answer)
{
	struct fs *fs = ops_fs(req);
	enum doubt doubt = doubt_of(fs->inodes, node, thread_of(req), clock_wall());
	struct err err = ERR_INIT;

	if (doubt == DOUBT_ABSENT && enters) {
		doubt_commit(fs->inodes, node);
		doubt = DOUBT_NONE;
	}
	if (doubt == DOUBT_NONE)
		return false;
	if (doubt == DOUBT_ABSENT)
		err_set(&err, ERR_REMOTE, ENOENT, "not found");
	else if (ask_origin(req, node, fi, enters, answer, &err) == 0)
		return true;
	reply_error(req, node, &err);
	inode_unref(fs->inodes, node);
	return true;
}
