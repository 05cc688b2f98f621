/*
 * What a fetch says while it runs: bars on a terminal, one line of JSON for each event on stdout,
 * a line on stderr for each failure. It keeps the jobs that are under way.
 *
 * Nothing is asked of a job but when something is to be drawn or told of it.
 */
#ifndef FETCHFS_CLI_FETCH_REPORT_H
#define FETCHFS_CLI_FETCH_REPORT_H

#include "cli/cli.h"
#include "cli/fetch_job.h"
#include "cli/progress.h"

struct fetch_report {
	const struct cli *cli;
	bool json;
	struct fetch_job *newest; /* of those under way */
	struct fetch_job *oldest;
	unsigned int active;
	uint64_t begun;
	uint64_t announced; /* how many there will be; 0: not known before all have begun */
	uint64_t done;
	uint64_t failed;
	uint64_t bytes; /* of those that are done */
	int64_t begun_ms;
	int64_t told_ms; /* progress in JSON */
	bool unwritten;  /* something waits in stdout's buffer */
	int out_error;   /* errno with which stdout failed, or 0 */
	struct progress progress;
};

/* @announced: how many will be started, 0: nobody knows. */
void fetch_report_init(
	struct fetch_report *report, const struct cli *cli, bool json, uint64_t announced);

/* @job has been started. */
void fetch_report_start(struct fetch_report *report, struct fetch_job *job);

/* Now and then: draws and tells what is due. @all_begun: no more will be started. -errno when
 * nothing can be told any more. */
int fetch_report_tick(struct fetch_report *report, bool all_begun);

/* @job has ended, and is freed. @cancelled: not even a failure is news. Returns the exit status
 * that belongs to it. */
int fetch_report_end(struct fetch_report *report, struct fetch_job *job, bool cancelled);

/* Before anything else is printed on stderr. */
void fetch_report_clear(struct fetch_report *report);

/* The end: takes the bars away, sums up. */
void fetch_report_finish(struct fetch_report *report);

#endif
