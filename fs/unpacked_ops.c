/* What is in an archive: LOOKUP, OPEN, OPENDIR, READLINK. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/folder.h"
#include "fs/lookup_private.h"
#include "fs/reply.h"
#include "fs/unpacked.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel holds the folder during a lookup: who waits for the same name there cannot be killed.
 */
#define LOOKUP_LIMIT_MS 30000

#define MISS_LIMIT_MS 500 /* as for any name that may be none */

#define NAMES_MAX 1000000 /* of one listing */

/* ---- LOOKUP ---- */

/* @path is copied by whoever enters it. */
static struct found found_of(const struct node *archive, const char *sha256, bool is_public,
	const char *path, const struct stat *st)
{
	return (struct found){
		.kind = S_ISDIR(st->st_mode)   ? NODE_TREE_FOLDER
			: S_ISLNK(st->st_mode) ? NODE_TREE_LINK
					       : NODE_TREE_FILE,
		.path = path,
		.wanted = &archive->wanted,
		.key = archive->key,
		.sha256 = sha256,
		.facts =
			{
				.known = true,
				.size = st->st_size,
				.modified = st->st_mtime,
				.cached = (uint64_t)st->st_blocks * 512,
				.version = names_hash(sha256),
				.complete = true,
				.executable = st->st_mode & 0111,
				.is_public = is_public,
			},
	};
}

static int look_up(struct unpacked_call *call, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(str_freep) char *path = NULL;
	struct found found;
	struct stat st;
	int r = unpacked_path(call, call->name, &path);

	if (r == 0)
		r = fd = unpacked_openat(fetchfs_tree_fd(call->tree), path, O_PATH);
	if (r >= 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "%s in the archive: %m", call->name);
	found = found_of(call->node, call->sha256, call->is_public, path, &st);
	return lookup_enter(call->fs, call->req, call->node->id, call->name, &found, err);
}

/* What is not in this content may be in the one that the archive has by now. */
static void go_look_up(struct unpacked_call *call)
{
	struct unpacked_call again = {.fs = call->fs,
		.req = call->req,
		.node = call->node,
		.name = call->name,
		.opens = true};
	struct err err = ERR_INIT;
	int r = look_up(call, &err);

	if (r == -ENOENT && !call->opens && inode_ref(call->fs->inodes, call->node->id))
		unpacked_run(&again, MISS_LIMIT_MS, go_look_up);
	else if (r < 0)
		reply_error(call->req, call->node, &err);
}

void unpacked_lookup(fuse_req_t req, struct node *node, const char *name)
{
	struct unpacked_call call = {.fs = ops_fs(req), .req = req, .node = node, .name = name};

	unpacked_run(&call, LOOKUP_LIMIT_MS, go_look_up);
}

struct node *unpacked_listed(
	struct fs *fs, const struct node *folder, const struct handle *handle, const char *name)
{
	CLEANUP(str_freep) char *path = NULL;
	struct node *node = NULL;
	struct found found;
	struct stat st;

