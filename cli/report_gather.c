/* report_gather(): one walk over the artifacts, in the order of their URIs. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600
#define DAY  (24 * HOUR)

struct gather {
	struct report *report;
	struct err *err;
	struct ranking_row origin; /* whose artifacts are passing by */
};

static const struct {
	int64_t seconds; /* at most */
	const char *name;
} ages[REPORT_AGES] = {
	{HOUR, "an hour"},
	{DAY, "a day"},
	{7 * DAY, "a week"},
	{30 * DAY, "a month"},
	{365 * DAY, "a year"},
	{INT64_MAX, "longer"},
};

const char *report_age_name(size_t age)
{
	return ages[age].name;
}

void report_when(int64_t seconds, char ret[REPORT_WHEN])
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (seconds < 0 || !localtime_r(&time, &tm) ||
		strftime(ret, REPORT_WHEN, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		str_fit(ret, REPORT_WHEN, "-");
}

void report_ago(const struct report *report, int64_t seconds, char *ret)
{
	if (seconds < 0)
		str_fit(ret, UNITS_SIZE_TEXT, "-");
	else
		units_format_duration(
			seconds < report->now ? (report->now - seconds) * 1000 : 0, ret);
}

unsigned int report_share(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned int)(1000.0 * (double)part / (double)whole) : 0;
}

/* ---- artifacts ---- */

static void add_age(struct report_sum *sums, int64_t age, uint64_t bytes)
{
	size_t i = 0;

	while (age > ages[i].seconds)
		i++;
	sums[i].count++;
	sums[i].bytes += bytes;
}

/* "https://host:port" of a URI; of "file:///x" it is "file://". */
static size_t origin_length(const char *uri)
{
	const char *authority = strstr(uri, "://");

	if (!authority)
		return strcspn(uri, "/?");
	authority += strlen("://");
	return (size_t)(authority - uri) + strcspn(authority, "/?");
}

static int finish_origin(struct gather *gather)
{
	struct ranking_row *origin = &gather->origin;
	int r = 0;

	if (origin->name)
		r = ranking_add(&gather->report->origins, origin, gather->err);
	free(origin->name);
	origin->name = NULL;
	return r;
}

/* What is of one origin comes in one piece, since it begins alike: one sum at a time is enough. */
static int add_to_origin(struct gather *gather, const struct fetchfs_info *info, uint64_t bytes)
{
	struct ranking_row *origin = &gather->origin;
	size_t len = origin_length(info->uri);
	int r;

	if (!origin->name || strlen(origin->name) != len ||
		strncmp(origin->name, info->uri, len) != 0) {
		r = finish_origin(gather);
		if (r < 0)
			return r;
		*origin = (struct ranking_row){.name = strndup(info->uri, len), .used = -1};
		if (!origin->name)
			return err_oom(gather->err);
	}
	origin->count++;
	origin->bytes += bytes;
	if (info->last_used > origin->used)
		origin->used = info->last_used;
	return 0;
}

static int see(const struct fetchfs_info *info, void *arg)
{
	struct gather *gather = arg;
	struct report *report = gather->report;
	uint64_t bytes = info->size > 0 ? (uint64_t)info->size : 0;
	struct ranking_row row = {
		.name = info->uri,
		.count = 1,
		.bytes = bytes,
		.used = info->last_used,
		.pinned = info->pinned,
		.is_private = !info->is_public,
	};
	int r;

	if (info->state != FETCHFS_COMPLETE)
		return 0;
	row.sandboxes = report_sandboxes_see(&report->sandboxes, info->sha256, bytes);
	add_age(report->fetched, report->now - info->fetched, bytes);
	add_age(report->used, report->now - info->last_used, bytes);
	r = add_to_origin(gather, info, bytes);
	if (r == 0)
		r = ranking_add(&report->largest, &row, gather->err);
	if (r == 0 && info->pinned)
		r = ranking_add(&report->pinned, &row, gather->err);
	return r;
}

static int gather_artifacts(struct fetchfs *fetchfs, struct report *report, struct err *err)
{
	struct gather gather = {.report = report, .err = err};
	int r = fetchfs_list(fetchfs, "", report->uid, see, &gather, err);
	int last = finish_origin(&gather);

	return r != 0 ? r : last;
}

/* ---- users ---- */

static int add_share(uid_t uid, uint64_t bytes, void *arg)
{
	struct gather *gather = arg;
	CLEANUP(str_freep) char *name = cli_user_name(uid);
	struct ranking_row row = {.name = name, .bytes = bytes, .used = -1};

	return name ? ranking_add(&gather->report->users, &row, gather->err) : err_oom(gather->err);
}

/* The account has a row for each user but the one whose the cache is. */
static int gather_users(struct fetchfs *fetchfs, struct report *report, struct err *err)
{
	struct gather gather = {.report = report, .err = err};
	uint64_t others;
	struct stat st;
	int r = fetchfs_shares(fetchfs, add_share, &gather, err);

	others = report->users.bytes;
	if (r < 0 || report->usage.used <= others || stat(report->cache, &st) < 0)
		return r;
	return add_share(st.st_uid, report->usage.used - others, &gather);
}

int report_gather(struct fetchfs *fetchfs, struct report *ret, struct err *err)
{
	int r = 0;

	if (gethostname(ret->host, sizeof(ret->host) - 1) < 0)
		str_fit(ret->host, sizeof(ret->host), "-");
	if (ret->mount)
		r = mounted_served(ret->mount, &ret->served, err);
	if (r == 0)
		r = report_sandboxes_load(fetchfs, ret->uid, &ret->sandboxes, err);
	if (r == 0)
		r = gather_artifacts(fetchfs, ret, err);
	if (r == 0)
		r = fetchfs_usage(fetchfs, &ret->usage, err);
	if (r == 0)
		r = fetchfs_holdings(fetchfs, &ret->holdings, err);
	if (r == 0)
		r = gather_users(fetchfs, ret, err);
	if (r == 0)
		r = report_log_read(fetchfs, ret->uid, ret->now, &ret->log, err);
	if (r == 0)
		report_sandboxes_sum(&ret->sandboxes);
	return r;
}

void report_release(struct report *report)
{
	ranking_release(&report->origins);
	ranking_release(&report->largest);
	ranking_release(&report->pinned);
	ranking_release(&report->users);
	report_sandboxes_release(&report->sandboxes);
}
