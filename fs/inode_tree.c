/* Nodes of what is in archives. Their content is in their identity: they never change. */
#include "base/str.h"
#include "fs/inode_private.h"

bool inode_is_in_tree(const struct node *node)
{
	switch (node->kind) {
	case NODE_TREE:
	case NODE_TREE_FOLDER:
	case NODE_TREE_FILE:
	case NODE_TREE_LINK:
		return true;
	default:
		return false;
	}
}

struct node *inode_ref_in_tree(
	struct inodes *inodes, const char *key, const char *sha256, const char *path)
{
	CLEANUP(str_freep) char *identity = inode_identity_in_tree(key, sha256, path);
	struct node *node;

	if (!identity)
		return NULL;
	WITH_LOCK(&inodes->mu);
	node = *inode_identity_slot(inodes, identity);
	if (node)
		node->refs++;
	return node;
}

uint64_t inode_number_in_tree(const char *key, const char *sha256, const char *path)
{
	CLEANUP(str_freep) char *identity = inode_identity_in_tree(key, sha256, path);

	/* without memory a number of no use, but one */
	return names_hash(identity ? identity : path);
}
