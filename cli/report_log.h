/*
 * What the log of a cache's events tells, as far as it reaches back.
 */
#ifndef FETCHFS_CLI_REPORT_LOG_H
#define FETCHFS_CLI_REPORT_LOG_H

#include "cli/ranking.h"
#include "fetch/fetchfs.h"

#define REPORT_SPANS 60

/* What happened in one span of time, by kinds of events. */
struct report_span {
	uint64_t counts[FETCHFS_EVENT_KINDS];
	uint64_t bytes[FETCHFS_EVENT_KINDS];
};

struct report_log {
	uint64_t events; /* 0: the log is empty */
	int64_t since;   /* the first of them, seconds since 1970 */
	struct report_span all;

	int64_t from;  /* when the first span begins, seconds since 1970 … */
	int64_t width; /* … and how long each is */
	size_t count;
	struct report_span spans[REPORT_SPANS];

	struct fetchfs_event evicted[RANKING_ROWS]; /* a ring of the last ones, of all that were */
	uint64_t evictions;                         /* with further names of the same bytes */

	/* What was fetched again after it had been evicted, for whatever reason but its damage, as
	 * far as its URI tells it from others. */
	uint64_t again;
	uint64_t again_bytes;
};

int report_log_read(
	struct fetchfs *fetchfs, uid_t uid, int64_t now, struct report_log *ret, struct err *err);

/* Of the evictions that are kept the @n-th, the last one first; NULL behind the oldest. */
const struct fetchfs_event *report_log_evicted(const struct report_log *log, size_t n);

/* How often an origin was asked and had to send nothing, of all times that it answered. */
uint64_t report_log_spared(const struct report_span *span);
uint64_t report_log_answered(const struct report_span *span);

#endif
