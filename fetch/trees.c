/* Trees: what archives unpack to, as files that are asked for. */
#include "fetch/fetchfs.h"

#include <errno.h>
#include <stdlib.h>

struct fetchfs_tree {
	int fd;
	bool single;
};

int fetchfs_tree_open(struct fetchfs_file *file, struct fetchfs_tree **ret, struct err *err)
{
	(void)file;
	(void)ret;
	return err_set(err, ERR_USAGE, ENOTSUP, "no archive");
}

int fetchfs_tree_open_now(struct fetchfs_file *file, struct fetchfs_tree **ret, struct err *err)
{
	(void)file;
	(void)ret;
	return err_set(err, ERR_USAGE, EAGAIN, "not unpacked");
}

int fetchfs_tree_fd(const struct fetchfs_tree *tree)
{
	return tree->fd;
}

bool fetchfs_tree_is_single(const struct fetchfs_tree *tree)
{
	return tree->single;
}

void fetchfs_tree_free(struct fetchfs_tree *tree)
{
	free(tree);
}

int fetchfs_unpack_run(void)
{
	return EXIT_FAILURE;
}
