#include "cache/group.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "cache/evict.h"
#include "cache/room.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Processes that may publish small objects at the same time. */
#define NAMES 65536

/* What is reserved beyond what is needed now, where the cache has so much to spare. */
#define STEP     (UINT64_C(4) << 20)
#define STEP_PER 64 /* of the room */

/*
 * Invariants, under mu:
 *  - whoever set `busy` is alone with the reservation's row and with transactions;
 *  - taken <= reserved, which is at most what the row says.
 */
struct group {
	const struct store *store;
	char name[PARTIAL_NAME_SIZE]; /* of the reservation */

	pthread_mutex_t mu;
	pthread_cond_t changed; /* for those who wait for room, or to be busy */
	unsigned int waiters;   /* how many these are; guarded by mu */
	struct lock key;        /* of the reservation, from its first use on; whose `busy` is */
	bool busy;              /* guarded by mu */
	uint64_t reserved;      /* bytes; guarded by mu */
	uint64_t taken;         /* by publications under way; guarded by mu */
	uint64_t wanting;       /* by those who wait for room; guarded by mu */
	unsigned int expected;  /* publications; guarded by mu */
	struct group_job *jobs; /* oldest first; guarded by mu */
	struct group_job **end; /* where the next one goes; guarded by mu */
	unsigned int waiting;   /* jobs; guarded by mu */

	pthread_t publisher;   /* once it is started */
	pthread_cond_t work;   /* for the publisher: there are jobs, or enough of them, or stop */
	bool started, stopped; /* guarded by mu */

	/* when partial/, which is empty, was changed; 0: unknown */
	atomic_int_fast64_t no_partials;
};

int group_new(const struct store *store, struct group **ret, struct err *err)
{
	struct group *group = calloc(1, sizeof(*group));

	if (!group)
		return err_oom(err);
	group->store = store;
	group->key = LOCK_INIT;
	group->end = &group->jobs;
	pthread_mutex_init(&group->mu, NULL);
	pthread_cond_init(&group->changed, NULL);
	pthread_cond_init(&group->work, NULL);
	*ret = group;
	return 0;
}

/* The publisher ends with the last job. */
static void stop(struct group *group)
{
	pthread_mutex_lock(&group->mu);
	group->stopped = true;
	pthread_cond_signal(&group->work);
	pthread_mutex_unlock(&group->mu);
	if (group->started)
		pthread_join(group->publisher, NULL);
}

void group_free(struct group *group)
{
	if (!group)
		return;
	stop(group);
	/* or an evictor does it, once the key is free */
	if (group->reserved > 0)
		catalog_unreserve(group->store->catalog, group->name, NULL);
	lock_release(&group->key);
	pthread_cond_destroy(&group->work);
	pthread_cond_destroy(&group->changed);
	pthread_mutex_destroy(&group->mu);
	free(group);
}

bool group_no_partials(const struct group *group, int64_t changed)
{
	return atomic_load(&group->no_partials) == changed;
}

void group_found_no_partials(struct group *group, int64_t changed)
{
	atomic_store(&group->no_partials, changed);
}

/* Caller holds mu, as for all of these; it is given up while waiting. */
static void wait_for_change(struct group *group)
{
	group->waiters++;
	pthread_cond_wait(&group->changed, &group->mu);
	group->waiters--;
}

static void become_busy(struct group *group)
{
	while (group->busy)
		wait_for_change(group);
	group->busy = true;
}

static void end_busy(struct group *group)
{
	group->busy = false;
	if (group->waiters > 0)
		pthread_cond_broadcast(&group->changed);
}

/* ---- room ---- */

/*
 * A name for the reservation, locked, so that it lives as long as we do. The first one that is
 * free: what a process that was killed left under it becomes ours.
 */
