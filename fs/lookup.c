/*
 * LOOKUP: which node is behind a name. It asks the cache; an origin only in the natural tree.
 */
#include "fs/lookup_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/uri.h"
#include "fs/ask.h"
#include "fs/reply.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_LIMIT_MS 500 /* the kernel holds the folder meanwhile */

void lookup_release(struct lookup *lookup)
{
	inode_unref(lookup->fs->inodes, lookup->parent);
	names_wanted_release(&lookup->wanted);
	free(lookup->path);
}

int lookup_enter_in_doubt(struct fs *fs, fuse_req_t req, uint64_t parent, const char *name,
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

int lookup_enter(struct fs *fs, fuse_req_t req, uint64_t parent, const char *name,
	const struct found *found, struct err *err)
{
	return lookup_enter_in_doubt(fs, req, parent, name, found, DOUBT_NONE, 0, err);
}

int lookup_enter_path(struct lookup *lookup, enum node_kind kind, struct err *err)
{
	struct found found = {.kind = kind, .path = lookup->path, .facts = {.known = true}};

	return lookup_enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

int lookup_enter_file(struct lookup *lookup, struct err *err)
{
	struct found found = {
		.kind = NODE_FILE,
		.wanted = &lookup->wanted,
		.key = lookup->key,
		.facts = lookup->facts,
	};

	return lookup_enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

int lookup_no_such_name(struct lookup *lookup, struct err *err)
{
	return err_set(err, ERR_USAGE, ENOENT, "no %s in this mount", lookup->path);
}

/* ---- looks at local files ---- */

static void answer_late(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	struct err local = *err;

	(void)info;
	lookup_reply_nothing(ask->req, ask->node, ask->name, &local);
}

void lookup_look(struct lookup *lookup, const char *uri)
{
	struct ask *ask;

	if (!lookup->req || !str_has_prefix(uri, "file:") || !(ask = ask_new(lookup->req)))
		return;
	ask->node = inode_ref(lookup->fs->inodes, lookup->parent->id);
	ask->name = str_copy(lookup->name);
	if (!ask->node || !ask->name) {
		ask_free(ask);
		return;
	}
	ask->limit_ms = LOOK_LIMIT_MS;
	ask->late = ETIMEDOUT;
	ask->answer = answer_late;
	lookup->look = ask;
	ask_watch(ask);
}

int lookup_looked(struct lookup *lookup, int r, struct err *err)
{
	struct ask *ask = lookup->look;

	if (!ask)
		return r;
	lookup->look = NULL;
	if (!ask_claim(ask)) {
		lookup->req = NULL;
		r = err_set(err, ERR_CANCELLED, ETIMEDOUT, "it has been answered");
	}
	ask_unref(ask);
	return r;
}

/* ---- what the cache knows ---- */

int lookup_recall(struct lookup *lookup, struct recalled *ret, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_request request = {
		.uri = lookup->wanted.uri,
		.uid = lookup->uid,
		.through_mount = true,
		.digest = lookup->wanted.digest[0] ? lookup->wanted.digest : NULL,
	};
	int r;

	lookup->facts = (struct facts){.size = -1, .modified = -1};
	*ret = (struct recalled){.state = FETCHFS_UNKNOWN};

	lookup_look(lookup, request.uri);
	r = fetchfs_find(lookup->fs->fetchfs, &request, &info, err);
	r = lookup_looked(lookup, r, err);
	memcpy(lookup->key, info.key, sizeof(lookup->key));
	if (r == -ENOENT && info.key[0])
		return 0; /* of what there is no telling, only the name is known */
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

void lookup_reply_nothing(fuse_req_t req, struct node *folder, const char *name, struct err *err)
{
	err_context(err, "%s", name);
	reply_error(req, folder, err);
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
	r = lookup_recall(lookup, &recalled, err);
	if (r < 0)
		return r;
	if (lookup->fs->options->known_only && !recalled.is_file)
		return lookup_no_such_name(lookup, err);
	return lookup_enter_file(lookup, err);
}

/* Whatever there is to be known of it, the lease tells who uses it. */
static int lookup_lease(struct lookup *lookup, struct err *err)
{
	struct fetchfs_request request = {.uid = lookup->uid, .through_mount = true};
	int r = names_from_lease(lookup->name, &lookup->wanted, err);

	if (r == -EINVAL)
		err->code = ENOENT;
	if (r < 0)
		return -err->code;
	request.uri = lookup->wanted.uri;
	lookup_look(lookup, request.uri);
	r = fetchfs_key(lookup->fs->fetchfs, &request, lookup->key, err);
	r = lookup_looked(lookup, r, err);
	lookup->facts = (struct facts){.size = -1, .modified = -1};
	return r < 0 ? r : lookup_enter_file(lookup, err);
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
		return lookup_no_such_name(lookup, err);
	digest_hex(&digest, hex);
	if (!str_equal(hex, lookup->name))
		return lookup_no_such_name(lookup, err);

	r = fetchfs_get_digest(lookup->fs->fetchfs, hex, lookup->uid, &file, err);
	if (r < 0)
		return r;
	r = fetchfs_file_info(file, &info, err);
	fetchfs_file_free(file);
	if (r < 0)
		return r;
	found.sha256 = hex;
	found.facts = inode_facts_of(&info);
	return lookup_enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

/* ---- the fixed names ---- */

static int lookup_in_root(struct lookup *lookup, struct err *err)
{
	CLEANUP(str_freep) char *folder = NULL;
	int r;

	if (str_equal(lookup->name, "uri"))
		return lookup_enter_path(lookup, NODE_URIS, err);
	if (str_equal(lookup->name, "digest"))
		return lookup_enter_path(lookup, NODE_DIGEST, err);
	if (str_equal(lookup->name, ".fetchfs"))
		return lookup_enter_path(lookup, NODE_CONTROL, err);
	if (fetchfs_has_scheme(lookup->fs->fetchfs, lookup->name))
		return lookup_enter_path(lookup, NODE_FOLDER, err);

	/* Another scheme is there when it is in use. */
	r = names_folder(lookup->name, &folder, err);
	if (r == 0)
		r = fetchfs_is_folder(lookup->fs->fetchfs, folder, lookup->uid, err);
	if (r > 0)
		return lookup_enter_path(lookup, NODE_FOLDER, err);
	return r < 0 ? r : lookup_no_such_name(lookup, err);
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
			return lookup_enter_path(lookup, NODE_SHA256, err);
		return lookup_no_such_name(lookup, err);
	case NODE_LEASES:
		return lookup_lease(lookup, err);
	case NODE_CONTROL:
		if (str_equal(lookup->name, "lease"))
			return lookup_enter_path(lookup, NODE_LEASES, err);
		if (control_has(lookup->name))
			return lookup_enter_path(lookup, NODE_TEXT, err);
		return lookup_no_such_name(lookup, err);
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
	if (inode_is_in_tree(lookup.parent)) {
		unpacked_lookup(req, lookup.parent, name);
		lookup.parent = NULL;
		return;
	}
	above = lookup.parent->path ? lookup.parent->path : "";
	lookup.path = str_printf("%s%s%s", above, *above ? "/" : "", name);
	r = lookup.path ? dispatch(&lookup, &err) : err_oom(&err);
	if (r < 0 && lookup.req)
		lookup_reply_nothing(req, lookup.parent, name, &err);
}
