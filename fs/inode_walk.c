/* The table of nodes, seen by who watches the cache (watch.h), and by who keeps it small (prune.h).
 */
#include "fs/inode_private.h"

#include "base/str.h"

static bool is_kept(const struct node *node)
{
	if (node->kind == NODE_FOLDER)
		return node->facts.is_public && node->lookups > 0;
	return (node->kind == NODE_FILE || node->kind == NODE_OBJECT || node->kind == NODE_TREE) &&
	       node->complete && node->facts.complete && node->facts.is_public && node->lookups > 0;
}

/* A cursor is a bucket, and above that how often the table had shrunk: then it begins again. */
#define CURSOR_SHIFT 48

size_t inode_walk_kept(struct inodes *inodes, size_t *cursor, struct node **ret, size_t max)
{
	size_t count = 0;
	size_t bucket = *cursor & (((size_t)1 << CURSOR_SHIFT) - 1);
	WITH_LOCK(&inodes->mu);

	if (*cursor >> CURSOR_SHIFT != inodes->shrinks)
		bucket = 0;
	/* a bucket at a time: growing splits one into itself and another behind it */
	for (; bucket < inodes->buckets && count == 0; bucket++) {
		for (struct node *node = inodes->by_id[bucket]; node; node = node->next_by_id) {
			if (count < max && is_kept(node)) {
				node->refs++;
				ret[count++] = node;
			}
		}
	}
	*cursor = bucket | (size_t)inodes->shrinks << CURSOR_SHIFT;
	return count;
}

/* Only the kernel knows more: who has it open by way of another name, or mounted. */
static bool is_idle(const struct node *node)
{
	return node->lookups > 0 && node->refs == 0 && node->id != INODE_ROOT;
}

/* The idle ones of one bucket, if all have room in @max. Under mu. */
static bool take_idle(struct node *node, uint64_t *ret, size_t max, size_t *count)
{
	size_t taken = *count;

	for (struct node *at = node; at; at = at->next_by_id) {
		if (!is_idle(at) || at->used)
			continue;
		if (taken == max)
			return false;
		ret[taken++] = at->id;
	}
	for (; node; node = node->next_by_id)
		node->used = false;
	*count = taken;
	return true;
}

#define SLICE 1024 /* buckets that are looked at before others have the mutex */

/* Once around the table, or until @ret is full. */
static size_t go_around(struct inodes *inodes, uint64_t *ret, size_t max)
{
	size_t count = 0;
	size_t seen = 0;
	bool done = false;

	while (!done) {
		WITH_LOCK(&inodes->mu);

		for (size_t n = 0; n < SLICE && !done; n++) {
			inodes->hand %= inodes->buckets;
			done = seen++ >= inodes->buckets ||
			       !take_idle(inodes->by_id[inodes->hand], ret, max, &count);
			inodes->hand += !done;
		}
	}
	return count;
}

size_t inode_walk_idle(struct inodes *inodes, uint64_t *ret, size_t max)
{
	size_t count = go_around(inodes, ret, max);

	/* the second time nothing is left out that was not used meanwhile */
	return count > 0 ? count : go_around(inodes, ret, max);
}

/* Lookups do not find it any more. Under mu. */
static void leave_identity(struct inodes *inodes, struct node *node)
{
	struct node **current = inode_identity_slot(inodes, node->identity);

	if (*current != node)
		return;
	*current = node->next_by_identity;
	node->next_by_identity = NULL;
}

void inode_detach(struct inodes *inodes, struct node *node)
{
	WITH_LOCK(&inodes->mu);

	leave_identity(inodes, node);
}

void inode_supersede(struct inodes *inodes, struct node *node)
{
	WITH_LOCK(&inodes->mu);

	leave_identity(inodes, node);
	node->facts.complete = false;
	if (node->kind == NODE_FOLDER)
		node->facts.is_public = false;
	node->facts.cached = 0;
}

bool inode_set_shadowed(struct inodes *inodes, struct node *node, bool shadowed)
{
	bool before;
	WITH_LOCK(&inodes->mu);

	before = node->shadowed;
	node->shadowed = shadowed;
	return before != shadowed;
}

uint64_t inode_id_of_path(struct inodes *inodes, const char *path)
{
	CLEANUP(str_freep) char *identity = inode_identity_of_path(path);
	const struct node *node;

	if (!*path)
		return INODE_ROOT;
	if (!identity)
		return 0;
	WITH_LOCK(&inodes->mu);
	node = *inode_identity_slot(inodes, identity);
	return node ? node->id : 0;
}
