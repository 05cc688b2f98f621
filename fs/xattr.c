/*
 * user.fetchfs.*: what the cache knows of a file. Never asks the network. A folder has only .error:
 * what went wrong last with it, or with a name in it.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/reply.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX    "user.fetchfs."
#define NAME_ROOM 32 /* bytes, enough for each name below */

struct source {
	struct fetchfs_info info;
	char *error;
};

/* Each gives a fresh string, or NULL when there is no value. */
static char *text(const char *value)
{
	return value && *value ? str_copy(value) : NULL;
}

static char *moment(int64_t seconds)
{
	return seconds < 0 ? NULL : str_printf("%" PRId64, seconds);
}

static char *uri_of(const struct source *source)
{
	return text(source->info.uri);
}

static char *sha256_of(const struct source *source)
{
	return text(source->info.sha256);
}

static char *state_of(const struct source *source)
{
	return text(fetchfs_state_name(source->info.state));
}

static char *cached_bytes_of(const struct source *source)
{
	return str_printf("%" PRIu64, source->info.cached_bytes);
}

static char *etag_of(const struct source *source)
{
	return text(source->info.etag);
}

static char *fetched_of(const struct source *source)
{
	return moment(source->info.fetched);
}

static char *verified_of(const struct source *source)
{
	return moment(source->info.verified);
}

static char *expires_of(const struct source *source)
{
	return moment(source->info.expires);
}

static char *last_used_of(const struct source *source)
{
	return moment(source->info.last_used);
}

static char *pinned_of(const struct source *source)
{
	return str_copy(source->info.pinned ? "1" : "0");
}

static char *error_of(const struct source *source)
{
	return text(source->error);
}

static const struct {
	const char *name;
	char *(*value)(const struct source *source);
} attributes[] = {
	{PREFIX "uri", uri_of},
	{PREFIX "sha256", sha256_of},
	{PREFIX "state", state_of},
	{PREFIX "cached_bytes", cached_bytes_of},
	{PREFIX "etag", etag_of},
	{PREFIX "fetched", fetched_of},
	{PREFIX "verified", verified_of},
	{PREFIX "expires", expires_of},
	{PREFIX "last_used", last_used_of},
	{PREFIX "pinned", pinned_of},
	{PREFIX "error", error_of},
};

static bool is_file(const struct node *node)
{
	return node->kind == NODE_FILE || node->kind == NODE_OBJECT;
}

/* What is known of @node; what is not, is left as unknown. */
static void load(struct fs *fs, struct node *node, uid_t uid, struct source *ret)
{
	struct fetchfs_info info = {.size = -1};

	*ret = (struct source){
		.info = {.size = -1, .fetched = -1, .verified = -1, .expires = -1, .last_used = -1},
		.error = inode_error(fs->inodes, node, uid),
	};
	/* it is another node than while its archive was on its way */
	if (!ret->error && node->kind == NODE_TREE && node->sha256[0])
		ret->error = unpacked_error(fs, node, uid);
	if (is_file(node) && ops_find(fs, node, uid, &info, NULL) == 0)
		ret->info = info;
}

static void source_release(struct source *source)
{
	fetchfs_info_release(&source->info);
	free(source->error);
}

static char *value_of(const struct source *source, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (str_equal(name, attributes[i].name))
			return attributes[i].value(source);
	return NULL;
}

void xattr_get_op(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *fs = ops_fs(req);
	CLEANUP(source_release) struct source source = {.error = NULL};
	CLEANUP(str_freep) char *value = NULL;
	struct node *node;

	/* Security modules ask for theirs at each exec, and ls -l for two of each file, until it
	 * hears that this is no file system for those: answer before any work. */
	if (!str_has_prefix(name, PREFIX)) {
		fuse_reply_err(req, str_has_prefix(name, "user.") ? ENODATA : EOPNOTSUPP);
		return;
	}
	node = inode_ref(fs->inodes, ino);
	if (node)
		load(fs, node, fuse_req_ctx(req)->uid, &source);
	if (node && is_file(node))
		value = value_of(&source, name);
	else if (str_equal(name, PREFIX "error"))
		value = error_of(&source);
	if (value)
		reply_xattr(req, value, strlen(value), size);
	else
		fuse_reply_err(req, ENODATA);
	inode_unref(fs->inodes, node);
}

/* The names of those that have a value, each with its NUL, into @list. */
static size_t names_of(const struct source *source, char *list)
{
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		CLEANUP(str_freep) char *value = attributes[i].value(source);

		if (value) {
			strcpy(list + len, attributes[i].name);
			len += strlen(attributes[i].name) + 1;
		}
	}
	return len;
}

void xattr_list_op(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *fs = ops_fs(req);
	struct node *node = inode_ref(fs->inodes, ino);
	CLEANUP(source_release) struct source source = {.error = NULL};
	char list[ARRAY_SIZE(attributes) * NAME_ROOM];
	size_t len = 0;

	if (fs->options->list_xattrs && node && is_file(node)) {
		load(fs, node, fuse_req_ctx(req)->uid, &source);
		len = names_of(&source, list);
	}
	reply_xattr(req, list, len, size);
	inode_unref(fs->inodes, node);
}
