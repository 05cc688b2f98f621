/* fetchfs status: the cache as a whole, and what is on its way into it. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/mounted.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More transfers than that are counted only. */
#define TRANSFERS_SHOWN 1024

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print one JSON object", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "the cache behind this mount", 0},
	{0},
};

struct status {
	const char *mount;
	bool json;
};

/* What there is to print. */
struct report {
	const char *path;
	const char *mount; /* or NULL */
	struct mounted_passthrough passthrough;
	struct fetchfs_usage usage;
	struct fetchfs_holdings holdings;
	struct share *shares; /* of users, each of whom may have so much */
	size_t share_count;
	struct fetchfs_transfer *transfers; /* the first TRANSFERS_SHOWN of them */
	size_t count;
};

struct share {
	uid_t uid;
	uint64_t bytes;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct status *status = state->input;

	switch (key) {
	case OPTION_JSON:
		status->json = true;
		return 0;
	case OPTION_MOUNT:
		status->mount = arg;
		return 0;
	default:
		return cli_parse_none(key, arg, state);
	}
}

static int collect_share(uid_t uid, uint64_t bytes, void *arg)
{
	struct report *report = arg;
	struct share *shares =
		reallocarray(report->shares, report->share_count + 1, sizeof(*shares));

	if (!shares)
		return -ENOMEM;
	report->shares = shares;
	shares[report->share_count++] = (struct share){uid, bytes};
	return 0;
}

static int collect_transfer(const struct fetchfs_transfer *transfer, void *arg)
{
	struct report *report = arg;

	if (report->count < TRANSFERS_SHOWN)
		report->transfers[report->count] = *transfer;
	report->count++;
	return 0;
}

static void report_release(struct report *report)
{
	free(report->shares);
	free(report->transfers);
}

static int collect(struct fetchfs *fetchfs, struct report *ret, struct err *err)
{
	int r = fetchfs_usage(fetchfs, &ret->usage, err);

	if (r == 0)
		r = fetchfs_holdings(fetchfs, &ret->holdings, err);
	if (r == 0)
		r = fetchfs_shares(fetchfs, collect_share, ret, err);
	if (r == 0 && ret->mount)
		r = mounted_passthrough(ret->mount, &ret->passthrough, err);
	if (r < 0)
		return r;
	ret->path = fetchfs_cache_path(fetchfs);
	ret->transfers = calloc(TRANSFERS_SHOWN, sizeof(*ret->transfers));
	if (!ret->transfers)
		return err_oom(err);
	return fetchfs_transfers(fetchfs, getuid(), collect_transfer, ret, err);
}

static size_t shown(const struct report *report)
{
	return report->count < TRANSFERS_SHOWN ? report->count : TRANSFERS_SHOWN;
}

/* ---- for programs ---- */

static void print_transfer_json(struct json *json, const struct fetchfs_transfer *transfer)
{
	json_open(json, NULL, '{');
	json_text(json, "uri", transfer->uri);
	json_text(json, "state", fetchfs_transfer_state_name(transfer->state));
	json_known(json, "size", transfer->size);
	json_number(json, "bytes", (int64_t)transfer->bytes);
	json_number(json, "rate", (int64_t)transfer->rate);
	json_known(json, "seconds", transfer->seconds);
	json_known(json, "pid", transfer->pid > 0 ? transfer->pid : -1);
	json_close(json, '}');
}

static void print_passthrough_json(struct json *json, const struct mounted_passthrough *passthrough)
{
	json_open(json, "passthrough", '{');
	json_bool(json, "on", passthrough->on);
	json_text(json, "why", passthrough->on ? NULL : passthrough->why);
	json_number(json, "opens", passthrough->opens);
	json_number(json, "fallbacks", passthrough->fallbacks);
	json_number(json, "files", passthrough->files);
	json_close(json, '}');
}

static void print_share_json(struct json *json, const struct share *share)
{
	CLEANUP(str_freep) char *user = cli_user_name(share->uid);

	json_open(json, NULL, '{');
	json_text(json, "user", user);
	json_number(json, "uid", share->uid);
	json_number(json, "bytes", (int64_t)share->bytes);
	json_close(json, '}');
}

