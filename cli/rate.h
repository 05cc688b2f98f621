/*
 * How fast something grows: a moving mean over about two seconds, steady to look at, yet true soon
 * after a change.
 */
#ifndef FETCHFS_CLI_RATE_H
#define FETCHFS_CLI_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	double per_second;
	bool begun; /* below is the last look */
	int64_t ms;
	uint64_t bytes;
};

/* It is @bytes at @now_ms (clock_monotonic_ms()). What is there at the first look, such as the
 * beginning of a file that is resumed, does not count. */
void rate_update(struct rate *rate, uint64_t bytes, int64_t now_ms);

#endif
