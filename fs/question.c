#include "fs/question.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fs/question_private.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

void question_unref(struct question *question)
{
	struct fs *fs = question->fs;

	if (atomic_fetch_sub(&question->refs, 1) != 1)
		return;
	/* who fetches it goes on for others only */
	fetchfs_file_abandon(question->file);
	names_wanted_release(&question->wanted);
	free(question->id);
	free(question);

	WITH_LOCK(&fs->mu);
	if (--fs->asking == 0)
		pthread_cond_broadcast(&fs->changed);
}

/* Under fs->mu. */
static struct question *question_new(const struct ask *ask, char *id)
{
	struct question *question = calloc(1, sizeof(*question));
	char *uri = str_copy(ask->wanted.uri);

	if (!question || !uri) {
		free(question);
		free(uri);
		free(id);
		return NULL;
	}
	*question = (struct question){
		.fs = ask->fs, .id = id, .wanted = ask->wanted, .kind = ask->kind, .uid = ask->uid};
	question->wanted.uri = uri;
	question->refs = 1;
	question->fs->asking++;
	return question;
}

void question_close(struct question *question)
{
	if (!question->closed)
		HASH_DEL(question->fs->questions, question);
	question->closed = true;
}

static struct ask *take_asks(struct question *question)
{
	WITH_LOCK(&question->fs->mu);

	question_close(question);
	for (struct ask *ask = question->asks; ask; ask = ask->also)
		ask->question = NULL;
	return question->asks;
}

void question_finish(
	struct question *question, const struct fetchfs_info *info, const struct err *err)
{
	struct ask *next;

	for (struct ask *ask = take_asks(question); ask; ask = next) {
		next = ask->also;
		if (ask_claim(ask))
			ask->answer(ask, info, err);
		ask_unref(ask);
	}
	question_unref(question);
}

bool question_is_waited_for(struct question *question, int64_t late_ms)
{
	WITH_LOCK(&question->fs->mu);

	if (question->waiters > 0 || clock_monotonic_ms() < question->left_ms + late_ms)
		return true;
	question_close(question);
	return false;
}

static bool is_wanted(void *arg)
{
	return question_is_waited_for(arg, QUESTION_LATE_MS);
}

struct fetchfs_request question_request(struct question *question)
{
	return (struct fetchfs_request){
		.uri = question->wanted.uri,
		.uid = question->uid,
		.through_mount = true,
		.digest = question->wanted.digest[0] ? question->wanted.digest : NULL,
		.is_wanted = is_wanted,
		.wanted_arg = question,
	};
}

/* *ret: the question that @ask waits for now. *ret_is_new: it is to be sent. */
static int join(struct ask *ask, struct question **ret, bool *ret_is_new, struct err *err)
{
	CLEANUP(str_freep)
	char *id = str_printf("%u %u %s %s", ask->uid, (unsigned int)ask->kind, ask->wanted.digest,
		ask->wanted.uri);
	struct question *question = NULL;
	struct fs *fs = ask->fs;

	if (!id)
		return err_oom(err);
	WITH_LOCK(&fs->mu);
	HASH_FIND_STR(fs->questions, id, question);
	*ret_is_new = !question;
	if (!question) {
		question = question_new(ask, str_steal(&id));
		if (!question)
			return err_oom(err);
		HASH_ADD_KEYPTR(hh, fs->questions, question->id, strlen(question->id), question);
	}
	atomic_fetch_add(&ask->refs, 1);
	ask->also = question->asks;
	question->asks = ask;
	/* who has been answered already has left, or will find that there is nothing to leave */
	if (!atomic_load(&ask->answered)) {
		ask->question = question;
		question->waiters++;
	}
	*ret = question;
	return 0;
}

int question_join(struct ask *ask, struct err *err)
{
	struct question *question;
	struct fs *fs = ask->fs;
	bool is_new;
	int r = join(ask, &question, &is_new, err);

	if (r < 0 || !is_new)
		return r;
	if (question->kind != ASK_TREE)
		question_send(question);
	else if (queue_push(fs->work, question_fetch, question, err) < 0)
		question_finish(question, NULL, err);
	return 0;
}

void question_leave(struct ask *ask)
{
	struct fs *fs = ask->fs;
	struct question *question;
	bool ended = false;

	{
		WITH_LOCK(&fs->mu);
		question = ask->question;
		ask->question = NULL;
		if (question && --question->waiters == 0) {
			question->left_ms = clock_monotonic_ms();
			ended = question_end_wait(question);
		}
	}
	/* who calls keeps the time for others */
	if (ended && queue_push(fs->work, question_give_up, question, NULL) < 0)
		question_give_up(question);
}
