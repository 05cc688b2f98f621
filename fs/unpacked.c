#include "fs/unpacked.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/notice.h"
#include "fs/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- names ---- */

size_t unpacked_name_len(const char *name)
{
	size_t len = strlen(name);

	if (!str_has_suffix(name, UNPACKED_SUFFIX) || len == strlen(UNPACKED_SUFFIX))
		return 0;
	return len - strlen(UNPACKED_SUFFIX);
}

char *unpacked_single_name(const struct node *node)
{
	const char *slash = strrchr(node->wanted.uri, '/');

	return fetchfs_tree_single_name(slash && slash[1] ? slash + 1 : FETCHFS_TREE_SINGLE);
}

/* What is compressed by itself is called "data" in its tree. */
static bool is_single(const struct unpacked_call *call)
{
	return call->node->kind == NODE_TREE && fetchfs_tree_is_single(call->tree);
}

int unpacked_path(const struct unpacked_call *call, const char *name, char **ret)
{
	CLEANUP(str_freep) char *single = NULL;
	const char *above = call->node->path;

	if (is_single(call)) {
		single = unpacked_single_name(call->node);
		if (single && !str_equal(single, name))
			return -ENOENT;
		*ret = single ? str_copy("data") : NULL;
	} else {
		*ret = str_printf("%s%s%s", above, *above ? "/" : "", name);
	}
	return *ret ? 0 : -ENOMEM;
}

