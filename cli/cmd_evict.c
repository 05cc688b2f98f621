/* fetchfs evict: let artifacts go, by name or until the cache is small enough. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/mounted.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { OPTION_ALL = 1, OPTION_TO, OPTION_JSON, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"all", OPTION_ALL, 0, 0, "all that is not in use", 0},
	{"to", OPTION_TO, "SIZE", 0, "the least recently used, until at most SIZE is left", 0},
	{"json", OPTION_JSON, 0, 0, "print a JSON object about --all or --to, or each URI", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "the cache behind this mount", 0},
	{0},
};

struct evict {
	struct cli *cli;
	const char *mount;
	bool down; /* to @size */
	uint64_t size;
	bool json;
	char **uris;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct evict *evict = state->input;

	switch (key) {
	case OPTION_ALL:
		evict->down = true;
		evict->size = 0;
		return 0;
	case OPTION_TO:
		evict->down = true;
		if (units_parse_size(arg, &evict->size) < 0)
			argp_error(state, "--to %s: no size", arg);
		return 0;
	case OPTION_JSON:
		evict->json = true;
		return 0;
	case OPTION_MOUNT:
		evict->mount = arg;
		return 0;
	case ARGP_KEY_ARGS:
		evict->uris = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		if (!evict->down == !evict->uris)
			argp_error(state, "say either URIs, or --all or --to SIZE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int evict_down(struct fetchfs *fetchfs, const struct evict *evict)
{
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;
	char freed_text[UNITS_SIZE_TEXT], used_text[UNITS_SIZE_TEXT];
	uint64_t freed = 0;
	int r;

	r = fetchfs_evict_to(fetchfs, evict->size, &freed, &err);
	if (r == 0)
		r = fetchfs_usage(fetchfs, &usage, &err);
	if (r < 0)
		return cli_fail(evict->cli, NULL, &err);
	if (evict->json) {
		struct json json = {.out = stdout};

		json_open(&json, NULL, '{');
		json_number(&json, "freed", (int64_t)freed);
		json_number(&json, "used", (int64_t)usage.used);
		json_close(&json, '}');
	} else if (!evict->cli->quiet) {
		units_format_size(freed, freed_text);
		units_format_size(usage.used, used_text);
		printf("freed %s, %s in use\n", freed_text, used_text);
	}
	return EXIT_DONE;
}

static int evict_one(struct fetchfs *fetchfs, const struct evict *evict, const char *uri)
{
	const struct fetchfs_request request = {.uri = uri, .uid = getuid()};
	CLEANUP(str_freep) char *shown = cli_shown(uri);
	struct err err = ERR_INIT;

	if (fetchfs_evict(fetchfs, &request, &err) == 0)
		err = ERR_INIT;
	if (evict->json) {
		struct json json = {.out = stdout};

		json_open(&json, NULL, '{');
		json_text(&json, "uri", shown);
		json_bool(&json, "evicted", !err.code);
		json_error(&json, "error", &err);
		json_close(&json, '}');
	}
	return err.code ? cli_fail(evict->cli, shown, &err) : EXIT_DONE;
}

int cmd_evict(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	struct evict evict = {.cli = cli};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int status = EXIT_DONE;
	int r;

	cli_parse(cli, &argp, argc, argv, &evict);
	r = mounted_use_cache(cli, mounted_directory(cli, evict.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	if (evict.down)
		status = evict_down(fetchfs, &evict);
	for (char **uri = evict.uris; uri && *uri; uri++)
		status = cli_worst(status, evict_one(fetchfs, &evict, *uri));
	fetchfs_close(fetchfs);
	return status;
}
