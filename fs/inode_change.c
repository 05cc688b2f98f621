/* What changes in a node. */
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inode_private.h"

#include <stdlib.h>
#include <string.h>

struct facts inode_facts_of(const struct fetchfs_info *info)
{
	struct facts facts = {
		.known = true,
		.size = info->size,
		.modified = info->modified,
		.cached = info->cached_bytes,
		.version = info->version,
		.complete = info->state == FETCHFS_COMPLETE,
		.executable = info->executable,
		.is_public = info->is_public,
	};

	memcpy(facts.sha256, info->sha256, sizeof(facts.sha256));
	return facts;
}

bool inode_is_version(const struct node *node, const struct facts *facts)
{
	const struct facts *is = &node->facts;

	if (!is->version)
		return true;
	if (facts->version != is->version)
		return false;
	/* an origin may give the same ETag to other bytes */
	if (!is->sha256[0] || !facts->sha256[0])
		return true;
	return facts->size == is->size && str_equal(facts->sha256, is->sha256);
}

struct facts inode_facts(struct inodes *inodes, struct node *node)
{
	WITH_LOCK(&inodes->mu);
	return node->facts;
}

bool inode_learn(struct inodes *inodes, struct node *node, const struct facts *facts)
{
	WITH_LOCK(&inodes->mu);
	struct facts before = node->facts;

	if (!inode_is_version(node, facts))
		return false;
	node->facts = *facts;
	/* what is evicted, and on its way again, is still to be what it was */
	if (before.version && !facts->sha256[0])
		memcpy(node->facts.sha256, before.sha256, sizeof(before.sha256));
	return true;
}

bool inode_renew(struct inodes *inodes, struct node *node, const struct facts *facts)
{
	WITH_LOCK(&inodes->mu);
	bool is_same = facts->sha256[0] && str_equal(node->facts.sha256, facts->sha256);

	if (!is_same && (node->cached_opens > 0 || node->direct_opens > 0))
		return false;
	node->facts = *facts;
	node->renewed |= !is_same;
	if (!is_same)
		node->was_direct = false;
	return true;
}

bool inode_take_renewed(struct inodes *inodes, struct node *node)
{
	WITH_LOCK(&inodes->mu);
	bool renewed = node->renewed;

	node->renewed = false;
	return renewed;
}

char *inode_place(struct inodes *inodes, struct node *node, uint64_t *ret_parent)
{
	WITH_LOCK(&inodes->mu);
	*ret_parent = node->parent;
	return str_copy(node->name);
}

void inode_set_error(struct inodes *inodes, struct node *node, uid_t uid, const char *text)
{
	char *copy = str_copy(text);
	char *old;

	{
		WITH_LOCK(&inodes->mu);
		old = node->error;
		node->error = copy;
		node->error_uid = uid;
	}
	free(old);
}

char *inode_error(struct inodes *inodes, struct node *node, uid_t uid)
{
	WITH_LOCK(&inodes->mu);

	return uid == 0 || uid == node->error_uid ? str_copy(node->error) : NULL;
}
