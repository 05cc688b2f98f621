/*
 * OPENDIR, READDIR, READDIRPLUS, RELEASEDIR: what the cache knows, as it was at OPENDIR; and what
 * the origin lists, where it is to be asked.
 */
#include "fs/folder.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/doubt.h"
#include "fs/listing.h"
#include "fs/reply.h"
#include "fs/settle.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 1000000 /* of one listing */
#define PLUS_MIN  128     /* bytes that an entry and its attributes take at least */

struct entry {
	char *name;
	uint64_t st_ino; /* 0: to be made when it goes out, which costs something */
	mode_t type;     /* 0: who reads it has to ask */
};

struct folder {
	struct fs *fs;
	char *path; /* of the folder */
	uid_t uid;
	struct entry *entries;
	size_t count;
	size_t room;
};

struct folder *folder_new(struct fs *fs, const char *path, uid_t uid)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (!folder)
		return NULL;
	*folder = (struct folder){.fs = fs, .path = str_copy(path), .uid = uid};
	if (folder->path)
		return folder;
	free(folder);
	return NULL;
}

void folder_free(struct folder *folder)
{
	if (!folder)
		return;
	for (size_t i = 0; i < folder->count; i++)
		free(folder->entries[i].name);
	free(folder->entries);
	free(folder->path);
	free(folder);
}

int folder_add(struct folder *folder, const char *name, uint64_t st_ino, mode_t type)
{
	struct entry *entries = folder->entries;
	size_t room = folder->room ? folder->room * 2 : 32;
	char *copy = str_copy(name);

	if (copy && folder->count == folder->room) {
		entries = reallocarray(entries, room, sizeof(*entries));
		if (entries) {
			folder->entries = entries;
			folder->room = room;
		}
	}
	if (!copy || !entries) {
		free(copy);
		return -ENOMEM;
	}
	entries[folder->count++] = (struct entry){.name = copy, .st_ino = st_ino, .type = type};
	return 0;
}

static int add_fixed(struct folder *folder, const char *above, const char *name, bool is_folder)
{
	CLEANUP(str_freep) char *path = str_printf("%s%s%s", above, *above ? "/" : "", name);

	return path ? folder_add(folder, name, inode_number_of_folder(path),
			      is_folder ? S_IFDIR : S_IFREG)
		    : -ENOMEM;
}

/* The inode number is that which LOOKUP would give. */
static uint64_t number_of(const struct folder *folder, const struct entry *entry)
{
	struct wanted wanted = {0};
	struct fetchfs_request request = {.uid = folder->uid, .through_mount = true};
	CLEANUP(str_freep) char *path = str_printf("%s/%s", folder->path, entry->name);
	char key[FETCHFS_KEY_HEX_SIZE];
	uint64_t st_ino;

	if (!path)
		return names_hash(entry->name); /* of no use, but not 0 */
	st_ino = inode_number_of_folder(path);
	if (entry->type != S_IFDIR && names_from_tree(path, &wanted, NULL) == 0) {
		request.uri = wanted.uri;
		if (fetchfs_key(folder->fs->fetchfs, &request, key, NULL) == 0)
			st_ino = inode_number_of_key(key);
		names_wanted_release(&wanted);
	}
	return st_ino;
}

/* Not every server shows its folders with a slash: what has no suffix may be one. */
static mode_t type_of(const char *name, enum fetchfs_name kind)
{
	if (kind == FETCHFS_NAME_FOLDER)
		return S_IFDIR;
	return kind == FETCHFS_NAME_FILE || names_has_suffix(name) ? S_IFREG : 0;
}

/* One name that the cache, or the origin, knows. */
static int visit(const char *name, enum fetchfs_name kind, void *arg)
{
	struct folder *folder = arg;

	if (folder->count >= NAMES_MAX) {
		log_warning(
			"%s: more than %d names, the rest is not listed", folder->path, NAMES_MAX);
		return 1;
	}
	return folder_add(folder, name, 0, type_of(name, kind));
}

