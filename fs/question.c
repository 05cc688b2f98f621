#include "fs/question.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/uri.h"
#include "fs/unpacked.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define THREADS_MIN 4
#define HOST_FEW    4

/* What goes to the origin, for all who ask it until the answer comes. */
struct question {
	struct fs *fs;
	char *id;
	struct wanted wanted;
	enum ask_kind kind;
	uid_t uid;
	atomic_uint refs;
	/* ASK_TREE: the archive, the wait for it, and how that ended */
	struct fetchfs_file *file;
	struct fetchfs_wait wait;
	struct err err;
	/* guarded by fs->mu */
	struct ask *asks;      /* a reference each */
	unsigned int waiters;  /* of them wait still */
	int64_t left_ms;       /* when the last of these went, on the monotonic clock */
	bool closed;           /* it is in the table no more, so that nobody joins */
	bool waiting;          /* for the archive: the wait can be cancelled … */
	bool woken;            /* … no more */
	struct question *prev; /* in the line of its host */
	struct question *next;
	UT_hash_handle hh;
};

/* One that is being asked. Guarded by fs->mu. */
struct asked_host {
	struct fs *fs;
	char *name;
	struct question *line; /* whose turn it is not yet */
	unsigned int threads;  /* that ask it, or soon will */
	UT_hash_handle hh;
};

/* ---- the life of a question ---- */

static void unref(struct question *question)
{
	struct fs *fs = question->fs;

	if (atomic_fetch_sub(&question->refs, 1) != 1)
		return;
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

/* Nobody joins any more: who asks now asks anew. Under fs->mu. */
static void close_question(struct question *question)
{
	if (!question->closed)
		HASH_DEL(question->fs->questions, question);
	question->closed = true;
}

static struct ask *take_asks(struct question *question)
{
	WITH_LOCK(&question->fs->mu);

	close_question(question);
	for (struct ask *ask = question->asks; ask; ask = ask->also)
		ask->question = NULL;
	return question->asks;
}

/* Answer all who wait; @info: NULL for an error. The question is consumed. */
static void finish(
	struct question *question, const struct fetchfs_info *info, const struct err *err)
{
	struct ask *next;

	for (struct ask *ask = take_asks(question); ask; ask = next) {
		next = ask->also;
		if (ask_claim(ask))
			ask->answer(ask, info, err);
		ask_unref(ask);
	}
	unref(question);
}

/* Whether anybody waits for it, or did within the last @late_ms; if not, nobody will. */
static bool is_waited_for(struct question *question, int64_t late_ms)
{
	WITH_LOCK(&question->fs->mu);

	if (question->waiters > 0 || clock_monotonic_ms() < question->left_ms + late_ms)
		return true;
	close_question(question);
	return false;
}

/* ---- asking, in the line of the host ---- */

static bool is_wanted(void *arg)
{
	return is_waited_for(arg, QUESTION_LATE_MS);
}

static struct fetchfs_request request_of(struct question *question)
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

static void put(struct question *question)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_request request = request_of(question);
	struct fetchfs *fetchfs = question->fs->fetchfs;
	struct err err = ERR_INIT;
	int r = -ECANCELED;

	/* else its turn came too late */
	if (is_waited_for(question, 0))
		r = question->kind == ASK_LISTING ? fetchfs_folder_ask(fetchfs, &request, &err)
						  : fetchfs_stat(fetchfs, &request, &info, &err);
	if (r == 0)
		err = ERR_INIT; /* of what was tried on the way */
	finish(question, r < 0 ? NULL : &info, &err);
}

unsigned int question_threads(const struct fetchfs *fetchfs)
{
	unsigned int half = fetchfs_connections(fetchfs) / 2;

	return half > THREADS_MIN ? half : THREADS_MIN;
}

/* Half of all, a few when the others have a quarter, one when they have three. Under fs->mu. */
static bool may_have(const struct asked_host *host, unsigned int threads)
{
	unsigned int all = question_threads(host->fs->fetchfs);
	unsigned int others = host->fs->ask_threads - host->threads;

	if (others < all / 4)
		return threads <= all / 2;
	return threads <= (others < all / 4 * 3 ? HOST_FEW : 1);
}

/* One thread more for who has a line. Under fs->mu. */
static bool take_thread(struct asked_host *host)
{
	if (!host->line || !may_have(host, host->threads + 1))
		return false;
	host->threads++;
	host->fs->ask_threads++;
	return true;
}

/* The thread goes. Under fs->mu. */
static void give_thread_back(struct asked_host *host)
{
	struct fs *fs = host->fs;

	fs->ask_threads--;
	if (--host->threads > 0)
		return;
	HASH_DEL(fs->hosts, host);
	free(host->name);
	free(host);
}

