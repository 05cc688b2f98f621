/*
 * What many downloads have in common, so that one thread can look after all of them: it starts jobs
 * (fetch_job.h), waits until the crew's descriptor is readable, and takes the finished ones.
 */
#ifndef FETCHFS_CLI_CREW_H
#define FETCHFS_CLI_CREW_H

#include "base/err.h"
#include "base/queue.h"
#include "fetch/fetchfs.h"

#include <pthread.h>
#include <stdbool.h>

struct fetch_job;

struct crew {
	struct fetchfs *fetchfs; /* NULL: by way of the mount */
	const char *mount;
	bool curious;                          /* jobs find out whether they were cached */
	bool pins;                             /* what is here is pinned; not by way of a mount */
	const struct fetchfs_digests *digests; /* what the bytes must hash to, or NULL */
	struct queue *queue;                   /* of the mount's readers */
	int event;                             /* eventfd: something is finished */
	pthread_mutex_t mu;
	struct fetch_job *finished; /* guarded by mu */
};

/* By @fetchfs, or by way of @mount with at most @readers at a time. Both outlive the crew. */
int crew_init(struct crew *ret, struct fetchfs *fetchfs, const char *mount, unsigned int readers,
	struct err *err);

/* Waits for the readers; the caller has closed what is behind @fetchfs before. */
void crew_release(struct crew *crew);

/* A finished job, or NULL. */
struct fetch_job *crew_reap(struct crew *crew);

/* @job is finished. From any thread. */
void crew_hand_in(struct crew *crew, struct fetch_job *job);

#endif
