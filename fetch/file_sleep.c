/* Waiting for a file on a thread that has nothing else to do. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/file.h"

#include <errno.h>

/* A wait that a thread sleeps on. */
struct sleeper {
	struct fetchfs_wait wait; /* first: wake() gets from one to the other */
	pthread_mutex_t mu;
	pthread_cond_t woken;
	bool done;
	struct err err;
};

static void sleeper_wake(struct fetchfs_wait *wait, const struct err *err)
{
	struct sleeper *sleeper = (struct sleeper *)wait;
	WITH_LOCK(&sleeper->mu);

	sleeper->err = *err;
	sleeper->done = true;
	pthread_cond_signal(&sleeper->woken);
}

/* False when @timeout_ms (-1: none) went by first. */
static bool sleeper_sleep(struct sleeper *sleeper, int timeout_ms)
{
	int64_t until = clock_monotonic_ms() + timeout_ms;
	struct timespec ts = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	WITH_LOCK(&sleeper->mu);

	while (!sleeper->done) {
		if (timeout_ms < 0)
			pthread_cond_wait(&sleeper->woken, &sleeper->mu);
		else if (pthread_cond_clockwait(
				 &sleeper->woken, &sleeper->mu, CLOCK_MONOTONIC, &ts) == ETIMEDOUT)
			break;
	}
	return sleeper->done;
}

int fetchfs_file_wait_until(struct fetchfs_file *file, enum fetchfs_until until, uint64_t offset,
	uint64_t length, int timeout_ms, struct err *err)
{
	struct sleeper sleeper = {
		.wait = {.until = until, .offset = offset, .length = length, .wake = sleeper_wake},
		.mu = PTHREAD_MUTEX_INITIALIZER,
		.woken = PTHREAD_COND_INITIALIZER,
	};
	int r = fetchfs_file_wait(file, &sleeper.wait, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!sleeper_sleep(&sleeper, timeout_ms)) {
		if (fetchfs_wait_cancel(&sleeper.wait))
			return err_set_retry(
				err, ERR_NETWORK, ETIMEDOUT, 0, "not here after %d ms", timeout_ms);
		sleeper_sleep(&sleeper, -1); /* it is being woken right now */
	}
	if (sleeper.err.code && err)
		*err = sleeper.err;
	return -sleeper.err.code;
}