/*
 * Whose turn it is; NULL: nobody's, or not on this thread, which is the host's no more.
 * *ret_another: the host has got another thread, too, since others have left some.
 */
static struct question *next_of(struct asked_host *host, bool *ret_another)
{
	struct fs *fs = host->fs;
	struct question *question;
	WITH_LOCK(&fs->mu);

	*ret_another = false;
	question = host->line;
	if (question && may_have(host, host->threads)) {
		DL_DELETE(host->line, question);
		*ret_another = take_thread(host);
		return question;
	}
	fs->ask_threads--;
	if (--host->threads == 0) {
		HASH_DEL(fs->hosts, host);
		free(host->name);
		free(host);
	}
	return NULL;
}

static void ask_host(void *arg)
{
	struct asked_host *host = arg;
	struct question *question;
	bool another;

	while ((question = next_of(host, &another))) {
		if (another && queue_push(host->fs->asks, ask_host, host, NULL) < 0) {
			WITH_LOCK(&host->fs->mu);
			give_thread_back(host); /* this one stays */
		}
		put(question);
	}
}

static char *host_name(const char *text)
{
	CLEANUP(uri_release) struct uri uri = {0};

	if (uri_parse(text, &uri, NULL) < 0)
		return str_copy(""); /* who is asked will say so */
	return str_printf("%s://%s:%s", uri.scheme, uri.host, uri.port ? uri.port : "");
}

/* The host called @name, which is consumed. NULL: out of memory. Under fs->mu. */
static struct asked_host *host_of(struct fs *fs, char *name)
{
	struct asked_host *host = NULL;

	if (name)
		HASH_FIND_STR(fs->hosts, name, host);
	if (name && !host)
		host = calloc(1, sizeof(*host));
	if (!host || host->name) {
		free(name);
		return host;
	}
	host->fs = fs;
	host->name = name;
	HASH_ADD_KEYPTR(hh, fs->hosts, host->name, strlen(host->name), host);
	return host;
}

static void send(struct question *question)
{
	struct fs *fs = question->fs;
	char *name = host_name(question->wanted.uri);
	struct asked_host *host;
	struct err err = ERR_INIT;
	bool needs_thread = false;

	{
		WITH_LOCK(&fs->mu);
		host = host_of(fs, name);
		if (host) {
			DL_APPEND(host->line, question);
			needs_thread = take_thread(host);
		}
	}
	if (!host) {
		err_oom(&err);
		finish(question, NULL, &err);
	} else if (needs_thread && queue_push(fs->asks, ask_host, host, &err) < 0) {
		while ((question = next_of(host, &needs_thread)))
			finish(question, NULL, &err);
	}
}

/* ---- an archive: fetched without a thread, unpacked on one ---- */

static void unpack(void *arg)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct question *question = arg;
	struct fetchfs_tree *tree = NULL;
	int r = -question->err.code;

	if (r == 0 && !is_waited_for(question, 0))
		r = -ECANCELED;
	if (r == 0)
		r = unpacked_unpack(question->file, &info, &tree, &question->err);
	if (r == 0)
		question->err = ERR_INIT;
	if (r < 0)
		fetchfs_file_abandon(question->file);
	else
		fetchfs_file_free(question->file);
	finish(question, r < 0 ? NULL : &info, &question->err);
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

/* End the wait if nobody waits with it. Under fs->mu: so the file is still there. */
static bool end_wait(struct question *question)
{
	if (!question->waiting || question->waiters > 0 || !fetchfs_wait_cancel(&question->wait))
		return false;
	question->waiting = false;
	close_question(question);
	return true;
}

static void give_up(void *arg)
{
	struct question *question = arg;
	struct err err = ERR_INIT;

	fetchfs_file_abandon(question->file);
	err_set(&err, ERR_CANCELLED, ECANCELED, "nobody waits for it any more");
	finish(question, NULL, &err);
}

/* It may be woken, unpacked and finished at any moment; and all may have gone before it waited. */
static bool note_waiting(struct question *question)
{
	WITH_LOCK(&question->fs->mu);

	question->waiting = !question->woken;
	return end_wait(question);
}

static void fetch(void *arg)
{
	struct question *question = arg;
	struct fetchfs_request request = request_of(question);
	struct err err = ERR_INIT;
	int r = unpacked_fetch(question->fs, &request, &question->file, &err);

	if (r < 0) {
		finish(question, NULL, &err);
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
		give_up(question);
	}
	unref(question);
}

/* ---- who waits ---- */

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
		send(question);
	else if (queue_push(fs->work, fetch, question, err) < 0)
		finish(question, NULL, err);
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
			ended = end_wait(question);
		}
	}
	/* who calls keeps the time for others */
	if (ended && queue_push(fs->work, give_up, question, NULL) < 0)
		give_up(question);
}
