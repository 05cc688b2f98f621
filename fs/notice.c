#include "fs/notice.h"

#include <stdlib.h>

struct notice {
	struct fs *fs;
	uint64_t parent;
	char *name;
};

static void notice_free(struct notice *notice)
{
	free(notice->name);
	free(notice);
}

static void expire_job(void *arg)
{
	struct notice *notice = arg;

	if (!atomic_load(&notice->fs->is_ending))
		ops_expire(notice->fs, notice->parent, notice->name);
	notice_free(notice);
}

void notice_expire(struct fs *fs, struct node *node)
{
	struct notice *notice = calloc(1, sizeof(*notice));

	if (!notice)
		return;
	notice->fs = fs;
	notice->name = inode_place(fs->inodes, node, &notice->parent);
	if (!notice->name || queue_push(fs->notices, expire_job, notice, NULL) < 0)
		notice_free(notice);
}
