#include "base/waker.h"

#include <errno.h>

void waker_init(struct waker *waker)
{
	sem_init(&waker->owed, 0, 0);
	waker->sleeps = false;
}

void waker_release(struct waker *waker)
{
	sem_destroy(&waker->owed);
}

static int sleep_until(struct waker *waker, const struct timespec *until)
{
	int r;

	do
		r = until ? sem_clockwait(&waker->owed, CLOCK_MONOTONIC, until)
			  : sem_wait(&waker->owed);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int waker_wait(struct waker *waker, pthread_mutex_t *mu, const struct timespec *until)
{
	int r;

	waker->sleeps = true;
	pthread_mutex_unlock(mu);
	r = sleep_until(waker, until);
	pthread_mutex_lock(mu);
	if (r < 0 && waker->sleeps) {
		waker->sleeps = false;
		return r;
	}
	/* taken at the last moment: what is owed is about to come */
	return r < 0 ? sleep_until(waker, NULL) : 0;
}

bool waker_take(struct waker *waker)
{
	bool sleeps = waker->sleeps;

	waker->sleeps = false;
	return sleeps;
}

void waker_wake(struct waker *waker)
{
	sem_post(&waker->owed);
}
