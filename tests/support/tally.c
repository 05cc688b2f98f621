#include "tests/support/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS_MAX 10000
#define SLICE_MS  5
#define BURST_MS  50 /* what a pause may save up */

struct tally_path {
	struct tally_path *next;
	unsigned int seen;
	char path[];
};

void tally_release(struct tally *tally)
{
	for (struct tally_path *path; (path = tally->paths);) {
		tally->paths = path->next;
		free(path);
	}
}

unsigned int tally_begin(struct tally *tally, bool new_connection)
{
	unsigned int running;

	pthread_mutex_lock(&tally->mu);
	tally->requests++;
	tally->connections += new_connection;
	running = ++tally->running;
	if (running > tally->most)
		tally->most = running;
	pthread_mutex_unlock(&tally->mu);
	return running;
}

void tally_end(struct tally *tally)
{
	pthread_mutex_lock(&tally->mu);
	tally->running--;
	pthread_mutex_unlock(&tally->mu);
}

static double seconds_since(const struct timespec *then, const struct timespec *now)
{
	return (double)(now->tv_sec - then->tv_sec) + (double)(now->tv_nsec - then->tv_nsec) / 1e9;
}

/* Caller holds mu. How many bytes the common rate allows now. */
static uint64_t allowed(struct tally *tally)
{
	double burst = (double)tally->rate * BURST_MS / 1000 + 1;
	struct timespec now;
	double due;

	if (tally->rate == 0)
		return UINT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &now);
	due = seconds_since(&tally->began, &now) * (double)tally->rate - (double)tally->since;
	if (due > burst) {
		tally->began = now;
		tally->since = 0;
		due = burst;
	}
	return due < 1 ? 0 : (uint64_t)due;
}

/* Caller holds mu. */
static size_t grant(struct tally *tally, size_t wanted)
{
	uint64_t room = allowed(tally);

	if (tally->die_after) {
		if (tally->bytes >= tally->die_after)
			_exit(0);
		if (room > tally->die_after - tally->bytes)
			room = tally->die_after - tally->bytes;
	}
	if (wanted > room)
		wanted = (size_t)room;
	tally->bytes += wanted;
	tally->since += wanted;
	return wanted;
}

size_t tally_take(struct tally *tally, size_t wanted)
{
	static const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000};

	for (;;) {
		size_t granted;

		pthread_mutex_lock(&tally->mu);
		granted = grant(tally, wanted);
		pthread_mutex_unlock(&tally->mu);
		if (granted > 0 || wanted == 0)
			return granted;
		nanosleep(&slice, NULL);
	}
}

/* Caller holds mu. */
static struct tally_path *find_path(struct tally *tally, const char *path, bool add)
{
	struct tally_path **at = &tally->paths;
	size_t size = strlen(path) + 1;

	for (size_t count = 0; *at; at = &(*at)->next)
		if (strcmp((*at)->path, path) == 0 || ++count == PATHS_MAX)
			return *at;
	if (add && (*at = calloc(1, sizeof(**at) + size)))
		memcpy((*at)->path, path, size);
	return *at;
}

unsigned int tally_seen(struct tally *tally, const char *path, bool count)
{
	struct tally_path *found;
	unsigned int seen;

	pthread_mutex_lock(&tally->mu);
	found = find_path(tally, path, count);
	seen = found ? found->seen : 0;
	if (found && count)
		found->seen++;
	pthread_mutex_unlock(&tally->mu);
	return seen;
}

void tally_json(struct tally *tally, char ret[TALLY_JSON])
{
	pthread_mutex_lock(&tally->mu);
	snprintf(ret, TALLY_JSON,
		"{\"requests\":%u,\"bytes\":%" PRIu64
		",\"connections\":%u,\"running\":%u,\"most\":%u}\n",
		tally->requests, tally->bytes, tally->connections, tally->running, tally->most);
	pthread_mutex_unlock(&tally->mu);
}
