#include "fs/ask.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Questions with a limit. All limits are the same, so that the list is in their order. */
struct deadlines {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	pthread_t thread;
	/* guarded by mu */
	struct ask *first;
	struct ask **last;
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

static void unref(struct ask *ask)
{
	if (atomic_fetch_sub(&ask->refs, 1) == 1)
		ask_free(ask);
}

/* Whether the request is still there to be answered; if so, by whoever asks, now. */
static bool claim(struct ask *ask)
{
	if (atomic_exchange(&ask->answered, true))
		return false;
	/* Comes back when a running interrupt callback has. */
	fuse_req_interrupt_func(ask->req, NULL, NULL);
	return true;
}

static void give_up(struct ask *ask, int code, const char *text)
{
	struct err err = ERR_INIT;

	if (!claim(ask))
		return;
	err_set(&err, ERR_CANCELLED, code, "%s", text);
	ask->answer(ask, NULL, &err);
}

/* ---- the origin's answer ---- */

static void run(void *arg)
{
	struct ask *ask = arg;
	struct fetchfs_request request = {
		.uri = ask->wanted.uri,
		.uid = ask->uid,
		.through_mount = true,
		.digest = ask->wanted.digest[0] ? ask->wanted.digest : NULL,
	};
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct err err = ERR_INIT;

	/* Nobody waits any more, and others are in the queue. */
	if (!atomic_load(&ask->answered)) {
		int r = fetchfs_stat(ask->fs->fetchfs, &request, &info, &err);

		if (r == 0)
			err = ERR_INIT; /* of what was tried on the way */
		if (claim(ask))
			ask->answer(ask, r < 0 ? NULL : &info, &err);
	}
	unref(ask);
}

/* ---- the interrupt ---- */

static void interrupted_job(void *arg)
{
	struct ask *ask = arg;

	give_up(ask, EINTR, "interrupted");
	unref(ask);
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

/* The next question whose time has come, or NULL at the end. */
static struct ask *next_expired(struct deadlines *deadlines)
{
	WITH_LOCK(&deadlines->mu);
	for (;;) {
		struct ask *ask = deadlines->first;
		struct timespec until;

		if (!ask && deadlines->ending)
			return NULL;
		if (!ask) {
			pthread_cond_wait(&deadlines->changed, &deadlines->mu);
			continue;
		}
		if (!deadlines->ending && !atomic_load(&ask->answered) &&
			clock_monotonic_ms() < ask->deadline) {
			until = timespec_of(ask->deadline);
			pthread_cond_timedwait(&deadlines->changed, &deadlines->mu, &until);
			continue;
		}
		deadlines->first = ask->next;
		if (!deadlines->first)
			deadlines->last = &deadlines->first;
		return ask;
	}
}

static void *keep_limits(void *arg)
{
	struct deadlines *deadlines = arg;
	struct ask *ask;

	while ((ask = next_expired(deadlines))) {
		give_up(ask, EAGAIN, "no answer yet");
		unref(ask);
	}
	return NULL;
}

static void add_deadline(struct deadlines *deadlines, struct ask *ask)
{
	WITH_LOCK(&deadlines->mu);
	atomic_fetch_add(&ask->refs, 1);
	ask->deadline = clock_monotonic_ms() + ask->limit_ms;
	*deadlines->last = ask;
	deadlines->last = &ask->next;
	pthread_cond_signal(&deadlines->changed);
}

int ask_deadlines_new(struct deadlines **ret, struct err *err)
{
	struct deadlines *deadlines = calloc(1, sizeof(*deadlines));
	pthread_condattr_t attr;
	int r;

	if (!deadlines)
		return err_oom(err);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&deadlines->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&deadlines->mu, NULL);
	deadlines->last = &deadlines->first;

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

void ask_send(struct ask *ask)
{
	struct err err = ERR_INIT;

	/* This function's own reference keeps the question alive until its end. */
	atomic_fetch_add(&ask->refs, 1);
	fuse_req_interrupt_func(ask->req, interrupted, ask);
	if (ask->limit_ms)
		add_deadline(ask->fs->deadlines, ask);
	if (queue_push(ask->fs->asks, run, ask, &err) < 0) {
		if (claim(ask))
			ask->answer(ask, NULL, &err);
		unref(ask);
	}
	unref(ask);
}
