#include "fs/park.h"

#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <utlist.h>

static void unref(struct park *park)
{
	struct fs *fs = park->fs;

	{
		WITH_LOCK(&fs->mu);
		if (atomic_fetch_sub(&park->refs, 1) != 1)
			return;
		DL_DELETE(fs->parks, park);
	}
	inode_unref(fs->inodes, park->node);
	pthread_mutex_destroy(&park->mu);
	free(park);

	WITH_LOCK(&fs->mu);
	if (--fs->parked == 0)
		pthread_cond_broadcast(&fs->changed);
}

/* ---- the wait is over ---- */

static void resume_job(void *arg)
{
	struct park *park = arg;

	park->resume(park);
}

/* Called by the library under no lock, and asked not to dawdle. */
static void woken(struct fetchfs_wait *wait, const struct err *err)
{
	struct park *park = (struct park *)((char *)wait - offsetof(struct park, wait));

	{
		WITH_LOCK(&park->mu);
		park->waiting = false;
		park->wakes++;
		park->err = *err;
	}
	park_push(park);
}

void park_push(struct park *park)
{
	/* Without a thread to be had it is still better to answer, if late. */
	if (queue_push(park->fs->work, resume_job, park, NULL) < 0)
		park->resume(park);
}

/* ---- interrupts ---- */

static void interrupted_job(void *arg)
{
	struct park *park = arg;
	bool mine = false;

	{
		WITH_LOCK(&park->mu);
		park->interrupted = true;
		if (park->waiting && fetchfs_wait_cancel(&park->wait)) {
			park->waiting = false;
			mine = true;
			err_set(&park->err, ERR_CANCELLED, EINTR, "interrupted");
		}
	}
	if (mine)
		park->resume(park);
	unref(park);
}

static void interrupt(struct park *park)
{
	atomic_fetch_add(&park->refs, 1);
	if (queue_push(park->fs->work, interrupted_job, park, NULL) < 0)
		atomic_fetch_sub(&park->refs, 1); /* the operation's own reference is left */
}

/* libfuse holds the request's lock here: the reply has to come from elsewhere. */
static void interrupted(fuse_req_t req, void *arg)
{
	(void)req;
	interrupt(arg);
}

/* Nobody waits who has ended: a read ahead of his that came to us only after his own close. */
static bool has_ended(pid_t thread)
{
	return thread > 0 && kill(thread, 0) < 0 && errno == ESRCH;
}

void park_interrupt(struct fs *fs, const struct handle *handle, pid_t pid)
{
	struct park *park;
	WITH_LOCK(&fs->mu);

	/* what is on the list has a reference that goes only under this lock */
	DL_FOREACH(fs->parks, park)
	{
		if (park->handle == handle &&
			(park->caller.pid == pid || has_ended(park->caller.pid)))
			interrupt(park);
	}
}

/* ---- the life of a park ---- */

struct park *park_new(
	fuse_req_t req, struct node *node, struct handle *handle, void (*resume)(struct park *park))
{
	struct park *park = calloc(1, sizeof(*park));

	if (!park)
		return NULL;
	park->fs = ops_fs(req);
	park->req = req;
	park->caller = *fuse_req_ctx(req);
	park->node = node;
	park->handle = handle;
	park->resume = resume;
	park->refs = 1;
	pthread_mutex_init(&park->mu, NULL);
	{
		WITH_LOCK(&park->fs->mu);
		DL_APPEND(park->fs->parks, park);
		park->fs->parked++;
	}
	fuse_req_interrupt_func(req, interrupted, park);
	return park;
}

/* A new wait is about to begin, unless the caller was interrupted. Its number, or -EINTR. */
static int begin_wait(struct park *park, enum fetchfs_until until, uint64_t offset, uint64_t length,
	unsigned int *ret_wakes)
{
	WITH_LOCK(&park->mu);
	if (park->interrupted)
		return err_set(&park->err, ERR_CANCELLED, EINTR, "interrupted");
	park->wait = (struct fetchfs_wait){
		.until = until, .offset = offset, .length = length, .wake = woken};
	*ret_wakes = park->wakes;
	return 0;
}

/* The library will call woken(), or has done so already; an interrupt may have come meanwhile. */
static int note_waiting(struct park *park, unsigned int wakes)
{
	WITH_LOCK(&park->mu);
	if (park->wakes != wakes)
		return 0;
	if (park->interrupted && fetchfs_wait_cancel(&park->wait))
		return err_set(&park->err, ERR_CANCELLED, EINTR, "interrupted");
	park->waiting = true;
	return 0;
}

int park_wait(struct park *park, enum fetchfs_until until, uint64_t offset, uint64_t length)
{
	struct err err = ERR_INIT;
	unsigned int wakes = 0;
	int r = begin_wait(park, until, offset, length, &wakes);

	if (r < 0)
		return r;
	/* Once it is waiting it may be woken, carried on and ended at any moment. */
	atomic_fetch_add(&park->refs, 1);
	r = fetchfs_file_wait(park->handle->file, &park->wait, &err);
	if (r < 0)
		park->err = err;
	else if (r == 0)
		r = note_waiting(park, wakes);
	unref(park);
	return r;
}

fuse_req_t park_end(struct park *park)
{
	/* Comes back when a running interrupt callback has. */
	fuse_req_interrupt_func(park->req, NULL, NULL);
	return park->req;
}

void park_free(struct park *park)
{
	if (park)
		unref(park);
}
