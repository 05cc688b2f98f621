/* fetchfs status: the cache as a whole, on one screen. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/mounted.h"

#include <inttypes.h>
#include <stdio.h>

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
	case ARGP_KEY_ARG:
		argp_error(state, "%s: takes no arguments", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_json(const char *path, const struct fetchfs_usage *usage)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "cache", path);
	json_number(&json, "limit", (int64_t)usage->limit);
	json_number(&json, "used", (int64_t)usage->used);
	json_number(&json, "reserved", (int64_t)usage->reserved);
	json_number(&json, "objects", (int64_t)usage->objects);
	json_number(&json, "entries", (int64_t)usage->entries);
	json_close(&json, '}');
}

static void print_screen(const char *path, const struct fetchfs_usage *usage)
{
	char used[UNITS_SIZE_TEXT], limit[UNITS_SIZE_TEXT], reserved[UNITS_SIZE_TEXT];
	double percent = usage->limit ? 100.0 * (double)usage->used / (double)usage->limit : 0.0;

	units_format_size(usage->used, used);
	units_format_size(usage->limit, limit);
	units_format_size(usage->reserved, reserved);
	printf("cache      %s\n", path);
	printf("used       %s of %s (%.0f%%), %s reserved for downloads\n", used, limit, percent,
		reserved);
	printf("artifacts  %" PRIu64 " complete, in %" PRIu64 " objects\n", usage->entries,
		usage->objects);
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	struct status status = {0};
	struct fetchfs_usage usage;
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &status);
	r = mounted_use_cache(cli, mounted_directory(cli, status.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	r = fetchfs_usage(fetchfs, &usage, &err);
	if (r == 0 && status.json)
		print_json(fetchfs_cache_path(fetchfs), &usage);
	else if (r == 0)
		print_screen(fetchfs_cache_path(fetchfs), &usage);
	fetchfs_close(fetchfs);
	return r < 0 ? cli_fail(cli, NULL, &err) : EXIT_DONE;
}
