/* The report for programs: all that is known of it, lists cut as they are for people. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/report.h"

static void print_space(struct json *json, const struct report *report)
{
	const struct fetchfs_usage *usage = &report->usage;

	json_number(json, "limit", (int64_t)usage->limit);
	json_number(json, "used", (int64_t)usage->used);
	json_number(json, "reserved", (int64_t)usage->reserved);
	json_number(json, "pinned", (int64_t)report->holdings.pinned);
	json_number(json, "leased", (int64_t)report->holdings.leased);
	json_number(json, "evictable", (int64_t)report->holdings.evictable);
	json_number(json, "trees", (int64_t)report->holdings.trees);
	json_number(json, "objects", (int64_t)usage->objects);
	json_number(json, "entries", (int64_t)usage->entries);
}

static void print_ranking(struct json *json, const char *key, const char *what,
	const struct ranking *ranking, bool are_artifacts)
{
	json_open(json, key, '{');
	json_number(json, "names", (int64_t)ranking->names);
	json_number(json, "artifacts", (int64_t)ranking->count);
	json_number(json, "bytes", (int64_t)ranking->bytes);
	json_open(json, "first", '[');
	for (size_t i = 0; i < ranking->shown; i++) {
		const struct ranking_row *row = &ranking->rows[i];

		json_open(json, NULL, '{');
		json_text(json, what, row->name);
		json_number(json, "bytes", (int64_t)row->bytes);
		if (are_artifacts) {
			json_bool(json, "public", !row->is_private);
			json_bool(json, "pinned", row->pinned);
			json_number(json, "sandboxes", (int64_t)row->sandboxes);
		} else if (row->count > 0) {
			json_number(json, "artifacts", (int64_t)row->count);
		}
		if (row->count > 0)
			json_known(json, "last_used", row->used);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

static void print_ages(struct json *json, const struct report *report)
{
	json_open(json, "ages", '[');
	for (size_t i = 0; i < REPORT_AGES; i++) {
		json_open(json, NULL, '{');
		json_text(json, "within", report_age_name(i));
		json_number(json, "fetched", (int64_t)report->fetched[i].count);
		json_number(json, "fetched_bytes", (int64_t)report->fetched[i].bytes);
		json_number(json, "used", (int64_t)report->used[i].count);
		json_number(json, "used_bytes", (int64_t)report->used[i].bytes);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void print_sandbox(struct json *json, const struct report_sandbox *sandbox)
{
	CLEANUP(str_freep) char *user = cli_user_name(sandbox->first->uid);

	json_open(json, NULL, '{');
	json_text(json, "directory", sandbox->first->directory);
	json_bool(json, "gone", sandbox->gone);
	json_text(json, "user", user);
	json_number(json, "since", sandbox->first->since);
	json_number(json, "files", (int64_t)sandbox->files);
	json_number(json, "bytes", (int64_t)sandbox->bytes);
	json_number(json, "unknown", (int64_t)sandbox->unknown);
	json_open(json, "uris", '[');
	for (size_t i = 0; i < REPORT_URIS && sandbox->uris[i]; i++)
		json_text(json, NULL, sandbox->uris[i]);
	json_close(json, ']');
	json_close(json, '}');
}

static void print_sandboxes(struct json *json, const struct report_sandboxes *sandboxes)
{
	json_open(json, "sandboxes", '{');
	json_number(json, "directories", (int64_t)sandboxes->count);
	json_number(json, "files", (int64_t)sandboxes->files);
	json_open(json, "first", '[');
	for (size_t i = 0; i < sandboxes->count && i < RANKING_ROWS; i++)
		print_sandbox(json, &sandboxes->items[i]);
	json_close(json, ']');
	json_close(json, '}');
}

/* A kind of which nothing happened is left out. */
static void print_kinds(struct json *json, const struct report_span *span)
{
	for (int kind = 0; kind < FETCHFS_EVENT_KINDS; kind++) {
		if (span->counts[kind] == 0)
			continue;
		json_open(json, fetchfs_event_kind_name((enum fetchfs_event_kind)kind), '{');
		json_number(json, "count", (int64_t)span->counts[kind]);
		json_number(json, "bytes", (int64_t)span->bytes[kind]);
		json_close(json, '}');
	}
}

static void print_log(struct json *json, const struct report_log *log)
{
	const struct fetchfs_event *event;

	json_open(json, "log", '{');
	json_number(json, "events", (int64_t)log->events);
	json_known(json, "since", log->events > 0 ? log->since : -1);
	json_open(json, "fetched_again", '{');
	json_number(json, "count", (int64_t)log->again);
	json_number(json, "bytes", (int64_t)log->again_bytes);
	json_close(json, '}');
	print_kinds(json, &log->all);
	json_open(json, "spans", '[');
	for (size_t i = 0; i < log->count; i++) {
		json_open(json, NULL, '{');
		json_number(json, "from", log->from + (int64_t)i * log->width);
		json_number(json, "seconds", log->width);
		print_kinds(json, &log->spans[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_open(json, "last_evicted", '[');
	for (size_t i = 0; (event = report_log_evicted(log, i)); i++) {
		json_open(json, NULL, '{');
		json_thousandths(json, "time", event->time_ms);
		json_text(json, "uri", event->uri);
		json_number(json, "bytes", (int64_t)event->bytes);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

static void print_served(struct json *json, const struct mounted_served *served)
{
	json_open(json, "served", '{');
	json_number(json, "seconds", served->seconds);
	json_number(json, "hits", served->hits);
	json_number(json, "misses", served->misses);
	json_number(json, "fetched_bytes", served->fetched_bytes);
	json_close(json, '}');
}

void report_json(const struct report *report, FILE *out)
{
	struct json json = {.out = out};

	json_open(&json, NULL, '{');
	json_text(&json, "cache", report->cache);
	json_text(&json, "host", report->host);
	json_number(&json, "time", report->now);
	print_space(&json, report);
	print_ranking(&json, "origins", "origin", &report->origins, false);
	print_ranking(&json, "users", "user", &report->users, false);
	print_ages(&json, report);
	print_ranking(&json, "largest", "uri", &report->largest, true);
	print_ranking(&json, "pinned_artifacts", "uri", &report->pinned, true);
	print_sandboxes(&json, &report->sandboxes);
	print_log(&json, &report->log);
	if (report->mount)
		print_served(&json, &report->served);
	json_close(&json, '}');
}
