/* fetchfs ls: what the cache knows, in the order of URIs, as it is read. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/mounted.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"long", 'l', 0, 0, "with state, size, age and digest", 0},
	{"json", OPTION_JSON, 0, 0, "print one JSON object for each", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "the cache behind this mount", 0},
	{0},
};

struct ls {
	const char *prefix;
	const char *mount;
	bool detailed;
	bool json;
	int64_t now; /* seconds since 1970 */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ls *ls = state->input;

	switch (key) {
	case 'l':
		ls->detailed = true;
		return 0;
	case OPTION_JSON:
		ls->json = true;
		return 0;
	case OPTION_MOUNT:
		ls->mount = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (ls->prefix)
			argp_error(state, "one prefix at a time");
		ls->prefix = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_line(const struct ls *ls, const struct fetchfs_info *info)
{
	char size[UNITS_SIZE_TEXT] = "-", age[UNITS_SIZE_TEXT] = "-";

	if (info->size >= 0)
		units_format_size((uint64_t)info->size, size);
	if (info->fetched >= 0 && info->fetched <= ls->now && info->state == FETCHFS_COMPLETE)
		units_format_duration((ls->now - info->fetched) * 1000, age);
	printf("%-9s  %11s  %7s  %-12.12s  %s\n", fetchfs_state_name(info->state), size, age,
		*info->sha256 ? info->sha256 : "-", info->uri);
}

static int visit(const struct fetchfs_info *info, void *arg)
{
	const struct ls *ls = arg;

	if (ls->json) {
		struct json json = {.out = stdout};

		json_info(&json, info);
	} else if (ls->detailed) {
		print_line(ls, info);
	} else {
		puts(info->uri);
	}
	return ferror(stdout) ? 1 : 0; /* cli_finish() tells why */
}

int cmd_ls(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	struct ls ls = {.now = clock_wall()};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &ls);
	r = mounted_use_cache(cli, mounted_directory(cli, ls.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	r = fetchfs_list(fetchfs, ls.prefix ? ls.prefix : "", getuid(), visit, &ls, &err);
	fetchfs_close(fetchfs);
	return r < 0 ? cli_fail(cli, NULL, &err) : EXIT_DONE;
}
