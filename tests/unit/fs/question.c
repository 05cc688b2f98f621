/* Questions about archives: what is done under the lock of the mount, and what is not. */
#include "fs/question.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "fetch/context.h"
#include "fetch/flight.h"
#include "fs/question_private.h"
#include "tests/support/fake_backend.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_SECONDS 20

static const struct mount_options options = {.directory = "/nowhere"};
static char *dir;
static struct fs fs = {
	.options = &options, .mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void setup(void)
{
	struct err err = ERR_INIT;

	dir = tmpdir_make();
	cr_assert_eq(
		fetchfs_open(&(struct fetchfs_options){.cache = dir, .backends = fake_backends},
			&fs.fetchfs, &err),
		0, "%s", err.msg);
	cr_assert_eq(queue_new("work", 4, &fs.work, NULL), 0);
	cr_assert_eq(queue_new("unpack", 4, &fs.unpacks, NULL), 0);
}

static void teardown(void)
{
	queue_free(fs.unpacks);
	queue_free(fs.work);
	fetchfs_close(fs.fetchfs);
	fake_backend_reset();
	tmpdir_remove(dir);
}

TestSuite(question, .init = setup, .fini = teardown);

static struct timespec limit(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LIMIT_SECONDS;
	return until;
}

/* One who waits for what is in fake://h/a.tar, until its question waits for the archive. */
static struct ask *wait_for_archive(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	struct ask *ask = calloc(1, sizeof(*ask));
	bool waiting = false;
	struct err err = ERR_INIT;

	cr_assert_not_null(ask);
	ask->fs = &fs;
	ask->kind = ASK_TREE;
	ask->uid = geteuid();
	ask->refs = 1;
	ask->wanted.uri = str_copy("fake://h/a.tar");
	cr_assert_eq(question_join(ask, &err), 0, "%s", err.msg);
	for (int i = 0; i < LIMIT_SECONDS * 100 && !waiting; i++) {
		nanosleep(&pause, NULL);
		WITH_LOCK(&fs.mu);
		waiting = ask->question->waiting;
	}
	cr_assert(waiting);
	return ask;
}

static void *leave(void *arg)
{
	struct ask *ask = arg;

	atomic_store(&ask->answered, true);
	question_leave(ask);
	return NULL;
}

static void wait_for_no_question(void)
{
	const struct timespec until = limit();
	int r = 0;
	WITH_LOCK(&fs.mu);

	while (fs.asking > 0 && r == 0)
		r = pthread_cond_timedwait(&fs.changed, &fs.mu, &until);
	cr_assert_eq(fs.asking, 0);
}

/* As it is while whoever flies it writes to a disk that hangs. */
Test(question, nobody_waits_for_a_transfer_whose_lock_is_held)
{
	struct timespec until;
	struct flight *flight;
	pthread_t thread;
	struct ask *ask;

	fake_backend_put("/a.tar", &(struct fake_file){.len = 1 << 20, .stall = true});
	ask = wait_for_archive();
	fake_backend_wait_stalled("/a.tar", 1);
	flight = fs.fetchfs->flights;
	cr_assert_not_null(flight);

	pthread_mutex_lock(&flight->mu);
	cr_assert_eq(pthread_create(&thread, NULL, leave, ask), 0);
	until = limit();
	cr_assert_eq(pthread_timedjoin_np(thread, NULL, &until), 0, "who leaves hangs");
	cr_assert_eq(pthread_mutex_timedlock(&fs.mu, &until), 0, "the mount hangs");
	pthread_mutex_unlock(&fs.mu);
	pthread_mutex_unlock(&flight->mu);

	wait_for_no_question();
	ask_unref(ask);
	fake_backend_release("/a.tar");
}
