/* The table of nodes, seen by who watches the cache (watch.h). */
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
