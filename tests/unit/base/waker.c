#include "base/waker.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>

#define LIMIT_SECONDS 20

struct pair {
	pthread_mutex_t mu;
	struct waker waker;
	bool ready; /* guarded by mu */
	int result;
	atomic_bool gone_on;
};

static struct timespec seconds_from_now(int seconds)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += seconds;
	return at;
}

static void *sleep_until_ready(void *arg)
{
	struct pair *pair = arg;
	struct timespec limit = seconds_from_now(LIMIT_SECONDS);

	pthread_mutex_lock(&pair->mu);
	pair->result = 0;
	while (!pair->ready && pair->result == 0)
		pair->result = waker_wait(&pair->waker, &pair->mu, &limit);
	pthread_mutex_unlock(&pair->mu);
	atomic_store(&pair->gone_on, true);
	return NULL;
}

static void init(struct pair *pair)
{
	*pair = (struct pair){.mu = PTHREAD_MUTEX_INITIALIZER};
	waker_init(&pair->waker);
}

/* Until the other one sleeps. mu is held afterwards. */
static void await_sleep(struct pair *pair)
{
	pthread_mutex_lock(&pair->mu);
	while (!pair->waker.sleeps) {
		pthread_mutex_unlock(&pair->mu);
		sched_yield();
		pthread_mutex_lock(&pair->mu);
	}
}

Test(waker, wakes_who_sleeps, .timeout = LIMIT_SECONDS)
{
	struct pair pair;
	pthread_t thread;

	init(&pair);
	cr_assert(pthread_create(&thread, NULL, sleep_until_ready, &pair) == 0);
	await_sleep(&pair);
	pair.ready = true;
	cr_assert(waker_take(&pair.waker));
	cr_assert(!waker_take(&pair.waker), "it is owed one waking, not two");
	pthread_mutex_unlock(&pair.mu);
	waker_wake(&pair.waker);
	pthread_join(thread, NULL);
	cr_assert_eq(pair.result, 0);
	waker_release(&pair.waker);
}

Test(waker, owes_nothing_to_who_is_awake)
{
	struct pair pair;

	init(&pair);
	pthread_mutex_lock(&pair.mu);
	cr_assert(!waker_take(&pair.waker));
	pthread_mutex_unlock(&pair.mu);
	waker_release(&pair.waker);
}

Test(waker, ends_a_sleep_at_its_limit)
{
	struct timespec past = seconds_from_now(-1);
	struct pair pair;

	init(&pair);
	pthread_mutex_lock(&pair.mu);
	cr_assert_eq(waker_wait(&pair.waker, &pair.mu, &past), -ETIMEDOUT);
	cr_assert(!waker_take(&pair.waker), "nobody sleeps any more");
	pthread_mutex_unlock(&pair.mu);
	waker_release(&pair.waker);
}

static void *sleep_briefly(void *arg)
{
	struct pair *pair = arg;
	struct timespec soon;

	pthread_mutex_lock(&pair->mu);
	clock_gettime(CLOCK_MONOTONIC, &soon);
	soon.tv_nsec += 1000;
	if (soon.tv_nsec >= 1000000000) {
		soon.tv_sec++;
		soon.tv_nsec -= 1000000000;
	}
	pair->result = waker_wait(&pair->waker, &pair->mu, &soon);
	atomic_store(&pair->gone_on, true);
	pthread_mutex_unlock(&pair->mu);
	return NULL;
}

/* Its limit passes while somebody who has taken it is on the way: it could be freed under him. */
Test(waker, keeps_who_was_taken_until_it_is_woken, .timeout = LIMIT_SECONDS)
{
	for (int i = 0; i < 200; i++) {
		struct pair pair;
		pthread_t thread;
		bool taken;

		init(&pair);
		pthread_mutex_lock(&pair.mu);
		cr_assert(pthread_create(&thread, NULL, sleep_briefly, &pair) == 0);
		do {
			pthread_mutex_unlock(&pair.mu);
			sched_yield();
			pthread_mutex_lock(&pair.mu);
			taken = waker_take(&pair.waker);
		} while (!taken && !atomic_load(&pair.gone_on));
		pthread_mutex_unlock(&pair.mu);
		if (taken) {
			for (int turn = 0; turn < 20; turn++) {
				sched_yield();
				cr_assert(!atomic_load(&pair.gone_on));
			}
			waker_wake(&pair.waker);
		}
		pthread_join(thread, NULL);
		cr_assert_eq(pair.result, taken ? 0 : -ETIMEDOUT);
		waker_release(&pair.waker);
	}
}
