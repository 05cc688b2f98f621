/* A question about what is in an archive: that is fetched without a thread, and unpacked on one. */
#include "base/cleanup.h"
#include "fs/question.h"
#include "fs/question_private.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <stddef.h>

static void unpack(void *arg)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct question *question = arg;
	struct fetchfs_tree *tree = NULL;
	int r = -question->err.code;

	if (r == 0 && !question_is_waited_for(question, 0))
		r = -ECANCELED;
	if (r == 0)
		r = unpacked_unpack(question->file, &info, &tree, &question->err);
	if (r == 0)
		question->err = ERR_INIT;
	question_finish(question, r < 0 ? NULL : &info, &question->err);
	fetchfs_tree_free(tree);
}

/* The archive is here; or it will not be, which is told without waiting for those who unpack. */
static void push_unpack(struct question *question)
{
	struct fs *fs = question->fs;

	if (queue_push(question->err.code ? fs->work : fs->unpacks, unpack, question, NULL) < 0)
		unpack(question); /* late is better than never */
}

static void arrived(struct fetchfs_wait *wait, const struct err *err)
{
	struct question *question =
		(struct question *)((char *)wait - offsetof(struct question, wait));

	{
		WITH_LOCK(&question->fs->mu);
		question->waiting = false;
		question->woken = true;
		question->err = *err;
	}
	push_unpack(question);
}

bool question_end_wait(struct question *question)
{
	if (!question->waiting || question->waiters > 0)
		return false;
	question->waiting = false;
	question_close(question);
	atomic_fetch_add(&question->refs, 1);
	return true;
}

void question_give_up(void *arg)
{
	struct question *question = arg;
	struct err err = ERR_INIT;

	/* else it has just come, and who is to unpack it finds that nobody waits for it */
	if (fetchfs_wait_cancel(&question->wait)) {
		err_set(&err, ERR_CANCELLED, ECANCELED, "nobody waits for it any more");
		question_finish(question, NULL, &err);
	}
	question_unref(question);
}

/* It may be woken, unpacked and finished at any moment; and all may have gone before it waited. */
static bool note_waiting(struct question *question)
{
	WITH_LOCK(&question->fs->mu);

	question->waiting = !question->woken;
	return question_end_wait(question);
}

void question_fetch(void *arg)
{
	struct question *question = arg;
	struct fetchfs_request request = question_request(question);
	struct err err = ERR_INIT;
	int r = unpacked_fetch(question->fs, &request, &question->file, &err);

	if (r < 0) {
		question_finish(question, NULL, &err);
		return;
	}
	question->wait = (struct fetchfs_wait){.until = FETCHFS_UNTIL_COMPLETE, .wake = arrived};
	atomic_fetch_add(&question->refs, 1);
	r = fetchfs_file_wait(question->file, &question->wait, &err);
	if (r != 0) {
		if (r < 0)
			question->err = err;
		push_unpack(question);
	} else if (note_waiting(question)) {
		question_give_up(question);
	}
	question_unref(question);
}
