#include "fs/ask.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/question.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

#define LINES 4 /* different limits that there may be */

/* Unanswered questions of one limit, in the order in which they were asked, and so of their ends.
 */
struct line {
	int limit_ms; /* 0: of none yet */
	struct ask *first;
};

struct deadlines {
	pthread_mutex_t mu;
	pthread_cond_t changed; /* there is another first one, or it is over */
	pthread_t thread;
	/* guarded by mu */
	struct line lines[LINES];
	bool ending;
};

struct ask *ask_new(fuse_req_t req)
{
	struct ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return NULL;
	ask->fs = ops_fs(req);
	ask->req = req;
	ask->uid = fuse_req_ctx(req)->uid;
	ask->refs = 1;
	return ask;
}

void ask_free(struct ask *ask)
{
	if (!ask)
		return;
	inode_unref(ask->fs->inodes, ask->node);
	names_wanted_release(&ask->wanted);
	free(ask->path);
	free(ask->name);
	free(ask);
}

void ask_unref(struct ask *ask)
{
	if (atomic_fetch_sub(&ask->refs, 1) == 1)
		ask_free(ask);
}

/* Its limit counts no more. The caller has a reference. */
static void leave_line(struct ask *ask)
{
	struct deadlines *deadlines = ask->fs->deadlines;
	bool was_there;

	{
		WITH_LOCK(&deadlines->mu);

		was_there = ask->line;
		if (was_there)
			DL_DELETE(ask->line->first, ask);
		ask->line = NULL;
	}
	if (was_there)
		ask_unref(ask);
}

bool ask_claim(struct ask *ask)
{
	if (atomic_exchange(&ask->answered, true))
		return false;
	/* Comes back when a running interrupt callback has. */
	fuse_req_interrupt_func(ask->req, NULL, NULL);
	leave_line(ask);
	return true;
}

static void give_up(struct ask *ask, int code, const char *text)
{
	struct err err = ERR_INIT;

	if (!ask_claim(ask))
		return;
	err_set(&err, ERR_CANCELLED, code, "%s", text);
	question_leave(ask);
	ask->answer(ask, NULL, &err);
}

/* ---- the interrupt ---- */

static void interrupted_job(void *arg)
{
	struct ask *ask = arg;

	give_up(ask, EINTR, "interrupted");
	ask_unref(ask);
}

/* libfuse holds the request's lock here: the reply has to come from elsewhere. */
static void interrupted(fuse_req_t req, void *arg)
{
	struct ask *ask = arg;

	(void)req;
	atomic_fetch_add(&ask->refs, 1);
	if (queue_push(ask->fs->work, interrupted_job, ask, NULL) < 0)
		atomic_fetch_sub(&ask->refs, 1); /* the question's own reference is left */
}

/* ---- the limit ---- */

static struct timespec timespec_of(int64_t ms)
{
	return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* The first of all questions; NULL: there is none. Under mu. */
static struct ask *first_of_all(const struct deadlines *deadlines)
{
	struct ask *first = NULL;

	for (size_t i = 0; i < LINES; i++) {
		struct ask *ask = deadlines->lines[i].first;

		if (ask && (!first || ask->deadline < first->deadline))
			first = ask;
	}
	return first;
}

/* The next question whose time has come, or NULL at the end. */
static struct ask *next_expired(struct deadlines *deadlines)
{
	WITH_LOCK(&deadlines->mu);
	for (;;) {
		struct ask *ask = first_of_all(deadlines);
		struct timespec until;

		if (!ask && deadlines->ending)
			return NULL;
		if (!ask) {
			pthread_cond_wait(&deadlines->changed, &deadlines->mu);
			continue;
		}
		if (!deadlines->ending && clock_monotonic_ms() < ask->deadline) {
			until = timespec_of(ask->deadline);
			pthread_cond_clockwait(
				&deadlines->changed, &deadlines->mu, CLOCK_MONOTONIC, &until);
			continue;
		}
		DL_DELETE(ask->line->first, ask);
		ask->line = NULL;
		return ask;
	}
}

static void *keep_limits(void *arg)
{
	struct deadlines *deadlines = arg;
	struct ask *ask;

	while ((ask = next_expired(deadlines))) {
		give_up(ask, ask->late, "no answer yet");
		ask_unref(ask);
	}
	return NULL;
}

/* The line for @limit_ms. Under mu. */
static struct line *line_of(struct deadlines *deadlines, int limit_ms)
{
	struct line *line = deadlines->lines;

	while (line->limit_ms && line->limit_ms != limit_ms)
		line++;
	assert(line < deadlines->lines + LINES);
	line->limit_ms = limit_ms;
	return line;
}

static void add_deadline(struct deadlines *deadlines, struct ask *ask)
{
	WITH_LOCK(&deadlines->mu);
	struct line *line = line_of(deadlines, ask->limit_ms);

	atomic_fetch_add(&ask->refs, 1);
	ask->deadline = clock_monotonic_ms() + ask->limit_ms;
	ask->line = line;
	if (!line->first)
		pthread_cond_signal(&deadlines->changed);
	DL_APPEND(line->first, ask);
}

int ask_deadlines_new(struct deadlines **ret, struct err *err)
{
	struct deadlines *deadlines = calloc(1, sizeof(*deadlines));
	int r;

	if (!deadlines)
		return err_oom(err);
	pthread_cond_init(&deadlines->changed, NULL);
	pthread_mutex_init(&deadlines->mu, NULL);

	r = pthread_create(&deadlines->thread, NULL, keep_limits, deadlines);
	if (r) {
		pthread_cond_destroy(&deadlines->changed);
		pthread_mutex_destroy(&deadlines->mu);
		free(deadlines);
		return err_set(err, ERR_SYSTEM, r, "start a thread: %m");
	}
	*ret = deadlines;
	return 0;
}

void ask_deadlines_free(struct deadlines *deadlines)
{
	if (!deadlines)
		return;
	{
		WITH_LOCK(&deadlines->mu);
		deadlines->ending = true;
		pthread_cond_signal(&deadlines->changed);
	}
	pthread_join(deadlines->thread, NULL);
	pthread_cond_destroy(&deadlines->changed);
	pthread_mutex_destroy(&deadlines->mu);
	free(deadlines);
}

/* ---- sending ---- */

void ask_watch(struct ask *ask)
{
	fuse_req_interrupt_func(ask->req, interrupted, ask);
	if (ask->limit_ms)
		add_deadline(ask->fs->deadlines, ask);
}

void ask_send(struct ask *ask)
{
	struct err err = ERR_INIT;

	/* the caller's reference keeps it alive until the end of this function */
	ask_watch(ask);
	if (question_join(ask, &err) < 0 && ask_claim(ask))
		ask->answer(ask, NULL, &err);
	ask_unref(ask);
}