int unpacked_openat(int tree_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, tree_fd, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* ---- finding the tree ---- */

/*
 * The thread was sent back to the name, and came to the same node again: it is in the folder, say.
 * The content that the node stands for may be here still.
 */
static int get_old(struct unpacked_call *call, struct fetchfs_file **ret, struct err *err)
{
	const struct fuse_ctx *caller = fuse_req_ctx(call->req);
	struct node *root;

	if (inode_told_stale(call->fs->inodes, call->node, caller->pid) &&
		fetchfs_get_digest(call->fs->fetchfs, call->node->sha256, caller->uid, ret, NULL) ==
			0)
		return 0;
	root = inode_ref_in_tree(call->fs->inodes, call->node->key, call->node->sha256, "");
	if (root)
		notice_expire(call->fs, root);
	inode_unref(call->fs->inodes, root);
	return err_set(err, ERR_REMOTE, ESTALE, "the archive has changed");
}

/* The tree of @file, the archive as it is now, of which @info tells; -EAGAIN: it is not unpacked.
 */
static int open_tree(struct unpacked_call *call, struct fetchfs_file *file,
	const struct fetchfs_info *info, struct err *err)
{
	const char *sha256 = call->node->sha256;
	struct fetchfs_file *old = NULL;
	int r;

	if (!call->fs->options->known_only && !str_equal(info->key, call->node->key))
		return err_set(err, ERR_POLICY, EACCES, "%s belongs to another user", info->uri);
	memcpy(call->sha256, info->sha256, sizeof(call->sha256));
	call->is_public = info->is_public;
	if (!*sha256 || str_equal(sha256, info->sha256))
		return fetchfs_tree_open_now(file, &call->tree, err);
	memcpy(call->sha256, sha256, sizeof(call->sha256));
	r = get_old(call, &old, err);
	if (r == 0)
		r = fetchfs_tree_open_now(old, &call->tree, err);
	fetchfs_file_free(old);
	return r;
}

/* By the content alone: -EAGAIN when that is not here any more, or not to be seen by the caller. */
static int find_known_tree(struct unpacked_call *call, struct err *err)
{
	const struct node *node = call->node;
	struct fetchfs_file *file;
	int r;

	if (fetchfs_get_digest(
		    call->fs->fetchfs, node->sha256, fuse_req_ctx(call->req)->uid, &file, NULL) < 0)
		return -EAGAIN;
	r = fetchfs_tree_open_now(file, &call->tree, err);
	fetchfs_file_free(file);
	memcpy(call->sha256, node->sha256, sizeof(call->sha256));
	call->is_public = node->facts.is_public; /* never changes: it is the scope's */
	return r;
}

/* If the archive is here, and nobody need be asked; else -EAGAIN. */
static int find_tree(struct unpacked_call *call, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_file *file;
	int r;

	if (!call->opens && call->node->sha256[0]) {
		r = find_known_tree(call, err);
		if (r != -EAGAIN)
			return r;
	}
	r = open_get(call->fs, call->node, fuse_req_ctx(call->req)->uid, &file, err);
	if (r < 0)
		return r;
	r = fetchfs_file_info(file, &info, err);
	if (r == 0)
		r = info.state == FETCHFS_COMPLETE ? open_tree(call, file, &info, err) : -EAGAIN;
	fetchfs_file_free(file);
	return r;
}

/* After the archive was asked for, fetched and unpacked, as @info tells. */
static int find_tree_again(
	struct unpacked_call *call, const struct fetchfs_info *info, struct err *err)
{
	struct fetchfs_file *file;
	int r = fetchfs_get_digest(
		call->fs->fetchfs, info->sha256, fuse_req_ctx(call->req)->uid, &file, err);

	if (r < 0)
		return r;
	r = open_tree(call, file, info, err);
	fetchfs_file_free(file);
	return r == -EAGAIN ? err_set(err, ERR_SYSTEM, EAGAIN, "evicted at once") : r;
}

char *unpacked_error(struct fs *fs, const struct node *node, uid_t uid)
{
	struct fetchfs_file *file;
	struct fetchfs_tree *tree;
	struct err err = ERR_INIT;
	int r;

	if (fetchfs_get_digest(fs->fetchfs, node->sha256, uid, &file, NULL) < 0)
		return NULL;
	r = fetchfs_tree_open_now(file, &tree, &err);
	fetchfs_file_free(file);
	if (r == 0)
		fetchfs_tree_free(tree);
	return r < 0 && r != -EAGAIN ? str_copy(err.msg) : NULL;
}

/* ---- fetching and unpacking ---- */

int unpacked_fetch(struct fs *fs, const struct fetchfs_request *request, struct fetchfs_file **ret,
	struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	int r;

	if (!fs->options->known_only)
		return fetchfs_get(fs->fetchfs, request, ret, err);
	r = fetchfs_find(fs->fetchfs, request, &info, err);
	return r < 0 ? r : fetchfs_get_digest(fs->fetchfs, info.sha256, request->uid, ret, err);
}

int unpacked_unpack(struct fetchfs_file *file, struct fetchfs_info *ret,
	struct fetchfs_tree **ret_tree, struct err *err)
{
	int r = fetchfs_tree_open(file, -1, ret_tree, err);

	return r < 0 ? r : fetchfs_file_info(file, ret, err);
}

/* ---- running ---- */

static void finish(struct unpacked_call *call, unpacked_go *go)
{
	go(call);
	fetchfs_tree_free(call->tree);
	call->tree = NULL;
}

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	struct unpacked_call call = {
		.fs = ask->fs,
		.req = ask->req,
		.node = ask->node,
		.name = ask->name,
		.fi = &ask->fi,
		.opens = true,
	};
	struct err local = *err;

	if (local.code || find_tree_again(&call, info, &local) < 0)
		reply_error(ask->req, ask->node, &local);
	else
		finish(&call, ask->as_tree);
}

static int send(struct unpacked_call *call, int limit_ms, unpacked_go *go, struct err *err)
{
	struct ask *ask = ask_new(call->req);

	if (ask) {
		ask->wanted = call->node->wanted;
		ask->wanted.uri = str_copy(call->node->wanted.uri);
		ask->name = str_copy(call->name);
	}
	if (!ask || !ask->wanted.uri || (call->name && !ask->name)) {
		ask_free(ask);
		return err_oom(err);
	}
	ask->node = call->node;
	ask->kind = ASK_TREE;
	ask->limit_ms = limit_ms;
	ask->late = EAGAIN;
	if (call->fi)
		ask->fi = *call->fi;
	ask->as_tree = go;
	ask->answer = answered;
	ask_send(ask);
	return 0;
}

void unpacked_run(struct unpacked_call *call, int limit_ms, unpacked_go *go)
{
	struct err err = ERR_INIT;
	int r = find_tree(call, &err);

	if (r == 0)
		finish(call, go);
	else if (r == -EAGAIN && send(call, limit_ms, go, &err) == 0)
		return;
	else
		reply_error(call->req, call->node, &err);
	inode_unref(call->fs->inodes, call->node);
}
