#include "fs/leased.h"

#include "base/str.h"
#include "fs/prune.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

struct fetchfs_request ops_request(const struct node *node, uid_t uid)
{
	return (struct fetchfs_request){
		.uri = node->wanted.uri,
		.uid = uid,
		.through_mount = true,
		.digest = node->wanted.digest[0] ? node->wanted.digest : NULL,
	};
}

int ops_find(struct fs *fs, const struct node *node, uid_t uid, struct fetchfs_info *ret,
	struct err *err)
{
	struct fetchfs_request request = ops_request(node, uid);
	struct fetchfs_file *file = NULL;
	int r;

	if (leased_is(node))
		return leased_find(fs, node, ret, err);
	if (node->kind == NODE_FILE)
		return fetchfs_find(fs->fetchfs, &request, ret, err);
	r = fetchfs_get_digest(fs->fetchfs, node->sha256, uid, &file, err);
	if (r < 0)
		return r;
	r = fetchfs_file_info(file, ret, err);
	fetchfs_file_free(file);
	return r;
}

bool ops_is_file(const struct fetchfs_info *info)
{
	return info->state == FETCHFS_COMPLETE || info->state == FETCHFS_IN_FLIGHT ||
	       (info->state == FETCHFS_KNOWN && !info->is_folder);
}

bool ops_looks_like_folder(const char *name, const struct fetchfs_info *info)
{
	return info->is_folder || (str_equal(info->type, "text/html") && !names_is_page(name));
}

/* ---- forgotten nodes ---- */

static void trim_job(void *arg)
{
	(void)arg;
	malloc_trim(0);
}

/* After a walk over very many names their memory goes back to the system, which the C library
 * would keep: it lies between what is still in use. */
static void give_back(struct fs *fs)
{
	if (inode_have_shrunk(fs->inodes))
		(void)queue_push(fs->work, trim_job, NULL, NULL);
}

static void forget_op(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	inode_forget(ops_fs(req)->inodes, ino, count);
	give_back(ops_fs(req));
	fuse_reply_none(req);
}

static void forget_multi_op(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		inode_forget(ops_fs(req)->inodes, forgets[i].ino, forgets[i].nlookup);
	give_back(ops_fs(req));
	fuse_reply_none(req);
}

/* ---- the mount is read-only, even for those who remount it ---- */

static void setattr_op(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	(void)ino, (void)attr, (void)to_set, (void)fi;
	fuse_reply_err(req, EROFS);
}

static void mknod_op(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent, (void)name, (void)mode, (void)device;
	fuse_reply_err(req, EROFS);
}

static void mkdir_op(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	fuse_reply_err(req, EROFS);
}

static void remove_op(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, EROFS);
}

static void symlink_op(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target, (void)parent, (void)name;
	fuse_reply_err(req, EROFS);
}

static void rename_op(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned int flags)
{
	(void)parent, (void)name, (void)to_parent, (void)to_name, (void)flags;
	fuse_reply_err(req, EROFS);
}

static void link_op(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino, (void)parent, (void)name;
	fuse_reply_err(req, EROFS);
}

static void write_op(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	(void)ino, (void)buf, (void)size, (void)off, (void)fi;
	fuse_reply_err(req, EROFS);
}

static void create_op(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, EROFS);
}

static void setxattr_op(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	(void)ino, (void)name, (void)value, (void)size, (void)flags;
	fuse_reply_err(req, EROFS);
}

static void removexattr_op(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino, (void)name;
	fuse_reply_err(req, EROFS);
}

void ops_expire(struct fs *fs, uint64_t parent, const char *name)
{
	size_t len = strlen(name);

	if (!fs->can_expire)
		fuse_lowlevel_notify_inval_entry(fs->session, parent, name, len);
	else
#if FUSE_VERSION < FUSE_MAKE_VERSION(3, 16)
		fuse_lowlevel_notify_expire_entry(
			fs->session, parent, name, len, FUSE_LL_EXPIRE_ONLY);
#else
		fuse_lowlevel_notify_expire_entry(fs->session, parent, name, len);
#endif
}

/* ---- the session begins ---- */

static void ready_job(void *arg)
{
	struct fs *fs = arg;

	mount_answers(fs);
}

static void init_op(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	conn->max_readahead = OPS_READAHEAD;
	conn->max_background = OPS_BACKGROUND;
	conn->congestion_threshold = OPS_BACKGROUND * 3 / 4;
	handshake_init(&fs->handshake, conn);
	fs->can_expire = conn->capable & FUSE_CAP_EXPIRE_ONLY;
	prune_init(fs, conn);
	/* Not here: it asks the mount, which answers when this has returned. */
	if (queue_push(fs->work, ready_job, fs, NULL) < 0)
		fs->options->ready(fs->options->arg);
}

const struct fuse_lowlevel_ops ops_table = {
	.init = init_op,
	.lookup = lookup_op,
	.forget = forget_op,
	.forget_multi = forget_multi_op,
	.getattr = attr_get_op,
	.access = attr_access_op,
	.readlink = unpacked_read_link_op,
	.setattr = setattr_op,
	.mknod = mknod_op,
	.mkdir = mkdir_op,
	.unlink = remove_op,
	.rmdir = remove_op,
	.symlink = symlink_op,
	.rename = rename_op,
	.link = link_op,
	.open = open_op,
	.read = read_op,
	.write = write_op,
	.flush = read_flush_op,
	.release = read_release_op,
	.opendir = folder_open_op,
	.readdir = folder_read_op,
	.readdirplus = folder_read_plus_op,
	.releasedir = folder_release_op,
	.statfs = attr_statfs_op,
	.setxattr = setxattr_op,
	.getxattr = xattr_get_op,
	.listxattr = xattr_list_op,
	.removexattr = removexattr_op,
	.create = create_op,
};
