/*
 * READ and RELEASE, and the handles they work on.
 *
 * A read is answered whole: a short answer would mean the end of the file to the kernel.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fs/folder.h"
#include "fs/leased.h"
#include "fs/park.h"
#include "fs/passthrough.h"
#include "fs/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_TRIES 8 /* of a read whose wait ended well */

struct handle *handle_new(struct fs *fs)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->fd = -1;
	handle->refs = 1;
	WITH_LOCK(&fs->mu);
	handle->next = fs->handles;
	handle->link = &fs->handles;
	if (handle->next)
		handle->next->link = &handle->next;
	fs->handles = handle;
	return handle;
}

struct handle *handle_reading(struct fs *fs, const struct node *node)
{
	struct handle *first = NULL;
	WITH_LOCK(&fs->mu);

	for (struct handle *handle = fs->handles; handle; handle = handle->next)
		if (handle->node == node && !handle->direct && handle->file)
			first = handle;
	if (first)
		first->refs++;
	return first;
}

static bool is_last(struct fs *fs, struct handle *handle)
{
	WITH_LOCK(&fs->mu);

	return --handle->refs == 0;
}

void handle_unref(struct fs *fs, struct handle *handle)
{
	if (!is_last(fs, handle))
		return;
	if (atomic_load(&handle->given_up) && handle->file)
		fetchfs_file_abandon(handle->file);
	else
		fetchfs_file_free(handle->file);
	if (handle->entered)
		passthrough_leave(fs->passthrough, handle->node);
	if (handle->node)
		inode_close(fs->inodes, handle->node, handle->direct);
	fd_close(&handle->fd);
	fetchfs_tree_free(handle->tree);
	folder_free(handle->folder);
	free(handle->text);
	free(handle);
}

void handle_free(struct fs *fs, struct handle *handle)
{
	if (!handle)
		return;
	{
		WITH_LOCK(&fs->mu);
		*handle->link = handle->next;
		if (handle->next)
			handle->next->link = handle->link;
	}
	handle_unref(fs, handle);
}

void handle_free_all(struct fs *fs)
{
	while (fs->handles)
		handle_free(fs, fs->handles);
}

static void finish_error(struct park *park)
{
	fuse_req_t req = park_end(park);

	if (park->err.code == EINTR)
		atomic_store(&park->handle->given_up, true);
	reply_error(req, park->node, &park->err);
	park_free(park);
}

/* The wait is over: read, or wait for what is missing still. */
static void carry_on(struct park *park)
{
	CLEANUP(str_freep) char *buf = malloc(park->size);
	fuse_req_t req;
	ssize_t n;

	if (!buf)
		err_oom(&park->err);
	while (!park->err.code && park->stage++ < READ_TRIES) {
		n = fetchfs_file_read_now(
			park->handle->file, buf, park->size, park->offset, &park->err);
		if (n >= 0) {
			req = park_end(park);
			atomic_store(&park->handle->given_up, false);
			atomic_fetch_add(&park->fs->read_bytes, (uint64_t)n);
			fuse_reply_buf(req, buf, (size_t)n);
			park_free(park);
			return;
		}
		if (n != -EAGAIN)
			break;
		park->err = ERR_INIT;
		if (park_wait(park, FETCHFS_UNTIL_RANGE, park->offset, park->size) == 0)
			return;
	}
	if (!park->err.code)
		err_set(&park->err, ERR_SYSTEM, EIO, "bytes vanish as they come");
	finish_error(park);
}

static void read_file(fuse_req_t req, fuse_ino_t ino, struct handle *handle, size_t size, off_t off)
{
	struct fs *fs = ops_fs(req);
	CLEANUP(str_freep) char *buf = malloc(size);
	struct err err = ERR_INIT;
	struct node *node;
	struct park *park;
	ssize_t n;

	n = buf ? fetchfs_file_read_now(handle->file, buf, size, (uint64_t)off, &err)
		: err_oom(&err);
	if (n >= 0) {
		atomic_fetch_add(&fs->read_bytes, (uint64_t)n);
		fuse_reply_buf(req, buf, (size_t)n);
		return;
	}
	node = inode_ref(fs->inodes, ino);
	park = n == -EAGAIN ? park_new(req, node, handle, carry_on) : NULL;
	if (!park) {
		if (n == -EAGAIN)
			err_oom(&err);
		reply_error(req, node, &err);
		inode_unref(fs->inodes, node);
		return;
	}
	park->size = size;
	park->offset = (uint64_t)off;
	if (park_wait(park, FETCHFS_UNTIL_RANGE, park->offset, park->size) != 0)
		park_push(park);
}

/* A file of an archive. */
static void read_in_tree(fuse_req_t req, const struct handle *handle, size_t size, off_t off)
{
	CLEANUP(str_freep) char *buf = malloc(size);
	ssize_t n = buf ? fd_pread_full(handle->fd, buf, size, (uint64_t)off) : -ENOMEM;

	if (n < 0) {
		fuse_reply_err(req, (int)-n);
		return;
	}
	atomic_fetch_add(&ops_fs(req)->read_bytes, (uint64_t)n);
	fuse_reply_buf(req, buf, (size_t)n);
}

void read_op(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct handle *handle = (struct handle *)(uintptr_t)fi->fh;
	CLEANUP(str_freep) char *part = NULL;
	size_t left, len;

	if (handle->file) {
		read_file(req, ino, handle, size, off);
		return;
	}
	if (handle->fd >= 0) {
		read_in_tree(req, handle, size, off);
		return;
	}
	left = (uint64_t)off < handle->text_len ? handle->text_len - (size_t)off : 0;
	len = left < size ? left : size;
	/* once the kernel has it, RELEASE may free the text, before the reply returns here */
	part = malloc(len + 1);
	if (!part) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	memcpy(part, handle->text + (handle->text_len - left), len);
	fuse_reply_buf(req, part, len);
}

void read_flush_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	park_interrupt(ops_fs(req), (struct handle *)(uintptr_t)fi->fh, fuse_req_ctx(req)->pid);
	fuse_reply_err(req, 0);
}

void read_release_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct handle *handle = (struct handle *)(uintptr_t)fi->fh;

	(void)ino;
	if (handle->file && handle->node && leased_is(handle->node))
		leased_closed(fs, handle->node, handle->file);
	/* Before the reply: whoever unmounts next finds nothing of ours in use. */
	handle_free(fs, handle);
	fuse_reply_err(req, 0);
}
