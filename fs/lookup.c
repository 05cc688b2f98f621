/*
 * LOOKUP: which node is behind a name.
 *
 * It asks the cache, and an origin only about names that look like files, for at most
 * LOOKUP_LIMIT_MS: the kernel holds the folder meanwhile. A name that nobody declared is answered
 * as a folder that the kernel may not remember.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"
#include "fs/ask.h"
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
};

static void lookup_release(struct lookup *lookup)
{
	inode_unref(lookup->fs->inodes, lookup->parent);
	names_wanted_release(&lookup->wanted);
	free(lookup->path);
}

/* Replies with the node of @found. */
static int enter(struct fs *fs, fuse_req_t req, uint64_t parent, const char *name,
	const struct found *found, struct err *err)
{
	struct node *node = NULL;
	int r = inode_enter(fs->inodes, found, parent, name, &node, err);

	if (r < 0)
		return r;
	reply_entry(req, node);
	inode_unref(fs->inodes, node);
	return 0;
}

/* A folder, or another fixed name. */
static int enter_path(struct lookup *lookup, enum node_kind kind, struct err *err)
{
	struct found found = {.kind = kind, .path = lookup->path};

	return enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
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

static bool is_there(enum fetchfs_state state)
{
	return state == FETCHFS_KNOWN || state == FETCHFS_IN_FLIGHT || state == FETCHFS_COMPLETE;
}

/*
 * What the cache knows of lookup->wanted, into lookup->key and facts. @ret_state is
 * FETCHFS_UNKNOWN when that is nothing.
 */
static int recall(struct lookup *lookup, enum fetchfs_state *ret_state, struct err *err)
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
	*ret_state = FETCHFS_UNKNOWN;

	r = fetchfs_find(lookup->fs->fetchfs, &request, &info, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (is_there(info.state))
		lookup->facts = inode_facts_of(&info);
	*ret_state = info.state;
	return 0;
}

/* ---- uri/NAME and digest/sha256/NAME ---- */

static int lookup_uri(struct lookup *lookup, struct err *err)
{
	enum fetchfs_state state;
	int r = names_from_uri(lookup->name, &lookup->wanted, err);

	if (r == -EINVAL)
		err->code = ENOENT; /* a name that cannot exist */
	if (r < 0)
		return -err->code;
	r = recall(lookup, &state, err);
	if (r < 0)
		return r;
	if (lookup->fs->options->known_only && !is_there(state))
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

/* ---- the natural tree ---- */

/* A page where a file is expected is what servers show for a folder. */
static bool looks_like_folder(const char *name, const struct fetchfs_info *info)
{
	return str_has_prefix(info->type, "text/html") && !names_is_page(name);
}

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	struct err local = *err;
	struct found found = {.kind = NODE_FILE, .wanted = &ask->wanted, .key = ask->key};
	int r = -local.code;

	if (info && looks_like_folder(ask->name, info))
		r = -EISDIR;
	else if (info)
		found.facts = inode_facts_of(info);
	if (r == -EISDIR) {
		found = (struct found){.kind = NODE_FOLDER, .path = ask->path};
		r = 0;
	}
	if (r == 0)
		r = enter(ask->fs, ask->req, ask->node->id, ask->name, &found, &local);
	if (r < 0)
		reply_error(ask->req, ask->node, &local);
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

static int lookup_in_tree(struct lookup *lookup, struct err *err)
{
	bool may_ask = !lookup->fs->options->known_only;
	enum fetchfs_state state;
	int r;

	if (names_is_origin(lookup->path)) {
		r = names_from_tree(lookup->path, &lookup->wanted, err);
		if (r < 0)
			return err_set(err, ERR_USAGE, ENOENT, "no host %s", lookup->name);
		return enter_path(lookup, NODE_FOLDER, err);
	}

	r = is_known_folder(lookup, err);
	if (r == 1)
		return enter_path(lookup, NODE_FOLDER, err);
	if (r == 0)
		r = names_from_tree(lookup->path, &lookup->wanted, err);
	if (r < 0) {
		if (err->code == EINVAL)
			err->code = ENOENT;
		return -err->code;
	}

	/* A folder may lie on the way to what is allowed: the policy judges files. */
	r = recall(lookup, &state, err);
	if (r == -EACCES && !names_has_suffix(lookup->name))
		return may_ask ? enter_path(lookup, NODE_FOLDER, err) : r;
	if (r < 0)
		return r;
	if (is_there(state))
		return enter_file(lookup, err);
	if (!may_ask)
		return no_such_name(lookup, err);
	if (names_has_suffix(lookup->name))
		return ask_origin(lookup, err);
	return enter_path(lookup, NODE_FOLDER, err);
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
	if (r == 1)
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
		if (str_equal(lookup->name, "status"))
			return enter_path(lookup, NODE_STATUS, err);
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
		reply_error(req, lookup.parent, &err);
}
