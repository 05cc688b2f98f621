/*
 * One thread sleeps, another one wakes it, and holds no lock while it does so: who is woken under a
 * lock is often quick enough to wait for that lock, which makes two switches more of one.
 *
 *	the sleeper                                     who wakes it
 *
 *	pthread_mutex_lock(&mu);                        pthread_mutex_lock(&mu);
 *	while (!ready && r == 0)                        ready = true;
 *		r = waker_wait(&waker, &mu, NULL);      sleeps = waker_take(&waker);
 *	pthread_mutex_unlock(&mu);                      pthread_mutex_unlock(&mu);
 *	                                                if (sleeps)
 *	                                                        waker_wake(&waker);
 *
 * Whoever takes a sleeper owes it the waking, at once. The sleeper does not go on before, so the
 * waker lasts as long as it is needed even where the sleeper frees it next. Who was not asleep is
 * not touched any more after the lock.
 */
#ifndef FETCHFS_BASE_WAKER_H
#define FETCHFS_BASE_WAKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

struct waker {
	sem_t owed;
	bool sleeps; /* guarded by the mutex of waker_wait() */
};

void waker_init(struct waker *waker);
void waker_release(struct waker *waker);

/*
 * Sleep, without @mu, which the caller holds before and afterwards. One thread at a time.
 * -ETIMEDOUT: it was @until (CLOCK_MONOTONIC; NULL: no limit). 0: look whether it is true now.
 */
int waker_wait(struct waker *waker, pthread_mutex_t *mu, const struct timespec *until);

/* Under the mutex. Whether there is a sleeper, to be woken by the caller and nobody else. */
bool waker_take(struct waker *waker);
void waker_wake(struct waker *waker);

#endif
