/* Who was told ESTALE on a node. Most nodes live without that. */
#include "fs/inode_private.h"

#include <stdlib.h>

#define STALE_MAX 16

struct stale {
	pid_t threads[STALE_MAX];
	unsigned int next;
};

bool inode_stale_has(const struct node *node, pid_t thread)
{
	for (size_t i = 0; node->stale && i < STALE_MAX; i++)
		if (node->stale->threads[i] == thread)
			return true;
	return false;
}

void inode_stale_add(struct node *node, pid_t thread)
{
	struct stale *stale = node->stale;

	if (!stale)
		stale = node->stale = calloc(1, sizeof(*stale));
	if (stale)
		stale->threads[stale->next++ % STALE_MAX] = thread;
}

void inode_stale_drop(struct node *node, pid_t thread)
{
	for (size_t i = 0; node->stale && i < STALE_MAX; i++)
		if (node->stale->threads[i] == thread)
			node->stale->threads[i] = 0;
}

bool inode_told_stale(struct inodes *inodes, struct node *node, pid_t thread)
{
	WITH_LOCK(&inodes->mu);

	/* 0 is all that is known of threads of other PID namespaces: one of them may have been */
	if (thread == 0 || inode_stale_has(node, thread))
		return true;
	inode_stale_add(node, thread);
	return false;
}
