/* LOOKUP of NAME.unpacked, beside the archive NAME. */
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/lookup_private.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <string.h>

struct archive {
	fuse_req_t req;
	uint64_t parent;
	const char *name; /* NAME */
	const struct wanted *wanted;
	const char *key;
};

/* @facts are the archive's. What is not here has no content yet that the folder could stand for. */
static int enter(
	struct fs *fs, const struct archive *archive, const struct facts *facts, struct err *err)
{
	CLEANUP(str_freep) char *name = str_printf("%s" UNPACKED_SUFFIX, archive->name);
	struct found found = {
		.kind = NODE_TREE,
		.path = "",
		.wanted = archive->wanted,
		.key = archive->key,
		.sha256 = facts->complete ? facts->sha256 : "",
		.facts = {.known = true, .size = -1, .modified = -1},
	};

	if (!name)
		return err_oom(err);
	if (facts->complete)
		found.facts = *facts;
	return lookup_enter(fs, archive->req, archive->parent, name, &found, err);
}

static void answered(struct ask *ask, const struct fetchfs_info *info, const struct err *err)
{
	const struct archive archive = {ask->req, ask->node->id, ask->name, &ask->wanted, ask->key};
	struct err local = *err;
	struct facts facts;
	int r = -local.code;

	if (info && ops_looks_like_folder(ask->name, info))
		r = err_set(&local, ERR_USAGE, ENOENT, "%s is a folder", ask->name);
	if (r == 0) {
		facts = inode_facts_of(info);
		r = enter(ask->fs, &archive, &facts, &local);
	}
	if (r == -EISDIR)
		local.code = ENOENT;
	if (r < 0)
		lookup_reply_nothing(ask->req, ask->node, ask->name, &local);
}

/* @archive is the lookup of NAME. */
static int enter_or_ask(struct lookup *archive, struct err *err)
{
	const struct archive of = {
		archive->req, archive->parent->id, archive->name, &archive->wanted, archive->key};
	struct recalled recalled;
	int r = names_from_tree(archive->path, &archive->wanted, err);

	if (r == 0)
		r = lookup_recall(archive, &recalled, err);
	if (r < 0)
		return r;
	if (recalled.is_file && !recalled.is_folder &&
		(archive->facts.complete || !archive->fs->options->known_only))
		return enter(archive->fs, &of, &archive->facts, err);
	if (archive->fs->options->known_only || recalled.is_folder ||
		(recalled.state == FETCHFS_ABSENT && recalled.fresh))
		return lookup_no_such_name(archive, err);
	/* who uses the folder will be told */
	if (fetchfs_lookup_head(archive->fs->fetchfs) == FETCHFS_HEAD_NONE)
		return enter(archive->fs, &of, &archive->facts, err);
	return lookup_ask_origin(archive, answered, err);
}

int lookup_unpacked(struct lookup *lookup, struct err *err)
{
	size_t len = unpacked_name_len(lookup->name);
	CLEANUP(str_freep) char *name = str_printf("%.*s", (int)len, lookup->name);
	CLEANUP(lookup_release)
	struct lookup archive = {
		.fs = lookup->fs,
		.req = lookup->req,
		.uid = lookup->uid,
		.parent = inode_ref(lookup->fs->inodes, lookup->parent->id),
		.name = name,
		.path = str_copy(lookup->path),
		.now = lookup->now,
	};
	int r;

	if (!name || !archive.path)
		return err_oom(err);
	archive.path[strlen(archive.path) - strlen(UNPACKED_SUFFIX)] = '\0';
	r = enter_or_ask(&archive, err);
	lookup->req = archive.req;
	if (r == -EINVAL)
		err->code = ENOENT;
	return r < 0 ? -err->code : r;
}
