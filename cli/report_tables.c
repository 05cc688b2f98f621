/* The tables of the page. Every name in them may be somebody's who means ill. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report_page.h"
#include "cli/svg.h"

#include <inttypes.h>

static void write_ago(const struct report *report, int64_t seconds, FILE *out)
{
	char ago[UNITS_SIZE_TEXT], when[REPORT_WHEN];

	report_ago(report, seconds, ago);
	report_when(seconds, when);
	fprintf(out, "<td class=\"n s\" title=\"%s\">%s</td>", when, ago);
}

static void write_size(FILE *out, uint64_t bytes)
{
	fputs("<td class=\"n\">", out);
	html_size(out, bytes);
	fputs("</td>", out);
}

static void write_mark(FILE *out, const char *text)
{
	fprintf(out, "<span class=\"mark\">%s</span>", text);
}

/* ---- whose it is ---- */

static void write_share(const struct ranking *ranking, const struct ranking_row *row,
	const char *class, bool are_counted, FILE *out)
{
	fputs("<tr><td class=\"u\">", out);
	html_text(out, row->name);
	fputs("</td>", out);
	if (are_counted) {
		fputs("<td class=\"n s wider\">", out);
		html_count(out, row->count, "");
		fputs("</td>", out);
	}
	fputs("<td class=\"bars\">", out);
	svg_bar(out, row->bytes, ranking->bytes, class);
	fputs("</td>", out);
	write_size(out, row->bytes);
	fputs("</tr>\n", out);
}

static void write_shares(
	const struct ranking *ranking, const char *class, bool are_counted, FILE *out)
{
	struct ranking_row rest = ranking_rest(ranking);
	char others[64];

	for (size_t i = 0; i < ranking->shown; i++)
		write_share(ranking, &ranking->rows[i], class, are_counted, out);
	if (ranking->names == ranking->shown)
		return;
	snprintf(others, sizeof(others), "%" PRIu64 " others", ranking->names - ranking->shown);
	rest.name = others;
	write_share(ranking, &rest, "c6", are_counted, out);
}

void report_page_origins(const struct report *report, FILE *out)
{
	if (report->origins.names == 0)
		return;
	html_open(out, "origins", "By origin");
	fputs("<p class=\"lead\">", out);
	html_count(out, report->origins.count, "artifact");
	fputs(", which have ", out);
	html_size(out, report->origins.bytes);
	fputs(" where they come from; what has two names counts twice.</p>\n<table>\n"
	      "<tr><th>origin</th><th class=\"n wider\">artifacts</th>"
	      "<th colspan=\"2\" class=\"n\">bytes</th></tr>\n",
		out);
	write_shares(&report->origins, "c1", true, out);
	fputs("</table>\n", out);
	html_close(out);
}

void report_page_users(const struct report *report, FILE *out)
{
	char limit[UNITS_SIZE_TEXT];

	if (report->users.names == 0)
		return;
	html_open(out, "users", "By user");
	fputs("<p class=\"lead\">On disk, by who asked for it first.", out);
	if (report->holdings.per_user > 0) {
		units_format_size(report->holdings.per_user, limit);
		fprintf(out, " Others may have %s each, beside what is pinned or in sandboxes.",
			limit);
	}
	fputs("</p>\n<table>\n<tr><th>user</th><th colspan=\"2\" class=\"n\">bytes</th></tr>\n",
		out);
	write_shares(&report->users, "c2", false, out);
	fputs("</table>\n", out);
	html_close(out);
}

/* ---- artifacts ---- */

static void write_artifact(const struct report *report, const struct ranking_row *row,
	uint64_t most, bool with_pin, FILE *out)
{
	fputs("<tr><td class=\"u\">", out);
	html_text(out, row->name);
	if (row->is_private)
		write_mark(out, "private");
	if (row->pinned && with_pin)
		write_mark(out, "pinned");
	if (row->sandboxes > 0) {
		fputs("<span class=\"mark\">in ", out);
		html_count(out, row->sandboxes, "");
		fprintf(out, " sandbox%s</span>", row->sandboxes == 1 ? "" : "es");
	}
	fputs("</td>", out);
	write_ago(report, row->used, out);
	fputs("<td class=\"bars wider\">", out);
	svg_bar(out, row->bytes, most, "c1");
	fputs("</td>", out);
	write_size(out, row->bytes);
	fputs("</tr>\n", out);
}

static void write_artifacts(
	const struct report *report, const struct ranking *ranking, bool with_pin, FILE *out)
{
	fputs("<table>\n<tr><th>artifact</th><th class=\"n\">last used</th><th "
	      "class=\"wider\"></th>"
	      "<th class=\"n\">bytes</th></tr>\n",
		out);
	for (size_t i = 0; i < ranking->shown; i++)
		write_artifact(report, &ranking->rows[i], ranking->rows[0].bytes, with_pin, out);
	fputs("</table>\n", out);
}

