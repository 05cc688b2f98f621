/*
 * LOOKUP in the natural tree.
 *
 * It asks the cache, and an origin only about names that look like files, for at most
 * LOOKUP_LIMIT_MS: the kernel holds the folder meanwhile. Another name that nobody declared is
 * answered as a folder in doubt (doubt.h), which the kernel may not remember.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/lookup_private.h"
#include "fs/reply.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUP_LIMIT_MS 500

/* A folder below which something is known; @known as fetchfs_is_folder() says. */
static int enter_known_folder(struct lookup *lookup, int known, struct err *err)
{
	struct found found = {
		.kind = NODE_FOLDER,
		.path = lookup->path,
		.facts = {.known = true, .is_public = known == 2},
	};

	return lookup_enter(lookup->fs, lookup->req, lookup->parent->id, lookup->name, &found, err);
}

/* A name that nobody declared. */
static int enter_doubtful(struct lookup *lookup, enum doubt doubt, int64_t until, struct err *err)
{
	struct found found = {.kind = NODE_FOLDER, .path = lookup->path, .facts = {.known = true}};

	return lookup_enter_in_doubt(lookup->fs, lookup->req, lookup->parent->id, lookup->name,
		&found, doubt, until, err);
}

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
		r = lookup_enter(ask->fs, ask->req, ask->node->id, ask->name, &found, &local);
	if (r < 0)
		lookup_reply_nothing(ask->req, ask->node, ask->name, &local);
}

int lookup_ask_origin(struct lookup *lookup,
	void (*answer)(struct ask *ask, const struct fetchfs_info *info, const struct err *err),
	struct err *err)
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
	ask->answer = answer;
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
	lookup_look(lookup, folder);
	r = fetchfs_is_folder(lookup->fs->fetchfs, folder, lookup->uid, err);
	return lookup_looked(lookup, r, err);
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
		return lookup_enter_file(lookup, err);
	if (!may_ask)
		return lookup_no_such_name(lookup, err);
	if (recalled->is_folder && recalled->fresh)
		return lookup_enter_path(lookup, NODE_FOLDER, err);
	if (is_asked_now(lookup))
		return lookup_ask_origin(lookup, answered, err);
	if (doubt_recall_file(lookup->fs->inodes, lookup->path, lookup->now, &lookup->facts))
		return lookup_enter_file(lookup, err);
	if (recalled->state == FETCHFS_ABSENT && recalled->fresh)
		return enter_doubtful(lookup, DOUBT_ABSENT, recalled->expires, err);
	return enter_doubtful(lookup, DOUBT_OPEN, 0, err);
}

int lookup_in_tree(struct lookup *lookup, struct err *err)
{
	bool may_ask = !lookup->fs->options->known_only;
	struct recalled recalled;
	int r;

	if (names_is_origin(lookup->path)) {
		r = names_from_tree(lookup->path, &lookup->wanted, err);
		if (r < 0)
			return err_set(err, ERR_USAGE, ENOENT, "no host %s", lookup->name);
		return lookup_enter_path(lookup, NODE_FOLDER, err);
	}

	r = is_known_folder(lookup, err);
	if (r > 0)
		return enter_known_folder(lookup, r, err);
	if (r == 0 && unpacked_name_len(lookup->name))
		return lookup_unpacked(lookup, err);
	if (r == 0)
		r = names_from_tree(lookup->path, &lookup->wanted, err);
	if (r < 0) {
		if (err->code == EINVAL)
			err->code = ENOENT;
		return -err->code;
	}

	/* A folder may lie on the way to what is allowed: the policy judges files. */
	r = lookup_recall(lookup, &recalled, err);
	if (r == -EACCES && may_ask && !is_asked_now(lookup))
		return enter_doubtful(lookup, DOUBT_OPEN, 0, err);
	return r < 0 ? r : enter_undeclared(lookup, &recalled, err);
}

struct node *lookup_listed(struct fs *fs, const struct node *folder, const char *name, uid_t uid)
{
	CLEANUP(lookup_release)
	struct lookup lookup = {
		.fs = fs,
		.uid = uid,
		.name = name,
		.path = str_printf("%s/%s", folder->path, name),
		.now = clock_wall(),
	};
	struct found found = {.kind = NODE_FILE, .wanted = &lookup.wanted, .key = lookup.key};
	struct recalled recalled;
	struct node *node = NULL;

	if (!lookup.path || names_from_tree(lookup.path, &lookup.wanted, NULL) < 0 ||
		lookup_recall(&lookup, &recalled, NULL) < 0 || !recalled.is_file)
		return NULL;
	found.facts = lookup.facts;
	if (!found.facts.complete || !found.facts.is_public)
		return NULL;
	return inode_enter(fs->inodes, &found, folder->id, name, &node, NULL) < 0 ? NULL : node;
}
