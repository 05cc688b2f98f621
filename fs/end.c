#include "fs/end.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/watch.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#define WAKE     SIGUSR1 /* interrupts the loop's wait for its threads */
#define AGAIN_MS 50      /* it may have been about to wait only */
/* After so long some thread hangs, and the mount is taken down without it. */
#define LOOP_MS 3000
/* So often it is looked whether it has been unmounted: a loop with such a thread does not say so.
 */
#define LOOK_SECONDS 2

struct end {
	struct fs *fs;
	sigset_t signals;
	pthread_t loop;
	pthread_t thread;
	pthread_t late;
	bool has_late;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool ended; /* the loop has; guarded by mu */
};

static void on_wake(int signal)
{
	(void)signal;
}

static bool has_ended(struct end *end)
{
	WITH_LOCK(&end->mu);
	return end->ended;
}

static void post_job(void *arg)
{
	sem_post(arg);
}

/* What is said after this is not said any more. */
static void finish_notices(struct fs *fs)
{
	sem_t through;

	atomic_store(&fs->is_ending, true);
	watch_end(fs->watch);
	fetchfs_cancel_all(fs->fetchfs); /* lookups need not wait for origins */
	watch_join(fs->watch);
	sem_init(&through, 0, 0);
	/* without a thread there is no notice either */
	if (queue_push(fs->notices, post_job, &through, NULL) == 0)
		while (sem_wait(&through) < 0)
			;
	sem_destroy(&through);
}

/* Until something has changed, or for so long. Under mu. */
static void wait_ms(struct end *end, int64_t ms)
{
	int64_t until_ms = clock_monotonic_ms() + ms;
	struct timespec until = {
		.tv_sec = until_ms / 1000, .tv_nsec = (long)(until_ms % 1000) * 1000000};

	pthread_cond_clockwait(&end->changed, &end->mu, CLOCK_MONOTONIC, &until);
}

/*
 * Whatever hangs, a notice, a transfer's disk, a thread of the loop: the kernel ends what it waits
 * for, and who uses the mount is free.
 */
static void *detach_late(void *arg)
{
	struct end *end = arg;
	int64_t until = clock_monotonic_ms() + LOOP_MS;
	WITH_LOCK(&end->mu);

	while (!end->ended && clock_monotonic_ms() < until)
		wait_ms(end, AGAIN_MS);
	if (!end->ended)
		mount_detach(end->fs);
	return NULL;
}

static void end_loop(struct end *end)
{
	WITH_LOCK(&end->mu);

	fuse_session_exit(end->fs->session);
	while (!end->ended) {
		pthread_kill(end->loop, WAKE);
		wait_ms(end, AGAIN_MS);
	}
}

static void *run(void *arg)
{
	const struct timespec look = {.tv_sec = LOOK_SECONDS};
	struct end *end = arg;

	while (sigtimedwait(&end->signals, NULL, &look) < 0 && !mount_is_gone(end->fs))
		;
	if (has_ended(end))
		return NULL;
	mount_ends(end->fs);
	end->has_late = pthread_create(&end->late, NULL, detach_late, end) == 0;
	finish_notices(end->fs);
	end_loop(end);
	return NULL;
}

int end_new(struct fs *fs, const sigset_t *signals, struct end **ret, struct err *err)
{
	const struct sigaction action = {.sa_handler = on_wake};
	struct end *end = calloc(1, sizeof(*end));
	int r;

	if (!end)
		return err_oom(err);
	end->fs = fs;
	end->signals = *signals;
	end->loop = pthread_self();
	pthread_mutex_init(&end->mu, NULL);
	pthread_cond_init(&end->changed, NULL);
	sigaction(WAKE, &action, NULL);
	r = pthread_create(&end->thread, NULL, run, end);
	if (r) {
		pthread_cond_destroy(&end->changed);
		pthread_mutex_destroy(&end->mu);
		free(end);
		return err_set(err, ERR_SYSTEM, r, "start a thread: %m");
	}
	*ret = end;
	return 0;
}

void end_free(struct end *end)
{
	{
		WITH_LOCK(&end->mu);
		end->ended = true;
		pthread_cond_signal(&end->changed);
	}
	pthread_kill(end->thread, SIGINT); /* unmounted: it waits for that still */
	pthread_join(end->thread, NULL);
	if (end->has_late)
		pthread_join(end->late, NULL);
	pthread_cond_destroy(&end->changed);
	pthread_mutex_destroy(&end->mu);
	free(end);
}