	/* what its folder stands for is not known to the kernel, or it has another name there */
	if (!folder->sha256[0] || str_equal(name, ".") || str_equal(name, "..") ||
		(folder->kind == NODE_TREE && fetchfs_tree_is_single(handle->tree)) ||
		fstatat(handle->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	path = str_printf("%s%s%s", folder->path, *folder->path ? "/" : "", name);
	if (!path)
		return NULL;
	found = found_of(folder, folder->sha256, folder->facts.is_public, path, &st);
	return inode_enter(fs->inodes, &found, folder->id, name, &node, NULL) < 0 ? NULL : node;
}

/* ---- OPEN, OPENDIR ---- */

/* A handle with the tree, and in it the file or folder of the call; NULL: @err. */
static struct handle *open_in_tree(struct unpacked_call *call, int flags, struct err *err)
{
	struct handle *handle = handle_new(call->fs);

	if (!handle) {
		err_oom(err);
		return NULL;
	}
	handle->fd =
		unpacked_openat(fetchfs_tree_fd(call->tree), call->node->path, O_RDONLY | flags);
	if (handle->fd < 0) {
		err_set(err, ERR_SYSTEM, -handle->fd, "open %s in the archive: %m",
			call->node->path);
		handle->fd = -1;
		handle_free(call->fs, handle);
		return NULL;
	}
	handle->tree = call->tree;
	call->tree = NULL;
	return handle;
}

static void go_open(struct unpacked_call *call)
{
	struct fs *fs = call->fs;
	struct fuse_file_info fi = *call->fi;
	struct err err = ERR_INIT;
	struct handle *handle = open_in_tree(call, 0, &err);
	int32_t backing = 0;
	bool keep;

	if (!handle) {
		reply_error(call->req, call->node, &err);
		return;
	}
	if (!call->node->small) {
		backing = passthrough_enter(fs->passthrough, call->node, handle->fd);
		handle->entered = true;
	}
	inode_open(fs->inodes, call->node, false, &keep);
	{
		WITH_LOCK(&fs->mu);
		handle->node = call->node;
	}
	fi.fh = (uint64_t)(uintptr_t)handle;
	fi.noflush = 1;
	fi.keep_cache = !backing && keep;
	if (passthrough_reply(call->req, &fi, backing) < 0)
		handle_free(fs, handle);
}

void unpacked_open(fuse_req_t req, struct node *node, const struct fuse_file_info *fi)
{
	struct unpacked_call call = {
		.fs = ops_fs(req), .req = req, .node = node, .fi = fi, .opens = true};

	unpacked_run(&call, 0, go_open);
}

static mode_t type_of(unsigned char d_type)
{
	return d_type == DT_UNKNOWN ? 0 : (mode_t)DTTOIF(d_type);
}

/* @as: the name to show it by. */
static int add(const struct unpacked_call *call, struct folder *folder, const struct dirent *entry,
	const char *as)
{
	CLEANUP(str_freep)
	char *path =
		str_printf("%s%s%s", call->node->path, *call->node->path ? "/" : "", entry->d_name);

	if (!path || !as)
		return -ENOMEM;
	return folder_add(folder, as, inode_number_in_tree(call->node->key, call->sha256, path),
		type_of(entry->d_type));
}

static int fill(const struct unpacked_call *call, struct folder *folder, DIR *dir, bool single)
{
	CLEANUP(str_freep) char *name = single ? unpacked_single_name(call->node) : NULL;
	const struct dirent *entry;
	size_t count = 0;
	int r = folder_add(folder, ".", call->node->st_ino, S_IFDIR);

	if (r == 0)
		r = folder_add(folder, "..", INODE_ROOT, S_IFDIR);
	errno = 0;
	while (r == 0 && (entry = readdir(dir))) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		if (count++ == NAMES_MAX) {
			log_warning("%s: more than %d names, the rest is not listed",
				call->node->path, NAMES_MAX);
			break;
		}
		r = add(call, folder, entry, single ? name : entry->d_name);
	}
	return r < 0 ? r : -errno;
}

/* The names, as they are: nothing changes any more. */
static int list(const struct unpacked_call *call, struct handle *handle)
{
	int fd = fcntl(handle->fd, F_DUPFD_CLOEXEC, 3);
	bool single = call->node->kind == NODE_TREE && fetchfs_tree_is_single(handle->tree);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r;

	if (!dir) {
		r = -errno;
		fd_close(&fd);
		return r;
	}
	handle->folder = folder_new(call->fs, call->node->path, fuse_req_ctx(call->req)->uid);
	r = handle->folder ? fill(call, handle->folder, dir, single) : -ENOMEM;
	closedir(dir);
	return r;
}

static void go_open_folder(struct unpacked_call *call)
{
	struct fuse_file_info fi = *call->fi;
	struct err err = ERR_INIT;
	struct handle *handle = open_in_tree(call, O_DIRECTORY, &err);
	int r = handle ? list(call, handle) : 0;

	if (r < 0)
		err_set(&err, ERR_SYSTEM, -r, "list %s in the archive: %m", call->node->path);
	if (handle && r == 0)
		inode_set_error(call->fs->inodes, call->node, 0, NULL);
	else
		reply_error(call->req, call->node, &err);
	fi.fh = (uint64_t)(uintptr_t)handle;
	if (handle && (r < 0 || fuse_reply_open(call->req, &fi) < 0))
		handle_free(call->fs, handle);
}

void unpacked_open_folder(fuse_req_t req, struct node *node, const struct fuse_file_info *fi)
{
	struct unpacked_call call = {.fs = ops_fs(req),
		.req = req,
		.node = node,
		.fi = fi,
		.opens = node->kind == NODE_TREE};

	unpacked_run(&call, 0, go_open_folder);
}

/* ---- READLINK ---- */

static void go_read_link(struct unpacked_call *call)
{
	CLEANUP(fd_closep)
	int fd = unpacked_openat(fetchfs_tree_fd(call->tree), call->node->path, O_PATH);
	char target[PATH_MAX];
	ssize_t len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);

	if (len < 0) {
		fuse_reply_err(call->req, fd < 0 ? -fd : errno);
		return;
	}
	target[len] = '\0';
	fuse_reply_readlink(call->req, target);
}

void unpacked_read_link_op(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = ops_fs(req);
	struct unpacked_call call = {.fs = fs, .req = req, .node = inode_ref(fs->inodes, ino)};

	if (call.node && call.node->kind == NODE_TREE_LINK) {
		unpacked_run(&call, LOOKUP_LIMIT_MS, go_read_link);
		return;
	}
	fuse_reply_err(req, call.node ? EINVAL : ESTALE);
	inode_unref(fs->inodes, call.node);
}