void report_page_largest(const struct report *report, FILE *out)
{
	if (report->largest.shown == 0)
		return;
	html_open(out, "largest", "The largest");
	fputs("<p class=\"lead\">Of ", out);
	html_count(out, report->largest.names, "artifact");
	fputs(", as large as they are where they come from.</p>\n", out);
	write_artifacts(report, &report->largest, true, out);
	html_close(out);
}

void report_page_pinned(const struct report *report, FILE *out)
{
	const struct ranking *pinned = &report->pinned;

	if (pinned->shown == 0)
		return;
	html_open(out, "pinned", "Pinned");
	fputs("<p class=\"lead\">", out);
	html_count(out, pinned->names, "artifact");
	fputs(" of ", out);
	html_size(out, pinned->bytes);
	fputs(" will not be evicted, however long nobody uses them.</p>\n", out);
	write_artifacts(report, pinned, false, out);
	html_close(out);
}

/* ---- what is used, and what went ---- */

static void write_sandbox(
	const struct report *report, const struct report_sandbox *sandbox, FILE *out)
{
	CLEANUP(str_freep) char *user = cli_user_name(sandbox->first->uid);

	fputs("<tr><td class=\"u\">", out);
	html_text(out, sandbox->first->directory);
	if (sandbox->gone)
		write_mark(out, "gone: fetchfs gc");
	for (size_t i = 0; i < REPORT_URIS && sandbox->uris[i]; i++) {
		fputs("<small>", out);
		html_text(out, sandbox->uris[i]);
		fputs("</small>", out);
	}
	fputs("</td><td class=\"s\">", out);
	html_text(out, user ? user : "-");
	fputs("</td>", out);
	write_ago(report, sandbox->first->since, out);
	fputs("<td class=\"n s wider\">", out);
	html_count(out, sandbox->files, "file");
	fprintf(out, "</td><td class=\"n\">%s", sandbox->unknown > 0 ? "&ge;&nbsp;" : "");
	html_size(out, sandbox->bytes);
	fputs("</td></tr>\n", out);
}

void report_page_sandboxes(const struct report *report, FILE *out)
{
	const struct report_sandboxes *sandboxes = &report->sandboxes;

	if (sandboxes->count == 0)
		return;
	html_open(out, "sandboxes", "In use by sandboxes");
	fputs("<p class=\"lead\">", out);
	html_count(out, sandboxes->files, "file");
	fputs(" of ", out);
	html_count(out, sandboxes->count, "");
	fprintf(out,
		" %s, and a few names of what each has.</p>\n<table>\n"
		"<tr><th>directory</th><th>user</th><th class=\"n\">for</th>"
		"<th class=\"n wider\">placed</th><th class=\"n\">bytes</th></tr>\n",
		sandboxes->count == 1 ? "directory" : "directories");
	for (size_t i = 0; i < sandboxes->count && i < RANKING_ROWS; i++)
		write_sandbox(report, &sandboxes->items[i], out);
	fputs("</table>\n", out);
	html_close(out);
}

static void write_evicted(const struct report *report, const struct fetchfs_event *event, FILE *out)
{
	fputs("<tr><td class=\"u\">", out);
	html_text(out, event->uri);
	if (event->text[0]) {
		fputs("<small>", out);
		html_text(out, event->text);
		fputs("</small>", out);
	}
	fputs("</td>", out);
	write_ago(report, event->time_ms / 1000, out);
	write_size(out, event->bytes);
	fputs("</tr>\n", out);
}

static void tell_of_return(const struct report_log *log, FILE *out)
{
	if (log->again == 0)
		return;
	fputs(" Fetched again after it had gone: ", out);
	html_count(out, log->again, "download");
	fputs(" of ", out);
	html_size(out, log->again_bytes);
	fputs(".", out);
}

void report_page_evicted(const struct report *report, FILE *out)
{
	const struct report_span *all = &report->log.all;
	const struct fetchfs_event *event;

	if (report->log.evictions == 0)
		return;
	html_open(out, "evicted", "Evicted lately");
	fputs("<p class=\"lead\">As far as the log reaches back: ", out);
	html_count(out, all->counts[FETCHFS_EVENT_EVICTED], "artifact");
	fputs(", which had ", out);
	html_size(out, all->bytes[FETCHFS_EVENT_EVICTED]);
	fputs(" on disk; versions that had been replaced before are not among them. The last ones "
	      "first.",
		out);
	tell_of_return(&report->log, out);
	fputs("</p>\n<table>\n<tr><th>artifact</th>"
	      "<th class=\"n\">ago</th><th class=\"n\">bytes</th></tr>\n",
		out);
	for (size_t i = 0; (event = report_log_evicted(&report->log, i)); i++)
		write_evicted(report, event, out);
	fputs("</table>\n", out);
	html_close(out);
}
