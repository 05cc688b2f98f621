/*
 * LOOKUP: which node is behind a name.
 *
 * It asks the cache, and an origin only about names that look like files, for at most
 * LOOKUP_LIMIT_MS: the kernel holds the folder meanwhile. Another name that nobody declared is
 * answered as a folder in doubt (doubt.h), which the kernel may not remember.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/uri.h"
#include "fs/ask.h"
#include "fs/doubt.h"
#include "fs/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUP_LIMIT_MS 500

/* One lookup under way; the strings are its own. */
struct lookup {
	struct fs *fs;
	fuse_req_t req;
	uid_t uid;
	struct node *parent;
	const char *name;
	char *path;
	struct wanted wanted;
	char key[FETCHFS_KEY_HEX_SIZE];
	struct facts facts;
	int64_t now; /* seconds since 1970 */
};

/* What the cache knows of a name. */
struct recalled {
	enum fetchfs_state state; /* FETCHFS_UNKNOWN: nothing */
	bool is_file;
	bool is_folder; /* not of a file that somebody has asked for */
	bool fresh;
	int64_t expires;
};

static void lookup_release(struct lookup *lookup)
{
	inode_unref(lookup->fs->inodes, lookup->parent);
	names_wanted_release(&lookup->wanted);
	free(lookup->path);
}

/* Replies with the node of @found, which is, if it is a folder, in @doubt until @until. */
static int enter_in_doubt(struct fs *fs, fuse_req_t req, uint64_t parent, const char *name,
	const struct found *found, enum doubt doubt, int64_t until, struct err *err)
{
	struct node *node = NULL;
	int r = inode_enter(fs->inodes, found, parent, name, &node, err);

	if (r < 0)
		return r;
	if (node->kind == NODE_FOLDER)
		r = doubt_looked_up(fs->inodes, node, fuse_req_ctx(req)->pid, doubt, until, err);
	if (r == 0)
		reply_entry(req, node);
	else
		inode_forget(fs->inodes, node->id, 1);
	inode_unref(fs->inodes, node);
	return r;
}

static int enter(struct fs *fs, fuse_req_t req, uint64_t parent, const char *name,
	const struct found *found, struct err *err)
{
	return enter_in_doubt(fs, req, parent, name, found, DOUBT_NONE, 0, err);
}

