/*
 * One line on a terminal that says how far a fetch is: count, bytes, rate, time left.
 *
 * Drawn on stderr, and only when that is a terminal that can go back to the start of its line; at
 * most ten times a second.
 */
#ifndef FETCHFS_CLI_PROGRESS_H
#define FETCHFS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_INTERVAL_MS 100

struct progress {
	bool shown; /* there is somebody to look at it */
	bool drawn; /* the line is on the screen now */
	int64_t last_ms;
	uint64_t last_bytes;
	double rate; /* bytes a second, smoothed */
};

struct progress_state {
	uint64_t done; /* artifacts that came to an end, well or not */
	uint64_t begun;
	bool all_begun;       /* no more will come */
	uint64_t bytes;       /* arrived, of all artifacts */
	uint64_t total_bytes; /* of those whose size is known */
	bool total_known;     /* that is all of them */
};

/* Now is @now_ms (clock_monotonic_ms()). @wanted: not in quiet mode. */
void progress_init(struct progress *progress, bool wanted, int64_t now_ms);

/* Whether it is time to draw. */
bool progress_due(const struct progress *progress, int64_t now_ms);

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms);

/* Take the line away, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif
