#include "fetch/settler.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cache/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define EVERY_MS 30000

/* The thread's and the owner's; the last one frees it. */
struct settler {
	pthread_mutex_t mu;
	pthread_cond_t stopping;
	const struct store
		*store; /* NULL: its owner has stopped it; guarded by mu, as is the rest */
	bool failed;    /* a sync did, and what it was for could not be made unsure yet */
	unsigned int refs;
};

static void unref(struct settler *settler)
{
	bool last;

	{
		WITH_LOCK(&settler->mu);
		settler->store = NULL;
		pthread_cond_signal(&settler->stopping);
		last = --settler->refs == 0;
	}
	if (!last)
		return;
	pthread_cond_destroy(&settler->stopping);
	pthread_mutex_destroy(&settler->mu);
	free(settler);
}

/* false: stopped. */
static bool wait_for_turn(struct settler *settler)
{
	struct timespec until = clock_monotonic_in(EVERY_MS);
	WITH_LOCK(&settler->mu);

	while (settler->store)
		if (pthread_cond_timedwait(&settler->stopping, &settler->mu, &until) == ETIMEDOUT)
			break;
	return settler->store;
}

/* A long journal becomes short. Who closes the cache waits for that: it is done in little time, and
 * rarely. */
static void compact(struct settler *settler)
{
	WITH_LOCK(&settler->mu);

	if (settler->store)
		(void)journal_compact(settler->store, true, NULL);
}

static int begin(struct settler *settler, struct settling *ret)
{
	WITH_LOCK(&settler->mu);

	/* the next sync would know nothing of what that one lost */
	if (settler->store && settler->failed)
		settler->failed = store_settle_end(settler->store, ret, false, NULL) < 0;
	if (settler->failed)
		return 0;
	return settler->store ? store_settle_begin(settler->store, ret, NULL) : 0;
}

static void end(struct settler *settler, const struct settling *settling, bool synced)
{
	WITH_LOCK(&settler->mu);

	if (settler->store)
		settler->failed =
			store_settle_end(settler->store, settling, synced, NULL) < 0 && !synced;
}

static void *run(void *arg)
{
	struct settler *settler = arg;

	pthread_setname_np(pthread_self(), "fetchfs-settle");
	while (wait_for_turn(settler)) {
		CLEANUP(store_settle_release) struct settling settling = SETTLING_INIT;

		if (begin(settler, &settling) > 0)
			end(settler, &settling, store_settle_sync(&settling, NULL) == 0);
		compact(settler);
	}
	unref(settler);
	return NULL;
}

int settler_start(const struct store *store, struct settler **ret, struct err *err)
{
	struct settler *settler = calloc(1, sizeof(*settler));
	pthread_t thread;
	int code;

	if (!settler)
		return err_oom(err);
	pthread_mutex_init(&settler->mu, NULL);
	clock_cond_init(&settler->stopping);
	settler->store = store;
	settler->refs = 2;
	code = pthread_create(&thread, NULL, run, settler);
	if (code != 0) {
		settler->refs = 1;
		unref(settler);
		return err_set(err, ERR_SYSTEM, code, "start a thread: %m");
	}
	pthread_detach(thread);
	*ret = settler;
	return 0;
}

void settler_stop(struct settler *settler)
{
	if (settler)
		unref(settler);
}
