/*
 * Looks up and opens what is in a cache, over and over, and tells how long that took:
 *
 *	hotreads CACHE CONFIGURATION SECONDS <URIS
 *
 * Each of the URIs in its input is asked for in an order by chance, by the library as any program
 * would use it, until the time is over or SIGTERM comes. One line: how often, then of the lookup
 *and of the opening with the reading of the first byte the median, the 99th percentile and the
 *longest, in microseconds. What is not there (any more) counts as looked up only.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "fetch/fetchfs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URIS_MAX 1000000
#define BUCKETS  20000 /* of a microsecond; the last one has all that took longer */

struct times {
	unsigned long counts[BUCKETS];
	unsigned long count;
	unsigned long longest;
};

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
	(void)number;
	is_over = 1;
}

static long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void note(struct times *times, long began)
{
	unsigned long took = (unsigned long)(microseconds() - began);

	times->counts[took < BUCKETS ? took : BUCKETS - 1]++;
	times->count++;
	if (took > times->longest)
		times->longest = took;
}

static unsigned long percentile(const struct times *times, unsigned int percent)
{
	unsigned long before = 0;
	unsigned long i = 0;

	while (i < BUCKETS - 1 && (before += times->counts[i]) * 100 < times->count * percent)
		i++;
	return i;
}

static void print(const char *what, const struct times *times)
{
	printf("%s %lu median %lu p99 %lu longest %lu\n", what, times->count, percentile(times, 50),
		percentile(times, 99), times->longest);
}

/* 0, or -errno if what is there cannot be had. */
static int look_at(struct fetchfs *fetchfs, const char *uri, struct times *finds,
	struct times *opens, struct err *err)
{
	const struct fetchfs_request request = {.uri = uri, .uid = getuid()};
	struct fetchfs_file *file = NULL;
	struct fetchfs_info info;
	bool is_there;
	long began = microseconds();
	char byte;
	int r = fetchfs_find(fetchfs, &request, &info, err);

	note(finds, began);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	is_there = info.state == FETCHFS_COMPLETE;
	fetchfs_info_release(&info);
	if (!is_there)
		return 0;
	began = microseconds();
	r = fetchfs_get(fetchfs, &request, &file, err);
	if (r == 0 && fetchfs_file_read_now(file, &byte, 1, 0, NULL) == 1)
		note(opens,
			began); /* else it has just been evicted: a miss, which asks the network */
	fetchfs_file_free(file);
	return r;
}

static size_t read_uris(char **uris)
{
	size_t count = 0;
	size_t room = 0;
	char *line = NULL;

	while (count < URIS_MAX && getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		uris[count] = strdup(line);
		if (!uris[count++])
			abort();
	}
	free(line);
	return count;
}

int main(int argc, char **argv)
{
	static struct times finds, opens;
	static char *uris[URIS_MAX];
	struct fetchfs_options options = {.cache = argv[1], .config = argc > 2 ? argv[2] : NULL};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	size_t count;
	long end;
	int r;

	if (argc != 4) {
		fprintf(stderr, "usage: hotreads CACHE CONFIGURATION SECONDS <URIS\n");
		return 2;
	}
	signal(SIGTERM, on_signal);
	count = read_uris(uris);
	end = microseconds() + atol(argv[3]) * 1000000;
	srand(1);
	r = fetchfs_open(&options, &fetchfs, &err);
	while (r == 0 && count > 0 && !is_over && microseconds() < end)
		r = look_at(fetchfs, uris[(size_t)rand() % count], &finds, &opens, &err);
	if (r < 0)
		fprintf(stderr, "hotreads: %s\n", err.msg);
	else
		fetchfs_close(fetchfs);
	print("find", &finds);
	print("open", &opens);
	for (size_t i = 0; i < count; i++)
		free(uris[i]);
	return r < 0;
}
