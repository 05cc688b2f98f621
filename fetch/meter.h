/*
 * What one opened cache counts of its own work, for as long as it is open: fetchfs_counters().
 */
#ifndef FETCHFS_FETCH_METER_H
#define FETCHFS_FETCH_METER_H

#include "fetch/fetchfs.h"

#include <stdatomic.h>

struct meter_times {
	atomic_uint_fast64_t counts[FETCHFS_BUCKETS + 1]; /* not cumulative; the last: all others */
	atomic_uint_fast64_t sum_ms;
};

struct meter {
	atomic_uint_fast64_t hits;
	atomic_uint_fast64_t hit_bytes;
	atomic_uint_fast64_t misses;
	atomic_uint_fast64_t fetched_bytes;
	atomic_uint_fast64_t errors[FETCHFS_ERROR_KINDS];
	struct meter_times answer; /* from the request to the origin's answer */
	struct meter_times whole;  /* … to the publication of the artifact */
};

void meter_hit(struct meter *meter, int64_t size);

/* @err ended something that somebody had asked for. Who gave up himself is not counted. */
void meter_error(struct meter *meter, const struct err *err);

void meter_time(struct meter_times *times, int64_t ms);

/* Add what was counted to @ret. */
void meter_read(const struct meter *meter, struct fetchfs_counters *ret);

#endif
