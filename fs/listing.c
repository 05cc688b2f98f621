#include "fs/listing.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/reply.h"

#include <errno.h>

#define LIMIT_MS 70000 /* longer than any listing may take */

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	(void)info;
	if (err->kind == ERR_CANCELLED && err->code != ETIMEDOUT) {
		reply_error(ask->req, ask->node, err);
		return;
	}
	inode_set_error(ask->fs->inodes, ask->node, ask->uid, err->code ? err->msg : NULL);
	ask->as_folder(ask->req, ask->node, &ask->fi);
}

bool listing_ask(
	fuse_req_t req, struct node *node, const struct fuse_file_info *fi, settle_answer *answer)
{
	struct fs *fs = ops_fs(req);
	CLEANUP(str_freep) char *folder = NULL;
	struct ask *ask;

	if (fs->options->known_only || names_folder(node->path, &folder, NULL) < 0 ||
		!fetchfs_folder_is_due(fs->fetchfs, folder, fuse_req_ctx(req)->uid))
		return false;
	ask = ask_new(req);
	if (!ask)
		return false; /* and what is known will do */
	ask->node = inode_ref(fs->inodes, node->id);
	ask->wanted.uri = str_steal(&folder);
	ask->kind = ASK_LISTING;
	ask->limit_ms = LIMIT_MS;
	ask->late = ETIMEDOUT;
	ask->as_folder = answer;
	ask->fi = *fi;
	ask->answer = answered;
	ask_send(ask);
	return true;
}
