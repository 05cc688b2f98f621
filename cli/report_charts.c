/* The pictures of the page: of space, of time, and of age. */
#include "base/str.h"
#include "base/units.h"
#include "cli/html.h"
#include "cli/report_page.h"
#include "cli/svg.h"

#include <time.h>

#define HOUR 3600
#define DAY  (24 * HOUR)

_Static_assert(REPORT_SPANS <= SVG_COLUMNS_MAX, "each span is a column");

static void write_legend_item(
	FILE *out, const char *name, const char *class, uint64_t value, svg_format *format)
{
	char text[SVG_TEXT];

	format(value, text);
	fprintf(out, "<li><i class=\"%s\"></i>%s <b>%s</b></li>\n", class, name, text);
}

/* ---- space ---- */

/* What of @all is not in @other; what is looked at one after the other need not add up. */
static uint64_t without(uint64_t all, uint64_t other)
{
	return all > other ? all - other : 0;
}

/* The account has what is pinned, and what is leased, each with what is both. */
void report_page_space(const struct report *report, FILE *out)
{
	const struct fetchfs_usage *usage = &report->usage;
	const struct fetchfs_holdings *holdings = &report->holdings;
	uint64_t held = without(usage->used, usage->reserved + holdings->evictable);
	const struct svg_part parts[] = {
		{"in sandboxes", without(held, holdings->pinned), "c2"},
		{"pinned, and in sandboxes", without(holdings->pinned + holdings->leased, held),
			"c6"},
		{"pinned", without(held, holdings->leased), "c5"},
		{"on its way", usage->reserved, "c3"},
		{"can be evicted", holdings->evictable, "c1"},
	};

	html_open(out, "space", "Space");
	fputs("<p class=\"lead\">What could be let go when room is needed, and what could "
	      "not.</p>\n",
		out);
	svg_parts(out, "Space by use", parts, ARRAY_SIZE(parts), usage->limit, svg_format_size);
	fputs("<ul class=\"legend\">\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i].value > 0)
			write_legend_item(out, parts[i].name, parts[i].class, parts[i].value,
				svg_format_size);
	write_legend_item(out, "free", "", without(usage->limit, usage->used), svg_format_size);
	fputs("</ul>\n", out);
	html_close(out);
}

/* ---- time ---- */

static void name_span(const void *arg, size_t n, char *ret_short, char *ret_long)
{
	const struct report_log *log = arg;
	bool are_days = log->width >= DAY;
	/* days begin an hour off once the clocks have been changed */
	time_t from = (time_t)(log->from + (int64_t)n * log->width + (are_days ? 2 * HOUR : 0));
	bool is_short = (int64_t)log->count * log->width <= 2 * DAY;
	char date[16] = "", day[16] = "", hour[8] = "";
	struct tm tm;

	if (localtime_r(&from, &tm)) {
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
		strftime(day, sizeof(day), "%b %e", &tm);
		strftime(hour, sizeof(hour), "%H:%M", &tm);
	}
	snprintf(ret_short, SVG_TEXT, "%s%s%s", is_short ? "" : day,
		is_short || are_days ? "" : " ", are_days ? "" : hour);
	snprintf(
		ret_long, SVG_TEXT, "from %s%s%s", date, are_days ? "" : " ", are_days ? "" : hour);
}

/* Which events a series is of: of some kind, and of another one, if there is one. */
struct kinds {
	const char *name;
	const char *class;
	bool hangs;
	enum fetchfs_event_kind kind;
	enum fetchfs_event_kind also;
};

static void draw_spans(const struct report_log *log, const char *title, const struct kinds *kinds,
	size_t count, bool by_bytes, FILE *out)
{
	svg_format *format = by_bytes ? svg_format_size : svg_format_count;
	struct svg_series series[4] = {0};
	uint64_t sums[4] = {0};

	for (size_t i = 0; i < count && i < ARRAY_SIZE(series); i++) {
		const struct kinds *of = &kinds[i];

		series[i].name = of->name;
		series[i].class = of->class;
		series[i].hangs = of->hangs;
		for (size_t n = 0; n < log->count; n++) {
			const uint64_t *values =
				by_bytes ? log->spans[n].bytes : log->spans[n].counts;

			series[i].values[n] =
				values[of->kind] + (of->also != of->kind ? values[of->also] : 0);
			sums[i] += series[i].values[n];
		}
	}
	svg_columns(out, &(struct svg_columns){
				 .title = title,
				 .series = series,
				 .series_count = count,
				 .count = log->count,
				 .format = format,
				 .by_powers_of_two = by_bytes,
				 .name = name_span,
				 .arg = log,
			 });
	fputs("<ul class=\"legend\">\n", out);
	for (size_t i = 0; i < count; i++)
		write_legend_item(out, kinds[i].name, kinds[i].class, sums[i], format);
	fputs("</ul>\n", out);
}

void report_page_traffic(const struct report *report, FILE *out)
{
	static const struct kinds kinds[] = {
		{"fetched", "c1", false, FETCHFS_EVENT_FETCHED, FETCHFS_EVENT_FETCHED},
		{"evicted", "c4", true, FETCHFS_EVENT_EVICTED, FETCHFS_EVENT_EVICTED},
	};
	const struct report_log *log = &report->log;
	char ago[UNITS_SIZE_TEXT], when[REPORT_WHEN], width[UNITS_SIZE_TEXT];

	if (log->events == 0)
		return;
	report_ago(report, log->since, ago);
	report_when(log->since, when);
	units_format_duration(log->width * 1000, width);
	html_open(out, "traffic", "Bytes in and out");
	fprintf(out, "<p class=\"lead\">A column is %s. The log has the last ", width);
	html_count(out, log->events, "event");
	fprintf(out, ", and so reaches back %s, to %s.</p>\n", ago, when);
	draw_spans(log, "Bytes fetched and evicted over time", kinds, ARRAY_SIZE(kinds), true, out);
	html_close(out);
}

/* An open that the cache answers by itself leaves nothing in the log. */
static void tell_of_hits(const struct report *report, FILE *out)
{
	const struct mounted_served *served = &report->served;
	uint64_t opens = (uint64_t)(served->hits + served->misses);
	unsigned int share = report_share((uint64_t)served->hits, opens);
	char text[UNITS_SIZE_TEXT];

	fputs("<p class=\"lead\">Artifacts that were confirmed needed no download. What is fresh "
	      "is read "
	      "without asking anybody, and leaves no trace in the log",
		out);
	if (opens > 0) {
		units_format_duration(served->seconds * 1000, text);
		fputs("; but the mount has counted: of ", out);
		html_count(out, opens, "open");
		fprintf(out, " in %s, %u.%u%% were answered from the cache, and origins sent ",
			text, share / 10, share % 10);
		html_size(out, (uint64_t)served->fetched_bytes);
	}
	fputs(".</p>\n", out);
}

void report_page_answers(const struct report *report, FILE *out)
{
	static const struct kinds kinds[] = {
		{"confirmed, or an old copy had to do", "c2", false, FETCHFS_EVENT_CONFIRMED,
			FETCHFS_EVENT_STALE},
		{"fetched", "c1", false, FETCHFS_EVENT_FETCHED, FETCHFS_EVENT_FETCHED},
		{"failed, or tried again", "c4", true, FETCHFS_EVENT_FAILED, FETCHFS_EVENT_RETRIED},
	};

	if (report->log.events == 0)
		return;
	html_open(out, "answers", "What origins were asked for");
	tell_of_hits(report, out);
	draw_spans(
		&report->log, "Answers of origins over time", kinds, ARRAY_SIZE(kinds), false, out);
	html_close(out);
}

/* ---- age ---- */

static void write_age(const char *name, const struct report_sum *fetched,
	const struct report_sum *used, uint64_t most, FILE *out)
{
	fprintf(out, "<tr><td class=\"s\">%s</td><td class=\"bars\">", name);
	svg_bar(out, used->bytes, most, "c2");
	fputs("</td><td class=\"n\">", out);
	html_size(out, used->bytes);
	fputs("</td><td class=\"n s wider\">", out);
	html_count(out, used->count, "");
	fputs("</td><td class=\"bars gap\">", out);
	svg_bar(out, fetched->bytes, most, "c1");
	fputs("</td><td class=\"n\">", out);
	html_size(out, fetched->bytes);
	fputs("</td><td class=\"n s wider\">", out);
	html_count(out, fetched->count, "");
	fputs("</td></tr>\n", out);
}

void report_page_ages(const struct report *report, FILE *out)
{
	if (report->origins.count == 0)
		return;
	html_open(out, "ages", "By age");
	fputs("<p class=\"lead\">Each artifact once by when it was last used, and once by when it "
	      "came: "
	      "what was used least recently goes first.</p>\n<table>\n"
	      "<tr><th>within</th><th colspan=\"2\">last used</th><th class=\"n "
	      "wider\">artifacts</th>"
	      "<th class=\"gap\" colspan=\"2\">fetched</th><th class=\"n "
	      "wider\">artifacts</th></tr>\n",
		out);
	for (size_t i = 0; i < REPORT_AGES; i++)
		write_age(report_age_name(i), &report->fetched[i], &report->used[i],
			report->origins.bytes, out);
	fputs("</table>\n", out);
	html_close(out);
}
