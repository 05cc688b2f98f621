/*
 * OPEN: the moment of truth. It starts or joins the download and replies when the origin has
 * answered; when the size cannot be known in advance, when all bytes are here.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/leased.h"
#include "fs/notice.h"
#include "fs/park.h"
#include "fs/passthrough.h"
#include "fs/reply.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STAGE_GET, STAGE_STARTED, STAGE_COMPLETE };

/* ---- the end ---- */

static void finish_error(struct park *park, const struct err *err)
{
	fuse_req_t req = park_end(park);

	/* Nobody else may want a download whose only reader was interrupted. */
	if (park->handle)
		atomic_store(&park->handle->given_up, err->code == EINTR);
	reply_error(req, park->node, err);
	handle_free(park->fs, park->handle);
	park_free(park);
}

/* The mode of this open, if it is of a complete node: the id of what the kernel reads, or 0. */
static int32_t enter(struct park *park)
{
	struct handle *handle = park->handle;
	int32_t backing;

	/* To make the kernel know an object, for each open, costs more than to bring a few pages
	 * once: it keeps them. */
	if (!park->node->complete || park->node->small)
		return 0;
	backing = passthrough_enter(park->fs->passthrough, park->node,
		handle->direct ? -1 : fetchfs_file_fd(handle->file));
	handle->entered = true;
	/* others hold the version of the node: it is to be had after all, and nothing else is */
	if (backing && handle->direct) {
		fetchfs_file_abandon(handle->file);
		handle->file = NULL;
		handle->direct = false;
	}
	return backing;
}

/* false: others have the node open for another version, in a way that does not go with this. */
static bool open_node(struct park *park, bool *ret_keep)
{
	struct fs *fs = park->fs;
	struct handle *handle = park->handle;

	if (inode_open(fs->inodes, park->node, handle->direct, ret_keep)) {
		WITH_LOCK(&fs->mu);

		handle->node = park->node;
		return true;
	}
	if (handle->entered)
		passthrough_leave(fs->passthrough, park->node);
	handle->entered = false;
	return false;
}

static void finish(struct park *park)
{
	int32_t backing = enter(park);
	struct err err = ERR_INIT;
	fuse_req_t req;
	bool keep, is_open = open_node(park, &keep);

	/* to no other node can anybody be sent: beside those who read past the cache, likewise */
	if (!is_open && leased_is(park->node) && !park->handle->direct) {
		park->handle->direct = true;
		is_open = open_node(park, &keep);
	}
	if (!is_open) {
		err_set(&err, ERR_REMOTE, ESTALE, "another version of it is open");
		finish_error(park, &err);
		return;
	}
	req = park_end(park);
	park->fi.fh = (uint64_t)(uintptr_t)park->handle;
	/* a close while bytes are on their way frees what still waits for them: read_flush_op() */
	park->fi.noflush = backing || fetchfs_file_fd(park->handle->file) >= 0;
	/* What the kernel has cached of a node stays right, if it is known to be one version. */
	park->fi.keep_cache = !backing && !park->handle->direct && keep;
	park->fi.direct_io = park->handle->direct;
	if (passthrough_reply(req, &park->fi, backing) < 0)
		handle_free(park->fs, park->handle);
	park_free(park);
}

/* ---- another version ---- */

/* The file of another who has the node open, whose version it is. */
static bool borrow(struct park *park, struct fetchfs_file **ret)
{
	struct handle *other = handle_reading(park->fs, park->node);
	int r;

	if (!other)
		return false;
	r = fetchfs_file_share(other->file, ret, NULL);
	handle_unref(park->fs, other);
	return r == 0;
}

/*
 * The thread was sent back to the name, and came to the same node again: it is held by something
 * other than the name. Serve the version that the node has, if it is still there; else the new
 * one past the kernel's cache, so that nobody sees a mixture.
 */
static void serve_what_there_is(struct park *park)
{
	struct facts facts = inode_facts(park->fs->inodes, park->node);
	struct fetchfs_file *file = NULL;

	if ((facts.sha256[0] && fetchfs_get_digest(park->fs->fetchfs, facts.sha256,
					park->caller.uid, &file, NULL) == 0) ||
		borrow(park, &file)) {
		fetchfs_file_free(park->handle->file);
		park->handle->file = file;
	} else {
		park->handle->direct = true;
	}
	finish(park);
}

static void finish_stale(struct park *park)
{
	struct err err = ERR_INIT;

	notice_expire(park->fs, park->node);
	err_set(&err, ERR_REMOTE, ESTALE, "it has changed");
	finish_error(park, &err);
}

/*
 * The kernel believes in the size that it was told last, and sendfile(), splice() and mapped memory
 * do not ask for another one before they see the end. read() asks; but an answer without a size
 * that was under way for long can come in between, and makes the kernel ignore the one to that
 * question. A note of a last byte moves the end, whatever is under way: of a page that is not whole
 * it counts for nothing else. Where that byte is a page of its own, it is taken back before anybody
 * has the file open, for this is the first of its openers, and the others wait.
 */
static void tell_size(struct fs *fs, struct node *node, int64_t size)
{
	struct fuse_bufvec last = FUSE_BUFVEC_INIT(1);
	char byte = 0;

	node->told = size;
	last.buf[0].mem = &byte;
	if (size > 0 && fuse_lowlevel_notify_store(fs->session, node->id, size - 1, &last, 0) < 0)
		size = 0; /* it will ask when it must */
	fuse_lowlevel_notify_inval_inode(
		fs->session, node->id, size > 0 ? size - 1 : 0, size > 0 ? 1 : 0);
}

static void finish_other_version(struct park *park)
{
	/* a bind is held by no name, so that there is nobody to be sent back */
	if (leased_is(park->node) ||
		inode_told_stale(park->fs->inodes, park->node, park->caller.pid)) {
		serve_what_there_is(park);
		return;
	}
	inode_detach(park->fs->inodes, park->node);
	finish_stale(park);
}

/* The node is of another scope than the caller's: the name leads the caller to its own. */
static void finish_foreign(struct park *park, const struct fetchfs_info *info)
{
	struct err err = ERR_INIT;

	if (!inode_told_stale(park->fs->inodes, park->node, park->caller.pid)) {
		finish_stale(park);
		return;
	}
	err_set(&err, ERR_POLICY, EACCES, "%s belongs to another user", info->uri);
	finish_error(park, &err);
}

/* ---- on the way ---- */

/*
 * Note what is known now, and tell the kernel of a size that is news to it. false: another version.
 * All this before it is open, and by one at a time.
 */
static bool learn(struct fs *fs, struct node *node, const struct facts *facts)
{
	WITH_LOCK(&fs->sizes);

	if (leased_is(node) ? !leased_learn(fs, node, facts)
			    : !inode_learn(fs->inodes, node, facts))
		return false;
	if (inode_take_renewed(fs->inodes, node))
		fuse_lowlevel_notify_inval_inode(fs->session, node->id, 0, 0);
	if (node->told != facts->size)
		tell_size(fs, node, facts->size);
	return true;
}

/*
 * Whether those who have the node open read a file that the cache has let go meanwhile, which it
 * does only when that was damaged: whoever comes now must not be shown it.
 */
static bool has_lost_its_file(const struct park *park)
{
	struct fs *fs = park->fs;
	int fd = fetchfs_file_fd(park->handle->file);
	struct handle *other;
	struct stat st;
	bool lost;

	if (!passthrough_suits(fs->passthrough, park->node, fd))
		return true;
	if (fd >= 0)
		return false;
	/* it is on its way: again? */
	other = handle_reading(fs, park->node);
	if (!other)
		return false;
	fd = fetchfs_file_fd(other->file);
	lost = fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0;
	handle_unref(fs, other);
	return lost;
}

/* Ready to be read; @info is what the library gave. */
static void finish_ready(struct park *park, const struct fetchfs_info *info)
{
	struct fs *fs = park->fs;
	struct facts facts = inode_facts_of(info);

	if (park->node->kind == NODE_FILE && !str_equal(info->key, park->node->key)) {
		finish_foreign(park, info);
		return;
	}
	if (!learn(fs, park->node, &facts) || has_lost_its_file(park)) {
		finish_other_version(park);
		return;
	}
	inode_set_error(fs->inodes, park->node, 0, NULL);
	finish(park);
}

int open_get(struct fs *fs, const struct node *node, uid_t uid, struct fetchfs_file **ret,
	struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_request request = ops_request(node, uid);
	int r;

	if (node->kind == NODE_OBJECT)
		return fetchfs_get_digest(fs->fetchfs, node->sha256, uid, ret, err);
	if (leased_is(node))
		return leased_get(fs, node, ret, err);
	if (!fs->options->known_only)
		return fetchfs_get(fs->fetchfs, &request, ret, err);

	/* Without asking anybody: only what is complete, fresh or not. */
	r = fetchfs_find(fs->fetchfs, &request, &info, err);
	if (r < 0)
		return r;
	if (info.state != FETCHFS_COMPLETE)
		return err_set(err, ERR_POLICY, ENOENT, "%s is not in the cache", info.uri);
	return fetchfs_get_digest(fs->fetchfs, info.sha256, uid, ret, err);
}

/* 0: parked. 1: started, or complete if the size cannot be known before. -errno. */
static int proceed(struct park *park, struct fetchfs_info *ret_info, struct err *err)
{
	int r = 1;

	if (park->stage == STAGE_GET) {
		r = open_get(park->fs, park->node, park->caller.uid, &park->handle->file, err);
		if (r < 0)
			return r;
		park->stage = STAGE_STARTED;
		r = park_wait(park, FETCHFS_UNTIL_STARTED, 0, 0);
	}
	while (r > 0 && park->stage == STAGE_STARTED) {
		r = fetchfs_file_settle(park->handle->file, ret_info, err);
		if (r == -EAGAIN || r == -EINPROGRESS) {
			/* it changed at the origin meanwhile, and begins again; or is only known */
			r = park_wait(park,
				r == -EAGAIN ? FETCHFS_UNTIL_STARTED : FETCHFS_UNTIL_RANGE, 0, 1);
			continue;
		}
		if (r < 0 || ret_info->state == FETCHFS_COMPLETE || ret_info->size >= 0)
			return r < 0 ? r : 1;
		park->stage = STAGE_COMPLETE;
		r = park_wait(park, FETCHFS_UNTIL_COMPLETE, 0, 0);
	}
	if (r < 0)
		*err = park->err;
	if (r <= 0)
		return r;
	fetchfs_info_release(ret_info);
	*ret_info = (struct fetchfs_info){.size = -1};
	r = fetchfs_file_settle(park->handle->file, ret_info, err);
	return r < 0 ? r : 1;
}

/* Carries on until the file can be read, or the next wait begins. */
static void step(struct park *park)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct err err = park->err;
	int r = err.code ? -err.code : proceed(park, &info, &err);

	if (r < 0)
		finish_error(park, &err);
	else if (r > 0)
		finish_ready(park, &info);
}

static void open_file(fuse_req_t req, struct node *node, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct handle *handle = handle_new(fs);
	struct park *park = handle ? park_new(req, node, handle, step) : NULL;

	if (!park) {
		handle_free(fs, handle);
		inode_unref(fs->inodes, node);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	park->fi = *fi;
	/* A hit is answered here; what may have to make room or start a transfer, elsewhere. */
	if (node->complete)
		step(park);
	else
		park_push(park);
}

static void open_text(fuse_req_t req, const struct node *node, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct handle *handle = handle_new(fs);

	if (!handle || !(handle->text = control_text(fs, node, fuse_req_ctx(req)->uid))) {
		handle_free(fs, handle);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	handle->text_len = strlen(handle->text);
	fi->fh = (uint64_t)(uintptr_t)handle;
	fi->direct_io = 1;
	fi->noflush = 1;
	if (fuse_reply_open(req, fi) < 0)
		handle_free(fs, handle);
}

void open_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);

	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if ((fi->flags & O_ACCMODE) == O_RDONLY && node->kind == NODE_TREE_FILE) {
		unpacked_open(req, node, fi);
		return;
	}
	if ((fi->flags & O_ACCMODE) == O_RDONLY &&
		(node->kind == NODE_FILE || node->kind == NODE_OBJECT)) {
		open_file(req, node, fi);
		return;
	}
	if ((fi->flags & O_ACCMODE) != O_RDONLY)
		fuse_reply_err(req, EROFS);
	else if (node->kind == NODE_TEXT)
		open_text(req, node, fi);
	else
		fuse_reply_err(req, EISDIR);
	inode_unref(fs->inodes, node);
}