static void print_json(const struct report *report)
{
	const struct fetchfs_usage *usage = &report->usage;
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "cache", report->path);
	json_number(&json, "limit", (int64_t)usage->limit);
	json_number(&json, "used", (int64_t)usage->used);
	json_number(&json, "reserved", (int64_t)usage->reserved);
	json_number(&json, "pinned", (int64_t)report->holdings.pinned);
	json_number(&json, "leased", (int64_t)report->holdings.leased);
	json_number(&json, "evictable", (int64_t)report->holdings.evictable);
	json_number(&json, "trees", (int64_t)report->holdings.trees);
	json_number(&json, "objects", (int64_t)usage->objects);
	json_number(&json, "entries", (int64_t)usage->entries);
	json_number(&json, "per_user", (int64_t)report->holdings.per_user);
	json_open(&json, "shares", '[');
	for (size_t i = 0; i < report->share_count; i++)
		print_share_json(&json, &report->shares[i]);
	json_close(&json, ']');
	if (report->mount)
		print_passthrough_json(&json, &report->passthrough);
	json_open(&json, "transfers", '[');
	for (size_t i = 0; i < shown(report); i++)
		print_transfer_json(&json, &report->transfers[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}

/* ---- for people ---- */

static void print_transfer(const struct fetchfs_transfer *transfer)
{
	char size[UNITS_SIZE_TEXT] = "?", rate[UNITS_SIZE_TEXT], percent[8] = "-";
	char how[UNITS_SIZE_TEXT + 2];

	if (transfer->size >= 0)
		units_format_size((uint64_t)transfer->size, size);
	if (transfer->size > 0)
		snprintf(percent, sizeof(percent), "%d%%",
			(int)(100.0 * (double)transfer->bytes / (double)transfer->size));
	if (transfer->state == FETCHFS_TRANSFER_ACTIVE) {
		units_format_size(transfer->rate, rate);
		snprintf(how, sizeof(how), "%s/s", rate);
	} else {
		str_fit(how, sizeof(how), fetchfs_transfer_state_name(transfer->state));
	}
	printf("%5s  %10s  %12s  %s", percent, size, how, transfer->uri);
	if (transfer->state == FETCHFS_TRANSFER_STOPPED)
		printf(" (by process %d)", transfer->pid);
	putchar('\n');
}

static void print_passthrough(const struct mounted_passthrough *passthrough)
{
	if (passthrough->on)
		printf("passthrough  on: %" PRId64 " opens, %" PRId64 " of them served by the "
		       "daemon\n",
			passthrough->opens + passthrough->fallbacks, passthrough->fallbacks);
	else
		printf("passthrough  off: %s\n", passthrough->why);
}

static void print_bytes(const char *what, uint64_t bytes)
{
	char text[UNITS_SIZE_TEXT];

	units_format_size(bytes, text);
	printf("  %-10s %10s\n", what, text);
}

static void print_space(const struct report *report)
{
	const struct fetchfs_usage *usage = &report->usage;
	double percent = usage->limit ? 100.0 * (double)usage->used / (double)usage->limit : 0.0;
	char used[UNITS_SIZE_TEXT], limit[UNITS_SIZE_TEXT];

	units_format_size(usage->used, used);
	units_format_size(usage->limit, limit);
	printf("used       %s of %s (%.0f%%)\n", used, limit, percent);
	print_bytes("pinned", report->holdings.pinned);
	print_bytes("leased", report->holdings.leased);
	print_bytes("downloads", usage->reserved);
	print_bytes("evictable", report->holdings.evictable);
	if (report->holdings.trees > 0)
		print_bytes("unpacked", report->holdings.trees);
}

static void print_shares(const struct report *report)
{
	char limit[UNITS_SIZE_TEXT];

	if (report->share_count == 0)
		return;
	units_format_size(report->holdings.per_user, limit);
	printf("users      %s for each, beside what is pinned or leased\n", limit);
	for (size_t i = 0; i < report->share_count; i++) {
		CLEANUP(str_freep) char *user = cli_user_name(report->shares[i].uid);

		print_bytes(user ? user : "?", report->shares[i].bytes);
	}
}

static void print_screen(const struct report *report)
{
	const struct fetchfs_usage *usage = &report->usage;

	printf("cache      %s\n", report->path);
	print_space(report);
	print_shares(report);
	printf("artifacts  %" PRIu64 " complete, in %" PRIu64 " objects\n", usage->entries,
		usage->objects);
	if (report->mount)
		print_passthrough(&report->passthrough);
	if (report->count == 0)
		return;
	printf("transfers  %zu\n", report->count);
	for (size_t i = 0; i < shown(report); i++)
		print_transfer(&report->transfers[i]);
	if (report->count > shown(report))
		printf("%zu more\n", report->count - shown(report));
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(report_release) struct report report = {.count = 0};
	CLEANUP(str_freep) char *cache = NULL;
	struct status status = {0};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &status);
	report.mount = mounted_directory(cli, status.mount);
	r = mounted_use_cache(cli, report.mount, &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	r = collect(fetchfs, &report, &err);
	if (r == 0 && status.json)
		print_json(&report);
	else if (r == 0)
		print_screen(&report);
	fetchfs_close(fetchfs);
	return r < 0 ? cli_fail(cli, NULL, &err) : EXIT_DONE;
}
