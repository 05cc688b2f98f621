/* The report for a terminal: what fits one screen. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/report.h"

#include <inttypes.h>

#define ROWS 5 /* of each list */

static void print_size(FILE *out, uint64_t bytes)
{
	char text[UNITS_SIZE_TEXT];

	units_format_size(bytes, text);
	fprintf(out, "%11s", text);
}

static void print_space(const struct report *report, FILE *out)
{
	const struct fetchfs_usage *usage = &report->usage;
	char used[UNITS_SIZE_TEXT], limit[UNITS_SIZE_TEXT];
	char pinned[UNITS_SIZE_TEXT], leased[UNITS_SIZE_TEXT];

	units_format_size(usage->used, used);
	units_format_size(usage->limit, limit);
	units_format_size(report->holdings.pinned, pinned);
	units_format_size(report->holdings.leased, leased);
	fprintf(out, "cache      %s\n", report->cache);
	fprintf(out, "used       %s of %s (%u%%), %s pinned, %s leased\n", used, limit,
		report_share(usage->used, usage->limit) / 10, pinned, leased);
	fprintf(out, "artifacts  %" PRIu64 " complete, in %" PRIu64 " objects\n", usage->entries,
		usage->objects);
}

static void print_ranking(
	const struct report *report, const char *title, const struct ranking *ranking, FILE *out)
{
	struct ranking_row rest = ranking_rest(ranking);

	if (ranking->names == 0)
		return;
	fprintf(out, "\n%s\n", title);
	for (size_t i = 0; i < ranking->shown && i < ROWS; i++) {
		const struct ranking_row *row = &ranking->rows[i];
		char ago[UNITS_SIZE_TEXT];

		report_ago(report, row->used, ago);
		print_size(out, row->bytes);
		fprintf(out, "  %7s  %s%s\n", ago, row->name, row->pinned ? "  (pinned)" : "");
	}
	for (size_t i = ROWS; i < ranking->shown; i++)
		rest.bytes += ranking->rows[i].bytes;
	if (ranking->names <= ROWS)
		return;
	print_size(out, rest.bytes);
	fprintf(out, "  %7s  %" PRIu64 " more\n", "", ranking->names - ROWS);
}

static void print_ages(const struct report *report, FILE *out)
{
	fprintf(out, "\nlast used within\n");
	for (size_t i = 0; i < REPORT_AGES; i++) {
		const struct report_sum *sum = &report->used[i];

		if (sum->count == 0)
			continue;
		print_size(out, sum->bytes);
		fprintf(out, "  %7s  %" PRIu64 " artifact%s\n", report_age_name(i), sum->count,
			sum->count == 1 ? "" : "s");
	}
}

static void print_sandboxes(const struct report *report, FILE *out)
{
	const struct report_sandboxes *sandboxes = &report->sandboxes;

	if (sandboxes->count == 0)
		return;
	fprintf(out, "\nsandboxes\n");
	for (size_t i = 0; i < sandboxes->count && i < ROWS; i++) {
		const struct report_sandbox *sandbox = &sandboxes->items[i];
		CLEANUP(str_freep) char *user = cli_user_name(sandbox->first->uid);
		CLEANUP(str_freep) char *directory = str_copy(sandbox->first->directory);
		char ago[UNITS_SIZE_TEXT];

		/* whoever made it called it what they liked */
		if (directory)
			str_make_plain(directory);
		report_ago(report, sandbox->first->since, ago);
		print_size(out, sandbox->bytes);
		fprintf(out, "  %7s  %s  %s%s\n", ago, directory ? directory : "-",
			user ? user : "-", sandbox->gone ? "  (gone: fetchfs gc)" : "");
	}
	if (sandboxes->count > ROWS)
		fprintf(out, "%22s%zu more\n", "", sandboxes->count - ROWS);
}

static void print_kinds(const struct report_log *log, FILE *out)
{
	for (int kind = 0; kind < FETCHFS_EVENT_KINDS; kind++) {
		if (log->all.counts[kind] == 0)
			continue;
		print_size(out, log->all.bytes[kind]);
		fprintf(out, "  %7" PRIu64 "  %s\n", log->all.counts[kind],
			fetchfs_event_kind_name((enum fetchfs_event_kind)kind));
	}
}

static void print_again(const struct report_log *log, FILE *out)
{
	if (log->again == 0)
		return;
	print_size(out, log->again_bytes);
	fprintf(out, "  %7" PRIu64 "  fetched again after they had been evicted\n", log->again);
}

static void print_lately(const struct report *report, FILE *out)
{
	const struct report_log *log = &report->log;
	const struct mounted_served *served = &report->served;
	uint64_t opens = (uint64_t)(served->hits + served->misses);
	char text[UNITS_SIZE_TEXT];

	if (log->events > 0) {
		report_ago(report, log->since, text);
		fprintf(out, "\nin the last %s, as far as the log reaches back\n", text);
		print_kinds(log, out);
		print_again(log, out);
	}
	if (!report->mount || opens == 0)
		return;
	units_format_duration(served->seconds * 1000, text);
	fprintf(out,
		"\n%u.%u%% of %" PRIu64
		" opens by way of %s answered from the cache, in the last %s\n",
		report_share((uint64_t)served->hits, opens) / 10,
		report_share((uint64_t)served->hits, opens) % 10, opens, report->mount, text);
}

void report_text(const struct report *report, FILE *out)
{
	print_space(report, out);
	print_ranking(report, "origins", &report->origins, out);
	print_ranking(report, "users", &report->users, out);
	print_ages(report, out);
	print_ranking(report, "largest", &report->largest, out);
	print_ranking(report, "pinned", &report->pinned, out);
	print_sandboxes(report, out);
	print_lately(report, out);
}
