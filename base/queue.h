/*
 * A pool of threads that run jobs in the order they came.
 *
 * Threads are started on demand, up to a limit, and end when they have been idle for a while.
 * Jobs may block (that is what the pool is for); they must come to an end when whoever owns the
 * queue cancels them.
 */
#ifndef FETCHFS_BASE_QUEUE_H
#define FETCHFS_BASE_QUEUE_H

#include "base/err.h"

#include <stdbool.h>

struct queue;

/* @name (at most 15 characters) is shown by ps -L and debuggers. */
int queue_new(const char *name, unsigned int max_threads, struct queue **ret, struct err *err);

/* Waits until all pushed jobs have run, then for the threads. No push may follow. */
void queue_free(struct queue *queue);

/* Run @job(@arg) on some thread, later. -ENOMEM, or -EAGAIN when no thread at all can be had. */
int queue_push(struct queue *queue, void (*job)(void *arg), void *arg, struct err *err);

/*
 * The same for a job that others, which have all the threads, may be waiting for: it waits for none
 * of them, but gets a thread beyond the limit. -EAGAIN when that cannot be had.
 */
int queue_push_first(struct queue *queue, void (*job)(void *arg), void *arg, struct err *err);

/* Start a thread that does not end when it is idle: from then on queue_give() may be called. */
int queue_keep(struct queue *queue, struct err *err);

/* A job that lies in memory of the caller's until it is run. */
struct queue_job {
	void (*run)(void *arg);
	void *arg;
	struct queue_job *next; /* the queue's, as is the rest */
	bool pushed;
};

/* Run @job, later: it never fails, and takes no longer than a lock. */
void queue_give(struct queue *queue, struct queue_job *job);

#endif
