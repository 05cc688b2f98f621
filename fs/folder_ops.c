/*
 * OPENDIR, READDIR, READDIRPLUS, RELEASEDIR: what the cache knows; and what the origin lists, where
 * it is to be asked.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/doubt.h"
#include "fs/folder.h"
#include "fs/listing.h"
#include "fs/prune.h"
#include "fs/reply.h"
#include "fs/settle.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define PLUS_MIN 128 /* bytes that an entry and its attributes take at least */

/* ---- OPENDIR ---- */

static int add_fixed(struct folder *folder, const char *above, const char *name, bool is_folder)
{
	CLEANUP(str_freep)
	char *path = above && *above ? str_printf("%s/%s", above, name) : str_copy(name);

	return path ? folder_add(folder, name, inode_number_of_folder(path),
			      is_folder ? S_IFDIR : S_IFREG)
		    : -ENOMEM;
}

static int fill_from_cache(struct folder *folder, const char *path, struct err *err)
{
	CLEANUP(str_freep) char *prefix = NULL;
	int r = names_folder(path, &prefix, err);

	return r < 0 ? r : folder_add_children(folder, prefix, err);
}

static int fill_root(struct folder *folder)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && names_scheme(i); i++)
		r = add_fixed(folder, "", names_scheme(i), true);
	if (r == 0)
		r = add_fixed(folder, "", "digest", true);
	return r == 0 ? add_fixed(folder, "", ".fetchfs", true) : r;
}

static int fill(struct folder *folder, const struct node *node, struct err *err)
{
	int r = folder_add(folder, ".", node->st_ino, S_IFDIR);

	if (r == 0)
		r = folder_add(folder, "..", INODE_ROOT, S_IFDIR);
	if (r < 0)
		return err_oom(err);

	switch (node->kind) {
	case NODE_ROOT:
		r = fill_root(folder);
		break;
	case NODE_DIGEST:
		r = add_fixed(folder, node->path, "sha256", true);
		break;
	case NODE_CONTROL:
		for (unsigned int i = 0; r == 0 && control_name(i); i++)
			r = add_fixed(folder, node->path, control_name(i), false);
		break;
	case NODE_FOLDER:
		return fill_from_cache(folder, node->path, err);
	default: /* never listed */
		break;
	}
	return r < 0 ? err_oom(err) : 0;
}

static void open_known(fuse_req_t req, struct node *node, const struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct handle *handle = handle_new(fs);
	struct fuse_file_info opened = *fi;
	struct err err = ERR_INIT;
	int r;

	if (handle)
		handle->folder =
			folder_new(fs, node->path ? node->path : "", fuse_req_ctx(req)->uid);
	r = handle && handle->folder ? fill(handle->folder, node, &err) : err_oom(&err);
	opened.fh = (uint64_t)(uintptr_t)handle;
	if (r < 0)
		reply_error(req, node, &err);
	if (r < 0 || fuse_reply_open(req, &opened) < 0)
		handle_free(fs, handle);
}

static void open_folder(fuse_req_t req, struct node *node, const struct fuse_file_info *fi)
{
	if (node->kind != NODE_FOLDER || !listing_ask(req, node, fi, open_known))
		open_known(req, node, fi);
}

void folder_open_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);

	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (inode_is_in_tree(node)) {
		unpacked_open_folder(req, node, fi);
		return;
	}
	if (fi->flags & O_DIRECTORY)
		doubt_commit(fs->inodes, node);
	else if (node->kind == NODE_FOLDER && settle(req, node, fi, false, open_folder))
		return;
	open_folder(req, node, fi);
	inode_unref(fs->inodes, node);
}

/* ---- READDIR ---- */

/* Names on their way into one reply. */
struct answer {
	fuse_req_t req;
	struct fs *fs;
	const struct handle *handle;
	const struct node *node; /* the handle's, if its files are entered; NULL: none are */
	char *buf;
	size_t size;
	size_t used;
	uint64_t *entered; /* nodes that count as looked up if the reply arrives */
	size_t count;
};

