/*
 * What a scripted server counts and limits over all of its connections.
 *
 * The counters are told by "/.stats" as one line of JSON:
 *
 *	{"requests":3,"bytes":1048576,"connections":2,"running":1,"most":2}
 *
 * @requests are those that began, @bytes what went out of bodies, @connections those that a
 * request came over, @running the requests under way, @most how many ran at once at the worst.
 * Requests for the counters are not counted. All functions may be called from any thread.
 */
#ifndef FETCHFS_TESTS_TALLY_H
#define FETCHFS_TESTS_TALLY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define TALLY_STATS "/.stats"
#define TALLY_JSON  256 /* bytes that tally_json() needs */

struct tally_path;

struct tally {
	uint64_t rate;      /* bytes a second of all connections together; 0: no limit */
	uint64_t die_after; /* bytes of all bodies, then the process ends; 0: never */

	pthread_mutex_t mu; /* guards what follows */
	unsigned int requests;
	unsigned int connections;
	unsigned int running;
	unsigned int most;
	uint64_t bytes;
	struct timespec began; /* the rate is measured from then on */
	uint64_t since;        /* bytes since then */
	struct tally_path *paths;
};

#define TALLY_INIT                                                                                 \
	{                                                                                          \
		.mu = PTHREAD_MUTEX_INITIALIZER                                                    \
	}

void tally_release(struct tally *tally);

/* A request begins, the first one of its connection or not; it ends. How many run now. */
unsigned int tally_begin(struct tally *tally, bool new_connection);
void tally_end(struct tally *tally);

/*
 * Before @wanted bytes go out: how many may, at least one. Waits for the common rate; ends the
 * process, without a word, when it has sent what it may.
 */
size_t tally_take(struct tally *tally, size_t wanted);

/* How often @path was counted before; with @count this counts, too. */
unsigned int tally_seen(struct tally *tally, const char *path, bool count);

void tally_json(struct tally *tally, char ret[TALLY_JSON]);

#endif
