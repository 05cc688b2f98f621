/* The publisher of a group: one thread, which records and names what comes meanwhile. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "cache/group_private.h"
#include "cache/room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Publications in one transaction. */
#define BATCH 128

/*
 * A transaction waits for others as long as they keep coming, up to so many or so long: rows that
 * go to the log together share its pages, of which each costs as much as several rows.
 */
#define GATHER_QUIET_US 1000
#define GATHER_LOOKS    16 /* of so long */
#define GATHER_MIN      4  /* with fewer on their way nobody is kept waiting */

struct batch {
	size_t count;
	struct group_job *jobs[BATCH];
	uint64_t taken; /* by all of them */
	uint64_t left;  /* of the reservation, afterwards */
};

/* Give the file of @job its name. */
static int place(const struct store *store, struct group_job *job)
{
	int objects = store->dir->objects_fd;
	char path[STORE_PATH_SIZE];
	char proc[32];
	int r;

	if (job->fd < 0)
		return 0;
	store_path(&job->entry->digest, job->entry->executable, path);
	if (fault_hit("store.link"))
		return err_set(&job->err, ERR_SYSTEM, errno, "publish %s: %m", path);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", job->fd);
	for (int tries = 0; tries < 2; tries++) {
		r = linkat(job->fd, "", objects, path, AT_EMPTY_PATH) < 0 ? -errno : 0;
		/* older kernels ask for a capability, and call it this */
		if (r == -ENOENT)
			r = linkat(AT_FDCWD, proc, objects, path, AT_SYMLINK_FOLLOW) < 0 ? -errno
											 : 0;
		if (r != -ENOENT)
			break;
		r = store_make_folder(store, path, &job->err);
		if (r < 0)
			return r;
	}
	job->lost = r == -EEXIST;
	if (r == 0 || r == -EEXIST)
		return 0;
	err_set(&job->err, ERR_SYSTEM, -r, "publish %s: %m", path);
	return room_blame(store, &job->err);
}

/*
 * Under the digests' lock, shared, from before the rows until after the names: an evictor that
 * found a row without a file in between would drop the row, and leave the file without one.
 */
static int commit(const struct group *group, const struct batch *batch, struct err *err)
{
	const struct store *store = group->store;
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct catalog_item items[BATCH];
	int r = cachedir_lock_digests(store->dir, &lock);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the objects: %m");
	for (size_t i = 0; i < batch->count; i++)
		items[i] = (struct catalog_item){batch->jobs[i]->entry, batch->jobs[i]->row};
	r = catalog_publish_all(store->catalog, items, batch->count, group->name, batch->left, err);
	for (size_t i = 0; r == 0 && i < batch->count; i++)
		batch->jobs[i]->result = place(store, batch->jobs[i]);
	return r;
}

static void take_jobs(struct group *group, struct batch *batch)
{
	while (group->jobs && batch->count < BATCH) {
		struct group_job *job = group->jobs;

		group->jobs = job->next;
		batch->jobs[batch->count++] = job;
		batch->taken += job->taken;
		group->waiting--;
	}
	if (!group->jobs)
		group->end = &group->jobs;
}

/* Half of what is on its way: the other half keeps the network at work meanwhile. Caller holds mu.
 */
static unsigned int gather_limit(const struct group *group)
{
	unsigned int half = group->expected / 2;

	if (group->expected < GATHER_MIN)
		return 0;
	return half < BATCH ? half : BATCH;
}

/* Caller holds mu. Whether enough have come by the end of a while. */
static bool look_again(struct group *group)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GATHER_QUIET_US * 1000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (group->waiting < gather_limit(group)) {
		if (pthread_cond_clockwait(&group->work, &group->mu, CLOCK_MONOTONIC, &until) ==
			ETIMEDOUT)
			break;
	}
	return group->waiting >= gather_limit(group);
}

static void gather(struct group *group)
{
	unsigned int before = 0;

	for (unsigned int i = 0; i < GATHER_LOOKS && group->waiting > before; i++) {
		before = group->waiting;
		if (group->waiting >= gather_limit(group) || look_again(group))
			break;
	}
}

/* There are jobs. Caller holds mu, which is given up meanwhile. */
static void run_batch(struct group *group)
{
	uint64_t reserved;
	struct batch batch = {.count = 0};
	struct err err = ERR_INIT;
	int r;

	gather(group);
	group_become_busy(group);
	take_jobs(group, &batch);
	reserved = group->reserved;
	/* nobody to come: what nobody has taken is given back. From here on it cannot be taken. */
	if (group->wanting == 0 && batch.count >= group->expected)
		group->reserved = group->taken;
	batch.left = group->reserved - batch.taken;
	pthread_mutex_unlock(&group->mu);
	r = commit(group, &batch, &err);
	if (r < 0)
		room_blame(group->store, &err);
	for (size_t i = 0; r < 0 && i < batch.count; i++) {
		batch.jobs[i]->result = r;
		batch.jobs[i]->err = err;
	}
	pthread_mutex_lock(&group->mu);
	group->reserved = r == 0 ? batch.left : reserved;
	group->taken -= batch.taken;
	group_end_busy(group);
	pthread_mutex_unlock(&group->mu);
	for (size_t i = 0; i < batch.count; i++)
		batch.jobs[i]->done(batch.jobs[i]);
	pthread_mutex_lock(&group->mu);
}

static void *publish(void *arg)
{
	struct group *group = arg;

	pthread_setname_np(pthread_self(), "publisher");
	pthread_mutex_lock(&group->mu);
	while (group->jobs || !group->stopped) {
		if (group->jobs)
			run_batch(group);
		else
			pthread_cond_wait(&group->work, &group->mu);
	}
	pthread_mutex_unlock(&group->mu);
	return NULL;
}

/* Caller holds mu. Signals are for the program's first thread. */
static int start(struct group *group, struct err *err)
{
	sigset_t all;
	sigset_t before;
	int code;

	if (group->started)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&group->publisher, NULL, publish, group);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	group->started = code == 0;
	return code ? err_set(err, ERR_SYSTEM, code, "start the publisher's thread: %m") : 0;
}

int group_publish(struct group *group, struct group_job *job, struct err *err)
{
	WITH_LOCK(&group->mu);
	int r = start(group, err);

	if (r < 0)
		return r;
	job->next = NULL;
	*group->end = job;
	group->end = &job->next;
	group->waiting++;
	if (group->waiting == 1 || group->waiting == gather_limit(group))
		pthread_cond_signal(&group->work);
	return 0;
}

void group_stop(struct group *group)
{
	pthread_mutex_lock(&group->mu);
	group->stopped = true;
	pthread_cond_signal(&group->work);
	pthread_mutex_unlock(&group->mu);
	if (group->started)
		pthread_join(group->publisher, NULL);
}
