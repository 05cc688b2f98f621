/* Who looks at a place that does not answer is told so; who looks elsewhere does not notice. */
#include "fetch/looks.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define PLACE "/data"

static struct looks looks;

static void setup(void)
{
	looks_init(&looks);
}

static void teardown(void)
{
	looks_release(&looks);
}

TestSuite(looks, .init = setup, .fini = teardown, .timeout = 60);

static void begin(struct look *look, size_t count, const char *place)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < count; i++)
		cr_assert_eq(looks_begin(&looks, &look[i], place, &err), 0, "%s", err.msg);
}

static void end(struct look *look, size_t count)
{
	for (size_t i = 0; i < count; i++)
		looks_end(&looks, &look[i]);
}

static void expect_refusal(const char *place)
{
	struct look look;
	struct err err = ERR_INIT;

	cr_assert_eq(looks_begin(&looks, &look, place, &err), -ETIMEDOUT);
	cr_assert_eq(err.kind, ERR_NETWORK);
	cr_assert(err.retry);
	cr_assert(strstr(err.msg, place), "%s", err.msg);
}

Test(looks, where_some_hang_others_are_refused_after_a_while_and_then_at_once)
{
	struct look hang[LOOKS_AT_PLACE];
	int64_t start = clock_monotonic_ms();

	begin(hang, LOOKS_AT_PLACE, PLACE);
	expect_refusal(PLACE);
	cr_assert_geq(clock_monotonic_ms() - start, LOOKS_LATE_MS);
	start = clock_monotonic_ms();
	for (unsigned int i = 0; i < 100; i++)
		expect_refusal(PLACE);
	cr_assert_lt(clock_monotonic_ms() - start, 100 * LOOKS_LATE_MS / 2);
	end(hang, LOOKS_AT_PLACE);
}

Test(looks, one_that_returns_lets_another_in)
{
	struct look hang[LOOKS_AT_PLACE];

	begin(hang, LOOKS_AT_PLACE, PLACE);
	expect_refusal(PLACE);
	end(hang, 1);
	begin(hang, 1, PLACE);
	end(hang, LOOKS_AT_PLACE);
}

Test(looks, another_place_is_looked_at_all_the_same)
{
	struct look hang[LOOKS_AT_PLACE];
	struct look other[LOOKS_AT_PLACE];

	begin(hang, LOOKS_AT_PLACE, PLACE);
	expect_refusal(PLACE);
	for (unsigned int i = 0; i < 10; i++) {
		begin(other, LOOKS_AT_PLACE, PLACE "2");
		end(other, LOOKS_AT_PLACE);
	}
	end(hang, LOOKS_AT_PLACE);
}

Test(looks, not_all_threads_hang_however_many_places_do)
{
	static const char *const places[] = {"/a", "/b", "/c", "/d", "/e", "/f"};
	struct look hang[LOOKS_MAX];

	for (size_t i = 0; i < LOOKS_MAX; i++)
		begin(&hang[i], 1, places[i]);
	expect_refusal("/g");
	end(hang, 1);
	begin(hang, 1, "/g");
	end(hang, LOOKS_MAX);
}

/* ---- a place that is slow ---- */

static struct look slow[LOOKS_AT_PLACE];
static atomic_bool over;

/* As if each of those that are under way had just come, after another that returned. */
static void *be_slow(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		pthread_mutex_lock(&looks.mu);
		for (size_t i = 0; i < LOOKS_AT_PLACE; i++)
			slow[i].since_ms = clock_monotonic_ms();
		pthread_cond_broadcast(&looks.returned);
		pthread_mutex_unlock(&looks.mu);
		usleep(10000);
	}
	return NULL;
}

static void *time_refusal(void *arg)
{
	int64_t *ret = arg;
	int64_t start = clock_monotonic_ms();

	expect_refusal(PLACE);
	*ret = clock_monotonic_ms() - start;
	return NULL;
}

static pthread_t start_slow(void)
{
	pthread_t thread;

	begin(slow, LOOKS_AT_PLACE, PLACE);
	cr_assert_eq(pthread_create(&thread, NULL, be_slow, NULL), 0);
	return thread;
}

static void end_slow(pthread_t thread)
{
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	end(slow, LOOKS_AT_PLACE);
	cr_assert_eq(looks.patient, 0);
}

Test(looks, where_others_always_come_first_nobody_waits_for_ever)
{
	pthread_t thread = start_slow();
	int64_t ms;

	time_refusal(&ms);
	cr_assert_geq(ms, LOOKS_LATE_MS);
	end_slow(thread);
}

#define WAITING 8
#define ROUNDS  20

/* The shortest time that one of many has waited for; the longest into *ret. */
static int64_t wait_together(int64_t *ret)
{
	pthread_t threads[WAITING];
	int64_t took[WAITING];
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < WAITING; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, time_refusal, &took[i]), 0);
	for (size_t i = 0; i < WAITING; i++) {
		pthread_join(threads[i], NULL);
		least = took[i] < least ? took[i] : least;
		*ret = took[i] > *ret ? took[i] : *ret;
	}
	return least;
}

/* (But where the machine itself keeps all of them for so long.) */
Test(looks, of_many_who_wait_only_a_few_do_for_long)
{
	pthread_t thread = start_slow();
	int64_t least = INT64_MAX;
	int64_t most_ms = 0;

	for (unsigned int i = 0; i < ROUNDS && least >= LOOKS_LATE_MS; i++)
		least = wait_together(&most_ms);
	cr_assert_lt(least, LOOKS_LATE_MS);
	cr_assert_geq(least, LOOKS_CROWD_MS);
	cr_assert_geq(most_ms, LOOKS_LATE_MS);
	end_slow(thread);
}

#define CROWD 12
#define TIMES 500

static atomic_uint inside;
static atomic_uint most;
static atomic_uint refused;

static void *look_often(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < TIMES; i++) {
		struct look look;
		unsigned int count, seen = atomic_load(&most);

		if (looks_begin(&looks, &look, PLACE, NULL) < 0) {
			atomic_fetch_add(&refused, 1);
			usleep(10000); /* if that was the machine, it is not yet over */
			continue;
		}
		count = atomic_fetch_add(&inside, 1) + 1;
		while (count > seen && !atomic_compare_exchange_weak(&most, &seen, count))
			;
		sched_yield();
		atomic_fetch_sub(&inside, 1);
		looks_end(&looks, &look);
	}
	return NULL;
}

/* (But for one that the machine itself has kept for so long.) */
Test(looks, of_a_crowd_all_get_in_where_the_place_answers)
{
	pthread_t threads[CROWD];

	for (unsigned int i = 0; i < CROWD; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, look_often, NULL), 0);
	for (unsigned int i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	cr_assert_leq(atomic_load(&most), LOOKS_AT_PLACE);
	cr_assert_lt(atomic_load(&refused), CROWD * TIMES / 10);
	cr_assert_null(looks.under_way);
}
