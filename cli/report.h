/*
 * What a cache holds, from where and for whom, and what happened to it lately: the figures of
 * fetchfs report, and the forms in which it shows them.
 *
 * However much there is, a few of each kind are kept, and the sums of all. Everything is as @uid
 * may see it.
 */
#ifndef FETCHFS_CLI_REPORT_H
#define FETCHFS_CLI_REPORT_H

#include "cli/mounted.h"
#include "cli/ranking.h"
#include "cli/report_log.h"
#include "cli/report_sandboxes.h"
#include "fetch/fetchfs.h"

#include <limits.h>
#include <stdio.h>

struct report_sum {
	uint64_t count; /* of artifacts */
	uint64_t bytes;
};

/* How long ago something was: within an hour, a day, a week, a month, a year, or longer. */
#define REPORT_AGES 6

struct report {
	const char *cache;
	const char *mount; /* or NULL */
	char host[HOST_NAME_MAX + 1];
	uid_t uid;
	int64_t now; /* seconds since 1970 */

	struct fetchfs_usage usage;
	struct fetchfs_holdings holdings;
	struct mounted_served served; /* by the mount */

	/* Of complete artifacts, by the sizes that they have at their origins: what is there under
	 * two names counts twice. */
	struct ranking origins;
	struct ranking largest;
	struct ranking pinned;
	struct report_sum fetched[REPORT_AGES];
	struct report_sum used[REPORT_AGES];

	struct ranking users; /* bytes on disk */
	struct report_log log;
	struct report_sandboxes sandboxes;
};

/* Fill @ret, of which cache, mount, uid and now are set. It is for report_release() also after a
 * failure. */
int report_gather(struct fetchfs *fetchfs, struct report *ret, struct err *err);
void report_release(struct report *report);

/* "an hour", "a day" …: up to how long ago. The last: "longer". */
const char *report_age_name(size_t age);

/* "2026-11-28 19:30:12", local time, into @ret. */
#define REPORT_WHEN 32
void report_when(int64_t seconds, char ret[REPORT_WHEN]);

/* How long before the report that was: "3d04h"; "-" when it is not known. UNITS_SIZE_TEXT. */
void report_ago(const struct report *report, int64_t seconds, char *ret);

/* In parts of a thousand; 0 of nothing. */
unsigned int report_share(uint64_t part, uint64_t whole);

/* The same for a terminal, for programs, and as a page that needs nothing but itself. Failures to
 * write stay in the stream. */
void report_text(const struct report *report, FILE *out);
void report_json(const struct report *report, FILE *out);
void report_html(const struct report *report, FILE *out);

#endif