static struct stat stat_of(const struct answer *answer, const struct folder_entry *entry)
{
	return (struct stat){
		.st_ino = folder_number(answer->handle->folder, entry),
		.st_mode = entry->type,
	};
}

/* Its node, if the kernel may have that with the listing; else NULL. */
static struct node *enter_listed(const struct answer *answer, const struct folder_entry *entry)
{
	if (answer->handle->fd >= 0)
		return unpacked_listed(answer->fs, answer->node, answer->handle, entry->name);
	/* the kernel holds the folder: nothing may hang here, as a look at a local file may */
	if (entry->type != S_IFREG || names_is_local(answer->node->path))
		return NULL;
	return lookup_listed(answer->fs, answer->node, entry->name, fuse_req_ctx(answer->req)->uid);
}

/* The entry and what it leads to, so that no lookup need follow. */
static bool add_plus(const struct folder_entry *entry, off_t next, void *arg)
{
	struct answer *answer = arg;
	size_t left = answer->size - answer->used;
	struct fuse_entry_param param = {.ino = 0};
	struct node *node = NULL;
	size_t len;

	if (answer->node)
		node = enter_listed(answer, entry);
	if (node)
		param = reply_entry_of(answer->fs, node);
	else
		param.attr = stat_of(answer, entry);
	len = fuse_add_direntry_plus(
		answer->req, answer->buf + answer->used, left, entry->name, &param, next);
	if (len <= left)
		answer->used += len;
	if (!node)
		return len <= left;
	if (len <= left)
		answer->entered[answer->count++] = node->id;
	else
		inode_forget(answer->fs->inodes, node->id, 1);
	inode_unref(answer->fs->inodes, node);
	return len <= left;
}

static bool add_plain(const struct folder_entry *entry, off_t next, void *arg)
{
	struct answer *answer = arg;
	size_t left = answer->size - answer->used;
	struct stat st = stat_of(answer, entry);
	size_t len = fuse_add_direntry(
		answer->req, answer->buf + answer->used, left, entry->name, &st, next);

	if (len <= left)
		answer->used += len;
	return len <= left;
}

static void answer_release(struct answer *answer)
{
	free(answer->buf);
	free(answer->entered);
}

static const struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* Read into the answer, and send it. */
static void fill_and_send(struct answer *answer, struct node *node, off_t off, folder_visit *visit)
{
	struct err err = ERR_INIT;

	if (folder_read(answer->handle->folder, off, visit, answer, &err) < 0) {
		reply_error(answer->req, node, &err);
		return;
	}
	if (fuse_reply_buf(answer->req, answer->buf, answer->used) < 0)
		for (size_t i = 0; i < answer->count; i++)
			inode_forget(answer->fs->inodes, answer->entered[i], 1);
	if (answer->count > 0)
		prune_if_many(answer->fs);
}

static void read_folder(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	const struct fuse_file_info *fi, bool plus)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);
	bool enters = plus && node && (node->kind == NODE_FOLDER || inode_is_in_tree(node)) &&
		      prune_has_room(fs);
	CLEANUP(answer_release)
	struct answer answer = {
		.req = req,
		.fs = fs,
		.handle = handle_of(fi),
		.node = enters ? node : NULL,
		.size = size,
		.buf = malloc(size),
		.entered = calloc(size / PLUS_MIN + 1, sizeof(uint64_t)),
	};

	if (answer.buf && answer.entered)
		fill_and_send(&answer, node, off, plus ? add_plus : add_plain);
	else
		fuse_reply_err(req, ENOMEM);
	inode_unref(fs->inodes, node);
}

void folder_read_op(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_folder(req, ino, size, off, fi, false);
}

void folder_read_plus_op(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_folder(req, ino, size, off, fi, true);
}

void folder_release_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	read_release_op(req, ino, fi);
}