static int lock_name(struct group *group, struct err *err)
{
	int r = lock_held(&group->key) ? 0 : -EAGAIN;

	for (unsigned int i = 0; r == -EAGAIN && i < NAMES; i++) {
		struct entry_key key = {{0}};

		memcpy(key.bytes, &i, sizeof(i));
		partial_name(&key, 1, group->name);
		r = cachedir_lock_key(group->store->dir, &key, &group->key);
	}
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "lock a reservation: %m") : 0;
}

/* Reserve @bytes if nothing has to go for it. */
static int reserve_free(struct group *group, uint64_t bytes, uint64_t room)
{
	const struct store *store = group->store;
	uint64_t missing = 0;
	int r = room_missing_on_disk(store, bytes, &missing, NULL);

	if (r == 0 && missing > 0)
		return -ENOSPC;
	return r < 0 ? r
		     : catalog_reserve(store->catalog, group->name, bytes, room, &missing, NULL);
}

/* @least bytes, better @all, best some more. */
static int reserve(
	struct group *group, uint64_t least, uint64_t all, uint64_t *ret, struct err *err)
{
	const struct store *store = group->store;
	uint64_t room = room_within(store);
	int r = lock_name(group, err);

	if (r < 0)
		return r;
	if (room / STEP_PER >= STEP && reserve_free(group, all + STEP, room) == 0) {
		*ret = all + STEP;
		return 0;
	}
	*ret = all;
	r = evict_reserve(store, group->name, all, err);
	if (r == -ENOSPC && least < all) {
		*ret = least;
		r = evict_reserve(store, group->name, least, err);
	}
	return r;
}

static int refill(struct group *group, uint64_t bytes, struct err *err)
{
	uint64_t least = group->taken + bytes;
	uint64_t all = group->taken + group->wanting;
	uint64_t reserved;
	int r;

	become_busy(group);
	pthread_mutex_unlock(&group->mu);
	r = reserve(group, least, all, &reserved, err);
	pthread_mutex_lock(&group->mu);
	if (r == 0)
		group->reserved = reserved;
	end_busy(group);
	return r;
}

int group_take(struct group *group, uint64_t bytes, struct err *err)
{
	int r = 0;
	WITH_LOCK(&group->mu);

	group->wanting += bytes;
	while (r == 0 && group->reserved - group->taken < bytes) {
		if (group->busy)
			wait_for_change(group);
		else
			r = refill(group, bytes, err);
	}
	group->wanting -= bytes;
	if (r == 0)
		group->taken += bytes;
	return r;
}

void group_give_back(struct group *group, uint64_t bytes)
{
	WITH_LOCK(&group->mu);

	group->taken -= bytes;
}

void group_expect(struct group *group, int change)
{
	WITH_LOCK(&group->mu);

	group->expected += (unsigned int)change;
	if (group->expected > 0 || group->wanting > 0 || group->reserved == group->taken)
		return;
	become_busy(group);
	if (group->expected == 0 && group->taken == 0 && group->reserved > 0) {
		group->reserved = 0;
		pthread_mutex_unlock(&group->mu);
		/* a row that stays is replaced by the next one */
		catalog_unreserve(group->store->catalog, group->name, NULL);
		pthread_mutex_lock(&group->mu);
	}
	end_busy(group);
}

/* ---- transactions ---- */

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
	return err_set(
		&job->err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r, "publish %s: %m", path);
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
	become_busy(group);
	take_jobs(group, &batch);
	reserved = group->reserved;
	/* nobody to come: what nobody has taken is given back. From here on it cannot be taken. */
	if (group->wanting == 0 && batch.count >= group->expected)
		group->reserved = group->taken;
	batch.left = group->reserved - batch.taken;
	pthread_mutex_unlock(&group->mu);
	r = commit(group, &batch, &err);
	for (size_t i = 0; r < 0 && i < batch.count; i++) {
		batch.jobs[i]->result = r;
		batch.jobs[i]->err = err;
	}
	pthread_mutex_lock(&group->mu);
	group->reserved = r == 0 ? batch.left : reserved;
	group->taken -= batch.taken;
	end_busy(group);
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
