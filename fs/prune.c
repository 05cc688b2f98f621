#include "fs/prune.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#define PRUNE_MANY 24576
#define PRUNE_LEFT (PRUNE_MANY / 4 * 3)
#define PRUNE_STEP 2048 /* so many more before it is asked again: what it keeps is in use */
#define LIST_MANY  (PRUNE_MANY + 2 * PRUNE_STEP)
#define BATCH      512

/* ---- the kernel's interface of 7.45, for headers that are older: Linux' fuse.h ---- */

#define PRUNE_MINOR  45
#define NOTIFY_PRUNE 9

struct prune_notice {
	struct fuse_out_header header;
	uint32_t count;
	uint32_t padding;
	uint64_t spare;
	uint64_t ids[BATCH];
};

/* -EINVAL: it does not know of that. */
static int notify(struct fs *fs, const uint64_t *ids, size_t count)
{
	struct prune_notice notice = {.header.error = NOTIFY_PRUNE, .count = (uint32_t)count};
	size_t len = offsetof(struct prune_notice, ids) + count * sizeof(ids[0]);

	notice.header.len = (uint32_t)len;
	memcpy(notice.ids, ids, count * sizeof(ids[0]));
	return write(fuse_session_fd(fs->session), &notice, len) < 0 ? -errno : 0;
}

/* ---- when ---- */

static void prune_job(void *arg)
{
	struct fs *fs = arg;
	uint64_t ids[BATCH];
	size_t nodes = inode_count(fs->inodes);
	size_t excess = nodes > PRUNE_LEFT ? nodes - PRUNE_LEFT : 0;
	size_t count;
	int r = 0;

	/* those that it gives up are forgotten by and by */
	for (size_t asked = 0; r == 0 && asked < excess; asked += count) {
		count = inode_walk_idle(fs->inodes, ids, BATCH);
		if (count == 0 || atomic_load(&fs->is_ending))
			break;
		r = notify(fs, ids, count);
	}
	if (r == -EINVAL)
		atomic_store(&fs->can_prune, false);
	atomic_store(&fs->prune_above, inode_count(fs->inodes) + PRUNE_STEP);
	atomic_store(&fs->is_pruning, false);
}

void prune_init(struct fs *fs, const struct fuse_conn_info *conn)
{
	atomic_store(&fs->can_prune, conn->proto_major == 7 && conn->proto_minor >= PRUNE_MINOR);
}

void prune_if_many(struct fs *fs)
{
	size_t count = inode_count(fs->inodes);

	if (count <= PRUNE_MANY) {
		atomic_store(&fs->prune_above, PRUNE_MANY);
		return;
	}
	if (count <= atomic_load(&fs->prune_above) || !atomic_load(&fs->can_prune) ||
		atomic_exchange(&fs->is_pruning, true))
		return;
	if (queue_push(fs->notices, prune_job, fs, NULL) < 0)
		atomic_store(&fs->is_pruning, false);
}

bool prune_has_room(struct fs *fs)
{
	return inode_count(fs->inodes) < LIST_MANY;
}
