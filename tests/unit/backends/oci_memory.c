/* What is known of registries: found out once, kept for a while. */
#include "backends/oci_memory.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int alive;

static void free_fact(struct oci_fact *fact)
{
	atomic_fetch_sub(&alive, 1);
	free(fact);
}

static struct oci_fact *make(int64_t good_ms, size_t bytes)
{
	struct oci_fact *fact = calloc(1, sizeof(*fact));

	cr_assert_not_null(fact);
	atomic_fetch_add(&alive, 1);
	oci_fact_init(fact, free_fact, clock_monotonic_ms() + good_ms, bytes);
	return fact;
}

static int patient(void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	return 0;
}

static int impatient(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, ERR_CANCELLED, EINTR, "enough");
}

/* We lead, and tell. */
static struct oci_fact *learn(struct oci_memory *memory, const char *key, int64_t ms, size_t bytes)
{
	struct oci_fact *fact = NULL;

	cr_assert_eq(oci_memory_find(memory, key, patient, NULL, &fact, NULL), 0);
	fact = make(ms, bytes);
	oci_memory_tell(memory, key, fact, NULL);
	return fact;
}

Test(oci_memory, what_was_told_is_known_until_it_is_old)
{
	struct oci_memory *memory = oci_memory_new();
	struct oci_fact *fact = learn(memory, "a", 60000, 1);
	struct oci_fact *found = NULL;

	cr_assert_eq(oci_memory_find(memory, "a", patient, NULL, &found, NULL), 1);
	cr_assert_eq(found, fact);
	oci_fact_unref(found);
	found = oci_memory_peek(memory, "a");
	cr_assert_eq(found, fact);
	oci_fact_unref(found);
	cr_assert_null(oci_memory_peek(memory, "b"));
	oci_fact_unref(fact);
	oci_fact_unref(learn(memory, "old", -1, 1));
	cr_assert_null(oci_memory_peek(memory, "old"));
	cr_assert_eq(oci_memory_find(memory, "old", patient, NULL, &found, NULL), 0);
	oci_memory_tell(memory, "old", NULL, NULL);
	oci_memory_free(memory);
	cr_assert_eq(alive, 0);
}

Test(oci_memory, only_what_is_meant_is_forgotten)
{
	struct oci_memory *memory = oci_memory_new();
	struct oci_fact *first = learn(memory, "a", 60000, 1);
	struct oci_fact *second;
	struct oci_fact *found;

	oci_memory_forget(memory, "a", first);
	cr_assert_null(oci_memory_peek(memory, "a"));
	second = learn(memory, "a", 60000, 1);
	oci_memory_forget(memory, "a", first);
	found = oci_memory_peek(memory, "a");
	cr_assert_eq(found, second);
	oci_fact_unref(found);
	oci_fact_unref(first);
	oci_fact_unref(second);
	oci_memory_free(memory);
	cr_assert_eq(alive, 0);
}

struct asker {
	struct oci_memory *memory;
	pthread_t thread;
	atomic_int *waiting;
	int r;
	struct err err;
	struct oci_fact *fact;
	bool counted;
};

static int count_wait(void *arg, struct err *err)
{
	struct asker *asker = arg;

	(void)err;
	if (!asker->counted)
		atomic_fetch_add(asker->waiting, 1);
	asker->counted = true;
	return 0;
}

static void *ask(void *arg)
{
	struct asker *asker = arg;

	asker->r =
		oci_memory_find(asker->memory, "a", count_wait, asker, &asker->fact, &asker->err);
	if (asker->r == 0)
		oci_memory_tell(asker->memory, "a", NULL, &asker->err);
	return NULL;
}

#define ASKERS 8

/* As a leader that is waited for by all others tells @fact, or @why. */
static void crowd(struct oci_memory *memory, struct asker *askers, struct oci_fact *fact,
	const struct err *why)
{
	struct oci_fact *found = NULL;
	atomic_int waiting = 0;

	cr_assert_eq(oci_memory_find(memory, "a", patient, NULL, &found, NULL), 0);
	for (int i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){.memory = memory, .waiting = &waiting};
		pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
	}
	while (waiting < ASKERS)
		usleep(1000);
	oci_memory_tell(memory, "a", fact, why);
	for (int i = 0; i < ASKERS; i++)
		pthread_join(askers[i].thread, NULL);
}

Test(oci_memory, all_who_wait_get_what_one_found)
{
	struct oci_memory *memory = oci_memory_new();
	struct asker askers[ASKERS];
	struct oci_fact *fact = make(60000, 1);

	crowd(memory, askers, fact, NULL);
	for (int i = 0; i < ASKERS; i++) {
		cr_assert_eq(askers[i].r, 1);
		cr_assert_eq(askers[i].fact, fact);
		oci_fact_unref(askers[i].fact);
	}
	oci_fact_unref(fact);
	oci_memory_free(memory);
	cr_assert_eq(alive, 0);
}

Test(oci_memory, all_who_wait_fail_as_one_failed_and_nobody_later)
{
	struct oci_memory *memory = oci_memory_new();
	struct asker askers[ASKERS];
	struct oci_fact *found = NULL;
	struct err why = ERR_INIT;

	err_set(&why, ERR_REMOTE, EACCES, "no");
	crowd(memory, askers, NULL, &why);
	for (int i = 0; i < ASKERS; i++) {
		cr_assert_eq(askers[i].r, -EACCES);
		cr_assert_str_eq(askers[i].err.msg, "no");
	}
	cr_assert_eq(oci_memory_find(memory, "a", patient, NULL, &found, NULL), 0);
	oci_memory_tell(memory, "a", NULL, NULL);
	oci_memory_free(memory);
}

/* Who was interrupted has found nothing out: one after the other tries. */
Test(oci_memory, who_gave_up_stops_nobody_else)
{
	struct oci_memory *memory = oci_memory_new();
	struct asker askers[ASKERS];
	struct err why = ERR_INIT;
	int led = 0;

	err_set(&why, ERR_CANCELLED, EINTR, "enough");
	crowd(memory, askers, NULL, &why);
	for (int i = 0; i < ASKERS; i++)
		led += askers[i].r == 0;
	cr_assert_gt(led, 0);
	oci_memory_free(memory);
}

Test(oci_memory, who_is_interrupted_waits_no_longer)
{
	struct oci_memory *memory = oci_memory_new();
	struct oci_fact *found = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(oci_memory_find(memory, "a", patient, NULL, &found, NULL), 0);
	cr_assert_eq(oci_memory_find(memory, "a", impatient, NULL, &found, &err), -EINTR);
	oci_memory_tell(memory, "a", NULL, NULL);
	oci_memory_free(memory);
}

Test(oci_memory, it_does_not_grow)
{
	struct oci_memory *memory = oci_memory_new();

	for (int i = 0; i < 2000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		oci_fact_unref(learn(memory, key, 60000, (size_t)1 << 20));
		cr_assert_leq(alive, 65, "%d", i);
	}
	for (int i = 0; i < 2000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "small%d", i);
		oci_fact_unref(learn(memory, key, 60000, 1));
		cr_assert_leq(alive, 256, "%d", i);
	}
	oci_memory_free(memory);
	cr_assert_eq(alive, 0);
}
