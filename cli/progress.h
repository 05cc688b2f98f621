/*
 * How far a fetch is, on a terminal: a bar for each of some files in flight, "+12 more", and a line
 * for the whole: count, bytes, rate, time left.
 *
 * Drawn on stderr, and only when that is a terminal that can move its cursor, in the foreground; at
 * most ten times a second, and never larger than the terminal is at that moment. Who was stopped
 * and goes on draws anew: what is on the screen by then is others'.
 */
#ifndef FETCHFS_CLI_PROGRESS_H
#define FETCHFS_CLI_PROGRESS_H

#include "cli/rate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_INTERVAL_MS 100
#define PROGRESS_BARS_MAX    10

struct progress {
	bool shown; /* there is somebody to look at it */
	int64_t begun_ms;
	int64_t due_ms; /* not before */
	size_t lines;   /* on the screen now */
	size_t widest;  /* of them, columns */
	struct rate rate;
};

struct progress_bar {
	const char *name;
	int64_t size;   /* bytes, -1: unknown */
	uint64_t bytes; /* that are here */
	double rate;    /* bytes a second */
};

struct progress_state {
	uint64_t done;        /* artifacts that came to an end, well or not */
	uint64_t count;       /* of artifacts, as far as it is known */
	bool count_known;     /* no more will come */
	double part;          /* of count: what is done, and as much of the others as has come */
	uint64_t bytes;       /* arrived, of all artifacts */
	uint64_t total_bytes; /* of those whose size is known */
	bool total_known;     /* that is all of them, and no more will come */
	struct progress_bar bars[PROGRESS_BARS_MAX];
	size_t bar_count;
	uint64_t more; /* in flight, without a bar */
};

/* Before there are threads, which inherit it: being continued is noticed, not handled. */
void progress_prepare(void);

/* Now is @now_ms (clock_monotonic_ms()). @wanted: there is nothing against it. */
void progress_init(struct progress *progress, bool wanted, int64_t now_ms);

/* Whether it is time to draw. */
bool progress_due(const struct progress *progress, int64_t now_ms);

/* How many bars there is room for, at most PROGRESS_BARS_MAX. */
size_t progress_room(void);

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms);

/* Take it away, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif
