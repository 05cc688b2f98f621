/* fetchfs stat: all that is known of one URI. Asks the origin only when that is nothing. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/mounted.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print one JSON object", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "the cache behind this mount", 0},
	{0},
};

struct look {
	const char *uri;
	const char *mount;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct look *look = state->input;

	switch (key) {
	case OPTION_JSON:
		look->json = true;
		return 0;
	case OPTION_MOUNT:
		look->mount = arg;
		return 0;
	default:
		return cli_parse_only(key, arg, state, "URI", &look->uri);
	}
}

static void print_time(const char *name, int64_t when)
{
	char text[32];
	time_t t = (time_t)when;
	struct tm tm;

	if (when < 0 || !gmtime_r(&t, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%-10s %s\n", name, text);
}

static void print_text(const char *name, const char *value)
{
	if (value && *value)
		printf("%-10s %s\n", name, value);
}

static void print_info(const struct fetchfs_info *info)
{
	char size[UNITS_SIZE_TEXT];

	print_text("uri", info->uri);
	print_text("state", fetchfs_state_name(info->state));
	if (info->size >= 0) {
		units_format_size((uint64_t)info->size, size);
		printf("%-10s %" PRId64 " (%s)\n", "size", info->size, size);
	}
	printf("%-10s %" PRIu64 "\n", "cached", info->cached_bytes);
	print_text("sha256", info->sha256);
	print_text("scope", info->is_public ? "public" : "private");
	print_text("executable", info->executable ? "yes" : "no");
	print_text("pinned", info->pinned ? "yes" : "no");
	print_text("etag", info->etag);
	print_text("type", info->type);
	print_time("modified", info->modified);
	print_time("fetched", info->fetched);
	print_time("verified", info->verified);
	print_time("expires", info->expires);
	print_time("last used", info->last_used);
	print_text("key", info->key);
}

static int look_at(struct fetchfs *fetchfs, const struct look *look, struct err *err)
{
	const struct fetchfs_request request = {.uri = look->uri, .uid = getuid()};
	struct fetchfs_info info;
	int r;

	r = fetchfs_find(fetchfs, &request, &info, err);
	if (r == -ENOENT)
		r = fetchfs_stat(fetchfs, &request, &info, err);
	if (r < 0)
		return r;
	if (look->json) {
		struct json json = {.out = stdout};

		json_info(&json, &info);
	} else {
		print_info(&info);
	}
	fetchfs_info_release(&info);
	return 0;
}

int cmd_stat(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	CLEANUP(str_freep) char *shown = NULL;
	struct look look = {0};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &look);
	shown = cli_shown(look.uri);
	r = mounted_use_cache(cli, mounted_directory(cli, look.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	r = look_at(fetchfs, &look, &err);
	fetchfs_close(fetchfs);
	return r < 0 ? cli_fail(cli, shown, &err) : EXIT_DONE;
}