/* A folder below which something is known; @known as fetchfs_is_folder() says. */
static int enter_known_folder(struct lookup *lookup, int known, struct err *err)
{
	struct found found = {
		.kind = NODE_FOLDER,
		.path = lookup->path,
		.facts = {.known = true, .is_public = known == 2},
	};

	return enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

/* A folder, or another fixed name. */
static int enter_path(struct lookup *lookup, enum node_kind kind, struct err *err)
{
	struct found found = {.kind = kind, .path = lookup->path, .facts = {.known = true}};

	return enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

/* A name that nobody declared. */
static int enter_doubtful(struct lookup *lookup, enum doubt doubt, int64_t until, struct err *err)
{
	struct found found = {.kind = NODE_FOLDER, .path = lookup->path, .facts = {.known = true}};

	return enter_in_doubt(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found,
		doubt, until, err);
}

static int enter_file(struct lookup *lookup, struct err *err)
{
	struct found found = {
		.kind = NODE_FILE,
		.wanted = &lookup->wanted,
		.key = lookup->key,
		.facts = lookup->facts,
	};

	return enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

static int no_such_name(struct lookup *lookup, struct err *err)
{
	return err_set(err, ERR_USAGE, ENOENT, "no %s in this mount", lookup->path);
}

/* What the cache knows of lookup->wanted; lookup->facts, too, if it is a file. */
static int recall(struct lookup *lookup, struct recalled *ret, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_request request = {
		.uri = lookup->wanted.uri,
		.uid = lookup->uid,
		.through_mount = true,
		.digest = lookup->wanted.digest[0] ? lookup->wanted.digest : NULL,
	};
	int r = fetchfs_key(lookup->fs->fetchfs, &request, lookup->key, err);

	if (r < 0)
		return r;
	lookup->facts = (struct facts){.size = -1, .modified = -1};
	*ret = (struct recalled){.state = FETCHFS_UNKNOWN};

	r = fetchfs_find(lookup->fs->fetchfs, &request, &info, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	ret->state = info.state;
	ret->is_file = ops_is_file(&info);
	/* of what somebody wants the bytes, it is a file whatever is in it */
	ret->is_folder = info.state == FETCHFS_KNOWN && ops_looks_like_folder(lookup->name, &info);
	ret->fresh = info.verified <= lookup->now && lookup->now < info.expires;
	ret->expires = info.expires;
	if (ret->is_file)
		lookup->facts = inode_facts_of(&info);
	return 0;
}

/* ---- uri/NAME and digest/sha256/NAME ---- */

static int lookup_uri(struct lookup *lookup, struct err *err)
{
	struct recalled recalled;
	int r = names_from_uri(lookup->name, &lookup->wanted, err);

	if (r == -EINVAL)
		err->code = ENOENT; /* a name that cannot exist */
	if (r < 0)
		return -err->code;
	r = recall(lookup, &recalled, err);
	if (r < 0)
		return r;
	if (lookup->fs->options->known_only && !recalled.is_file)
		return no_such_name(lookup, err);
	return enter_file(lookup, err);
}

static int lookup_object(struct lookup *lookup, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_file *file = NULL;
	struct found found = {.kind = NODE_OBJECT};
	struct digest digest;
	char hex[DIGEST_HEX_SIZE];
	int r;

	/* One spelling only: no prefix, lower case. */
	if (digest_parse(lookup->name, &digest, NULL) < 0)
		return no_such_name(lookup, err);
	digest_hex(&digest, hex);
	if (!str_equal(hex, lookup->name))
		return no_such_name(lookup, err);

	r = fetchfs_get_digest(lookup->fs->fetchfs, hex, lookup->uid, &file, err);
	if (r < 0)
		return r;
	r = fetchfs_file_info(file, &info, err);
	fetchfs_file_free(file);
	if (r < 0)
		return r;
	found.sha256 = hex;
	found.facts = inode_facts_of(&info);
	return enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

/* The name has no node: who wants to know why asks the folder. */
static void reply_nothing(fuse_req_t req, struct node *folder, const char *name, struct err *err)
{
	err_context(err, "%s", name);
	reply_error(req, folder, err);
}

/* ---- the natural tree ---- */

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	struct err local = *err;
	struct found found = {.kind = NODE_FILE, .wanted = &ask->wanted, .key = ask->key};
	int r = -local.code;

	if (info && ops_looks_like_folder(ask->name, info))
		r = -EISDIR;
	else if (info)
		found.facts = inode_facts_of(info);
	if (r == -EISDIR) {
		found = (struct found){
			.kind = NODE_FOLDER, .path = ask->path, .facts = {.known = true}};
		r = 0;
	}
	if (r == 0)
		r = enter(ask->fs, ask->req, ask->node->id, ask->name, &found, &local);
	if (r < 0)
		reply_nothing(ask->req, ask->node, ask->name, &local);
}

/* Let the origin say whether the name exists. */
static int ask_origin(struct lookup *lookup, struct err *err)
{
	struct ask *ask = ask_new(lookup->req);
	char *name = str_copy(lookup->name);

	if (!ask || !name) {
		free(name);
		ask_free(ask);
		return err_oom(err);
	}
	ask->node = lookup->parent;
	lookup->parent = NULL;
	ask->wanted = lookup->wanted;
	lookup->wanted.uri = NULL;
	ask->path = str_steal(&lookup->path);
	ask->name = name;
	memcpy(ask->key, lookup->key, sizeof(ask->key));
	ask->limit_ms = LOOKUP_LIMIT_MS;
	ask->late = EAGAIN;
	ask->answer = answered;
	ask_send(ask);
	return 0;
}

/* Whether the cache knows something below the name. 1, 0 or -errno. */
static int is_known_folder(struct lookup *lookup, struct err *err)
{
	CLEANUP(str_freep) char *folder = NULL;
	int r;

	if (strchr(lookup->name, '?'))
		return 0;
	r = names_folder(lookup->path, &folder, err);
	if (r < 0)
		return r;
	return fetchfs_is_folder(lookup->fs->fetchfs, folder, lookup->uid, err);
}

/* Whether the origin is asked about the name though the walk may go on below it. */
static bool is_asked_now(const struct lookup *lookup)
{
	switch (fetchfs_lookup_head(lookup->fs->fetchfs)) {
	case FETCHFS_HEAD_NONE:
		return false;
	case FETCHFS_HEAD_ALL:
		return true;
	default:
		return names_has_suffix(lookup->name);
	}
}

/* Nothing is known below the name. What the cache knows of itself is in @recalled. */
static int enter_undeclared(struct lookup *lookup, const struct recalled *recalled, struct err *err)
{
	bool may_ask = !lookup->fs->options->known_only;

	if (recalled->is_file && !recalled->is_folder)
		return enter_file(lookup, err);
	if (!may_ask)
		return no_such_name(lookup, err);
	if (recalled->is_folder && recalled->fresh)
		return enter_path(lookup, NODE_FOLDER, err);
	if (is_asked_now(lookup))
		return ask_origin(lookup, err);
	if (doubt_recall_file(lookup->fs->inodes, lookup->path, lookup->now, &lookup->facts))
		return enter_file(lookup, err);
	if (recalled->state == FETCHFS_ABSENT && recalled->fresh)
		return enter_doubtful(lookup, DOUBT_ABSENT, recalled->expires, err);
	return enter_doubtful(lookup, DOUBT_OPEN, 0, err);
}

static int lookup_in_tree(struct lookup *lookup, struct err *err)
{
	bool may_ask = !lookup->fs->options->known_only;
	struct recalled recalled;
	int r;

	if (names_is_origin(lookup->path)) {
		r = names_from_tree(lookup->path, &lookup->wanted, err);
		if (r < 0)
			return err_set(err, ERR_USAGE, ENOENT, "no host %s", lookup->name);
		return enter_path(lookup, NODE_FOLDER, err);
	}

	r = is_known_folder(lookup, err);
	if (r > 0)
		return enter_known_folder(lookup, r, err);
	if (r == 0)
		r = names_from_tree(lookup->path, &lookup->wanted, err);
	if (r < 0) {
		if (err->code == EINVAL)
			err->code = ENOENT;
		return -err->code;
	}

	/* A folder may lie on the way to what is allowed: the policy judges files. */
	r = recall(lookup, &recalled, err);
	if (r == -EACCES && may_ask && !is_asked_now(lookup))
		return enter_doubtful(lookup, DOUBT_OPEN, 0, err);
	return r < 0 ? r : enter_undeclared(lookup, &recalled, err);
}

/* ---- the fixed names ---- */

static int lookup_in_root(struct lookup *lookup, struct err *err)
{
	CLEANUP(str_freep) char *folder = NULL;
	int r;

	if (str_equal(lookup->name, "uri"))
		return enter_path(lookup, NODE_URIS, err);
	if (str_equal(lookup->name, "digest"))
		return enter_path(lookup, NODE_DIGEST, err);
	if (str_equal(lookup->name, ".fetchfs"))
		return enter_path(lookup, NODE_CONTROL, err);
	for (unsigned int i = 0; names_scheme(i); i++)
		if (str_equal(lookup->name, names_scheme(i)))
			return enter_path(lookup, NODE_FOLDER, err);

	/* Another scheme is there when it is in use. */
	r = names_folder(lookup->name, &folder, err);
	if (r == 0)
		r = fetchfs_is_folder(lookup->fs->fetchfs, folder, lookup->uid, err);
	if (r > 0)
		return enter_path(lookup, NODE_FOLDER, err);
	return r < 0 ? r : no_such_name(lookup, err);
}

static int dispatch(struct lookup *lookup, struct err *err)
{
	/* the kernel lets names of FUSE be longer than those of a file system */
	if (strlen(lookup->name) > URI_NAME_MAX)
		return err_set(
			err, ERR_USAGE, ENAMETOOLONG, "a name of more than %d bytes", URI_NAME_MAX);
	switch (lookup->parent->kind) {
	case NODE_ROOT:
		return lookup_in_root(lookup, err);
	case NODE_FOLDER:
		return lookup_in_tree(lookup, err);
	case NODE_URIS:
		return lookup_uri(lookup, err);
	case NODE_SHA256:
		return lookup_object(lookup, err);
	case NODE_DIGEST:
		if (str_equal(lookup->name, "sha256"))
			return enter_path(lookup, NODE_SHA256, err);
		return no_such_name(lookup, err);
	case NODE_CONTROL:
		if (control_has(lookup->name))
			return enter_path(lookup, NODE_TEXT, err);
		return no_such_name(lookup, err);
	default:
		return err_set(err, ERR_USAGE, ENOTDIR, "%s: not a folder", lookup->path);
	}
}

void lookup_op(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = ops_fs(req);
	CLEANUP(lookup_release)
	struct lookup lookup = {
		.fs = fs,
		.req = req,
		.uid = fuse_req_ctx(req)->uid,
		.parent = inode_ref(fs->inodes, parent),
		.name = name,
		.now = clock_wall(),
	};
	struct err err = ERR_INIT;
	const char *above;
	int r;

	if (!lookup.parent) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	above = lookup.parent->path ? lookup.parent->path : "";
	lookup.path = str_printf("%s%s%s", above, *above ? "/" : "", name);
	r = lookup.path ? dispatch(&lookup, &err) : err_oom(&err);
	if (r < 0)
		reply_nothing(req, lookup.parent, name, &err);
}
