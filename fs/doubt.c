#include "fs/doubt.h"

#include "base/str.h"
#include "fs/inode_private.h"

#include <stdlib.h>

#define FILE_SECONDS 10 /* that an answer holds without the index */

/* What is known of a folder that was in doubt at least once; guarded by the table's mutex. */
struct doubts {
	enum doubt now;
	bool committed;
	int64_t absent_until;
	int64_t file_until; /* what is in … */
	struct facts file;
};

int doubt_looked_up(struct inodes *inodes, struct node *node, pid_t thread, enum doubt doubt,
	int64_t until, struct err *err)
{
	WITH_LOCK(&inodes->mu);
	struct doubts *doubts = node->doubts;

	if (!doubts && doubt == DOUBT_NONE)
		return 0; /* most never are */
	if (!doubts) {
		doubts = node->doubts = calloc(1, sizeof(*doubts));
		if (!doubts)
			return err_oom(err);
	}
	doubts->now = doubt;
	doubts->absent_until = until;
	doubts->file_until = 0;
	inode_stale_drop(node, thread);
	return 0;
}

/* 0 is all that is known of threads of other PID namespaces: they cannot be told apart. */
static bool was_told(const struct node *node, pid_t thread)
{
	return thread != 0 && inode_stale_has(node, thread);
}

enum doubt doubt_of(struct inodes *inodes, struct node *node, pid_t thread, int64_t now)
{
	WITH_LOCK(&inodes->mu);
	const struct doubts *doubts = node->doubts;

	if (!doubts || doubts->committed || was_told(node, thread))
		return DOUBT_NONE;
	if (doubts->now == DOUBT_ABSENT && now >= doubts->absent_until)
		return DOUBT_OPEN;
	return doubts->now;
}

void doubt_commit(struct inodes *inodes, struct node *node)
{
	WITH_LOCK(&inodes->mu);

	if (node->doubts)
		node->doubts->committed = true;
}

void doubt_settle_folder(struct inodes *inodes, struct node *node)
{
	WITH_LOCK(&inodes->mu);

	if (node->doubts)
		node->doubts->now = DOUBT_NONE;
}

bool doubt_settle_file(struct inodes *inodes, struct node *node, pid_t thread,
	const struct facts *facts, int64_t now)
{
	WITH_LOCK(&inodes->mu);
	struct doubts *doubts = node->doubts;

	if (!doubts || doubts->committed || was_told(node, thread))
		return false;
	doubts->file = *facts;
	doubts->file_until = now + FILE_SECONDS;
	inode_stale_add(node, thread);
	return true;
}

bool doubt_recall_file(struct inodes *inodes, const char *path, int64_t now, struct facts *ret)
{
	CLEANUP(str_freep) char *identity = inode_identity_of_path(path);
	const struct node *node;

	if (!identity)
		return false;
	WITH_LOCK(&inodes->mu);
	node = *inode_identity_slot(inodes, identity);
	if (!node || !node->doubts || now >= node->doubts->file_until)
		return false;
	*ret = node->doubts->file;
	return true;
}
