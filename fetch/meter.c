#include "fetch/meter.h"

#include <assert.h>

static_assert(FETCHFS_ERROR_KINDS == ERR_PROXY + 1, "one counter for each kind of error");

static const unsigned int bounds_ms[FETCHFS_BUCKETS] = {
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000};

double fetchfs_bucket_seconds(unsigned int n)
{
	return n < FETCHFS_BUCKETS ? bounds_ms[n] / 1000.0 : 0;
}

void meter_hit(struct meter *meter, int64_t size)
{
	atomic_fetch_add(&meter->hits, 1);
	if (size > 0)
		atomic_fetch_add(&meter->hit_bytes, (uint64_t)size);
}

void meter_error(struct meter *meter, const struct err *err)
{
	if (err->kind != ERR_CANCELLED && (unsigned int)err->kind < FETCHFS_ERROR_KINDS)
		atomic_fetch_add(&meter->errors[err->kind], 1);
}

void meter_time(struct meter_times *times, int64_t ms)
{
	unsigned int n = 0;

	while (n < FETCHFS_BUCKETS && ms > (int64_t)bounds_ms[n])
		n++;
	atomic_fetch_add(&times->counts[n], 1);
	atomic_fetch_add(&times->sum_ms, ms > 0 ? (uint64_t)ms : 0);
}

static void read_times(const struct meter_times *times, struct fetchfs_times *ret)
{
	for (unsigned int n = 0; n <= FETCHFS_BUCKETS; n++)
		ret->counts[n] = atomic_load(&times->counts[n]);
	ret->seconds = (double)atomic_load(&times->sum_ms) / 1000.0;
}

void meter_read(const struct meter *meter, struct fetchfs_counters *ret)
{
	ret->hits = atomic_load(&meter->hits);
	ret->hit_bytes = atomic_load(&meter->hit_bytes);
	ret->misses = atomic_load(&meter->misses);
	ret->fetched_bytes = atomic_load(&meter->fetched_bytes);
	for (unsigned int kind = 0; kind < FETCHFS_ERROR_KINDS; kind++)
		ret->errors[kind] = atomic_load(&meter->errors[kind]);
	read_times(&meter->answer, &ret->answer);
	read_times(&meter->whole, &ret->whole);
}
