/*
 * What the stress programs share: checks, chance, and threads that start together.
 *
 * They are programs without a framework, because ThreadSanitizer has to see every thread and
 * Criterion's processes do not get along with it. The first thing that is wrong aborts.
 */
#ifndef FETCHFS_TESTS_STRESS_H
#define FETCHFS_TESTS_STRESS_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);            \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* One thread of many. Its chances are its own and the same in each run. */
struct worker {
	pthread_t thread;
	unsigned int number;
	uint64_t chance;
	void *arg;
};

/* A number below @limit (xorshift64*, Vigna 2016). */
static inline uint64_t stress_below(struct worker *worker, uint64_t limit)
{
	worker->chance ^= worker->chance >> 12;
	worker->chance ^= worker->chance << 25;
	worker->chance ^= worker->chance >> 27;
	return (worker->chance * UINT64_C(0x2545f4914f6cdd1d) >> 16) % limit;
}

/* Run @run on @count threads and wait for all. @seed (not 0) decides their chances. */
static inline void stress_run(
	void *(*run)(void *worker), unsigned int count, unsigned int seed, void *arg)
{
	struct worker *workers = calloc(count, sizeof(*workers));

	CHECK(workers, "out of memory");
	for (unsigned int i = 0; i < count; i++) {
		workers[i] = (struct worker){.number = i,
			.chance = (UINT64_C(0x9e3779b97f4a7c15) * seed) ^ (i + 1),
			.arg = arg};
		CHECK(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0, "%u", i);
	}
	for (unsigned int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	free(workers);
}

#endif