static int fill_from_cache(struct folder *folder, struct err *err)
{
	CLEANUP(str_freep) char *prefix = NULL;
	int r = names_folder(folder->path, &prefix, err);

	if (r < 0)
		return r;
	r = fetchfs_children(folder->fs->fetchfs, prefix, folder->uid, visit, folder, err);
	return r == -ENOMEM ? err_oom(err) : r < 0 ? r : 0;
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
		r = add_fixed(folder, folder->path, "sha256", true);
		break;
	case NODE_CONTROL:
		for (unsigned int i = 0; r == 0 && control_name(i); i++)
			r = add_fixed(folder, folder->path, control_name(i), false);
		break;
	case NODE_FOLDER:
		return fill_from_cache(folder, err);
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

/* Names on their way into one reply. */
struct page {
	fuse_req_t req;
	struct fs *fs;
	const struct handle *handle;
	const struct folder *folder; /* the handle's */
	const struct node *node;     /* its node, if its files are entered; NULL: none are */
	char *buf;
	size_t size;
	size_t used;
	uint64_t *entered; /* nodes that count as looked up if the reply arrives */
	size_t count;
};

static struct stat stat_of(const struct folder *folder, const struct entry *entry)
{
	return (struct stat){
		.st_ino = entry->st_ino ? entry->st_ino : number_of(folder, entry),
		.st_mode = entry->type,
	};
}

/* Its node, if the kernel may have that with the listing; else NULL. */
static struct node *enter_listed(const struct page *page, const struct entry *entry)
{
	if (page->handle->fd >= 0)
		return unpacked_listed(page->fs, page->node, page->handle, entry->name);
	if (entry->type != S_IFREG)
		return NULL;
	return lookup_listed(page->fs, page->node, entry->name, fuse_req_ctx(page->req)->uid);
}

/* The entry and what it leads to, so that no lookup need follow. @next is the place behind it. */
static size_t add_plus(struct page *page, const struct entry *entry, off_t next)
{
	struct fuse_entry_param param = {.ino = 0};
	struct node *node = NULL;
	size_t len;

	if (page->node)
		node = enter_listed(page, entry);
	if (node)
		param = reply_entry_of(page->fs, node);
	else
		param.attr = stat_of(page->folder, entry);
	len = fuse_add_direntry_plus(page->req, page->buf + page->used, page->size - page->used,
		entry->name, &param, next);
	if (!node)
		return len;
	if (len <= page->size - page->used)
		page->entered[page->count++] = node->id;
	else
		inode_forget(page->fs->inodes, node->id, 1);
	inode_unref(page->fs->inodes, node);
	return len;
}

static size_t add_plain(struct page *page, const struct entry *entry, off_t next)
{
	struct stat st = stat_of(page->folder, entry);

	return fuse_add_direntry(
		page->req, page->buf + page->used, page->size - page->used, entry->name, &st, next);
}

/* As many as fit, from the @off-th on. */
static void fill_page(
	struct page *page, off_t off, size_t (*add_one)(struct page *, const struct entry *, off_t))
{
	const struct folder *folder = page->folder;

	for (size_t i = (size_t)off; i < folder->count; i++) {
		size_t len = add_one(page, &folder->entries[i], (off_t)i + 1);

		if (len > page->size - page->used)
			return;
		page->used += len;
	}
}

static void page_release(struct page *page)
{
	free(page->buf);
	free(page->entered);
}

static const struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

void folder_read_op(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	CLEANUP(page_release)
	struct page page = {
		.req = req, .folder = handle_of(fi)->folder, .size = size, .buf = malloc(size)};

	(void)ino;
	if (!page.buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fill_page(&page, off, add_plain);
	fuse_reply_buf(req, page.buf, page.used);
}

void folder_read_plus_op(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);
	CLEANUP(page_release)
	struct page page = {
		.req = req,
		.fs = fs,
		.handle = handle_of(fi),
		.folder = handle_of(fi)->folder,
		.node = node && (node->kind == NODE_FOLDER || inode_is_in_tree(node)) ? node : NULL,
		.size = size,
		.buf = malloc(size),
		.entered = calloc(size / PLUS_MIN + 1, sizeof(uint64_t)),
	};

	if (page.buf && page.entered) {
		fill_page(&page, off, add_plus);
		if (fuse_reply_buf(req, page.buf, page.used) < 0)
			for (size_t i = 0; i < page.count; i++)
				inode_forget(fs->inodes, page.entered[i], 1);
	} else {
		fuse_reply_err(req, ENOMEM);
	}
	inode_unref(fs->inodes, node);
}

void folder_release_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	read_release_op(req, ino, fi);
}
