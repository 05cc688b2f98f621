/*
 * One artifact on its way, of many that a single thread looks after: it starts a job, and later
 * takes it from the crew's list of finished ones. The crew's descriptor becomes readable when
 * there are any.
 */
#ifndef FETCHFS_CLI_FETCH_JOB_H
#define FETCHFS_CLI_FETCH_JOB_H

#include "base/queue.h"
#include "fetch/fetchfs.h"

#include <pthread.h>
#include <stdatomic.h>

struct crew {
	struct fetchfs *fetchfs; /* NULL: by way of the mount */
	const char *mount;
	struct queue *queue; /* of the mount's readers */
	int event;           /* eventfd: something is finished */
	pthread_mutex_t mu;
	struct fetch_job *finished; /* guarded by mu */
};

struct fetch_job {
	struct crew *crew;
	char *uri;
	char *shown;
	bool cached; /* was here already */
	enum fetchfs_state state;
	atomic_llong size;  /* bytes, -1: unknown */
	atomic_llong bytes; /* that are here */
	char sha256[FETCHFS_SHA256_SIZE];
	struct err err;
	struct fetchfs_file *file;
	struct fetchfs_wait wait;
	struct fetch_job *next;  /* among the finished ones: guarded by crew->mu */
	struct fetch_job *newer; /* among those under way, whoever started it knows */
	struct fetch_job *older;
};

/* @fetchfs, or @mount with at most @readers at a time. Both outlive the crew. */
int crew_init(struct crew *ret, struct fetchfs *fetchfs, const char *mount, unsigned int readers,
	struct err *err);

/* Waits for the readers; the caller has closed what is behind @fetchfs before. */
void crew_release(struct crew *crew);

/* A finished job, or NULL. */
struct fetch_job *crew_reap(struct crew *crew);

/* Start one; it always comes back by crew_reap(), also when it fails. NULL: out of memory. */
struct fetch_job *fetch_job_start(
	struct crew *crew, const char *uri, const struct fetchfs_request *request);

/* Bring size and bytes up to date. */
void fetch_job_look(struct fetch_job *job);

void fetch_job_free(struct fetch_job *job);

#endif
