/*
 * The report as a page: one file that needs no other, runs nothing and asks nobody, which its own
 * policy makes sure of, whatever names it shows.
 */
#include "base/str.h"
#include "base/units.h"
#include "cli/html.h"
#include "cli/report_page.h"

#include <inttypes.h>

static void write_head(const struct report *report, FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" "
	      "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	      "<meta name=\"referrer\" content=\"no-referrer\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
		out);
	html_text(out, report->host);
	fprintf(out, ": fetchfs</title>\n<style>\n%s</style>\n</head>\n", report_style);
}

static void write_header(const struct report *report, FILE *out)
{
	char when[REPORT_WHEN];

	report_when(report->now, when);
	fputs("<header>\n<h1>fetchfs on ", out);
	html_text(out, report->host);
	fputs("</h1>\n<p>", out);
	html_text(out, report->cache);
	if (report->mount) {
		fputs(", mounted on ", out);
		html_text(out, report->mount);
	}
	fprintf(out, " · %s</p>\n</header>\n", when);
}

/* ---- the figures at the top ---- */

static void begin_tile(FILE *out)
{
	fputs("<div><b>", out);
}

static void write_space_tile(const struct report *report, FILE *out)
{
	const struct fetchfs_usage *usage = &report->usage;

	begin_tile(out);
	html_size(out, usage->used);
	fputs("</b><span>of ", out);
	html_size(out, usage->limit);
	fprintf(out, ", %u%% full</span></div>\n", report_share(usage->used, usage->limit) / 10);
}

static void write_artifacts_tile(const struct report *report, FILE *out)
{
	begin_tile(out);
	html_count(out, report->usage.entries, "");
	fprintf(out, "</b><span>artifact%s of ", report->usage.entries == 1 ? "" : "s");
	html_count(out, report->origins.names, "origin");
	fputs("</span></div>\n", out);
}

static void write_percent(FILE *out, uint64_t part, uint64_t whole)
{
	unsigned int share = report_share(part, whole);

	begin_tile(out);
	fprintf(out, "%u.%u%%</b><span>", share / 10, share % 10);
}

/* By the mount's account, if there is one; else by what the log tells of the origins' answers. */
static void write_hits_tile(const struct report *report, FILE *out)
{
	uint64_t opens = (uint64_t)(report->served.hits + report->served.misses);
	uint64_t answered = report_log_answered(&report->log.all);
	char text[UNITS_SIZE_TEXT];

	if (opens > 0) {
		units_format_duration(report->served.seconds * 1000, text);
		write_percent(out, (uint64_t)report->served.hits, opens);
		fputs("of ", out);
		html_count(out, opens, "open");
		fprintf(out, " in %s were hits</span></div>\n", text);
	} else if (answered > 0) {
		write_percent(out, report_log_spared(&report->log.all), answered);
		fputs("of ", out);
		html_count(out, answered, "answer");
		fputs(" needed no download</span></div>\n", out);
	}
}

static void write_log_tile(
	const struct report *report, enum fetchfs_event_kind kind, const char *what, FILE *out)
{
	char text[UNITS_SIZE_TEXT];

	if (report->log.events == 0)
		return;
	report_ago(report, report->log.since, text);
	begin_tile(out);
	html_size(out, report->log.all.bytes[kind]);
	fprintf(out, "</b><span>%s in the last %s</span></div>\n", what, text);
}

static void write_tiles(const struct report *report, FILE *out)
{
	fputs("<div class=\"tiles\">\n", out);
	write_space_tile(report, out);
	write_artifacts_tile(report, out);
	write_hits_tile(report, out);
	write_log_tile(report, FETCHFS_EVENT_FETCHED, "fetched", out);
	write_log_tile(report, FETCHFS_EVENT_EVICTED, "evicted", out);
	fputs("</div>\n", out);
}

void report_html(const struct report *report, FILE *out)
{
	write_head(report, out);
	fputs("<body>\n<main>\n", out);
	write_header(report, out);
	write_tiles(report, out);
	report_page_space(report, out);
	report_page_traffic(report, out);
	report_page_answers(report, out);
	report_page_origins(report, out);
	report_page_users(report, out);
	report_page_ages(report, out);
	report_page_largest(report, out);
	report_page_pinned(report, out);
	report_page_sandboxes(report, out);
	report_page_evicted(report, out);
	fprintf(out,
		"<footer>fetchfs %s. Space, users and the number of artifacts at the top are of "
		"the "
		"whole cache; all else is what user %u may see. A list has the first %d, and the "
		"sum of the others.</footer>\n</main>\n</body>\n</html>\n",
		FETCHFS_VERSION, (unsigned int)report->uid, RANKING_ROWS);
}
