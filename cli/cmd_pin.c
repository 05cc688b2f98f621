/* fetchfs pin, unpin: what eviction leaves alone. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"
#include "cli/pattern.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print a JSON object for each artifact", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "of the cache behind this mount", 0},
	PATTERN_OPTION_DOC,
	{0},
};

struct pinning {
	struct cli *cli;
	const char *mount;
	bool pin;
	bool json;
	char **uris;

	/* below: of the run */
	struct fetchfs *fetchfs;
	uint64_t matched;
	int status;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pinning *pinning = state->input;

	switch (key) {
	case OPTION_JSON:
		pinning->json = true;
		return 0;
	case OPTION_MOUNT:
		pinning->mount = arg;
		return 0;
	case ARGP_KEY_ARGS:
		pinning->uris = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a URI is missing");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One artifact: do it, and tell. */
static void apply(struct pinning *pinning, const char *key, const char *shown, struct err *err)
{
	if (!err->code && fetchfs_pin(pinning->fetchfs, key, pinning->pin, err) == 0)
		*err = ERR_INIT;
	if (err->code == ENOENT)
		err_set(err, ERR_SYSTEM, ENOENT,
			"not in the cache; fetch --pin fetches and pins it");
	if (pinning->json) {
		struct json json = {.out = stdout};

		json_open(&json, NULL, '{');
		json_text(&json, "uri", shown);
		json_bool(&json, "pinned", pinning->pin && !err->code);
		json_error(&json, "error", err);
		json_close(&json, '}');
	}
	if (err->code)
		pinning->status = cli_worst(pinning->status, cli_fail(pinning->cli, shown, err));
}

/* ---- a URI ---- */

static void pin_uri(struct pinning *pinning, const char *uri)
{
	const struct fetchfs_request request = {.uri = uri, .uid = getuid()};
	CLEANUP(str_freep) char *shown = cli_shown(uri);
	char key[FETCHFS_KEY_HEX_SIZE] = "";
	struct err err = ERR_INIT;

	if (fetchfs_key(pinning->fetchfs, &request, key, &err) == 0)
		err = ERR_INIT;
	apply(pinning, key, shown, &err);
}

/* ---- a pattern ---- */

static int visit(const struct fetchfs_info *info, void *arg)
{
	struct pinning *pinning = arg;
	struct err err = ERR_INIT;

	if (info->state != FETCHFS_COMPLETE && !info->pinned)
		return 0;
	pinning->matched++;
	if (info->pinned == pinning->pin)
		return 0;
	apply(pinning, info->key, info->uri, &err);
	return 0;
}

static void pin_pattern(struct pinning *pinning, const char *pattern)
{
	uint64_t before = pinning->matched;
	struct err err = ERR_INIT;
	int r = pattern_list(pinning->fetchfs, pattern, visit, pinning, &err);

	if (r == 0 && pinning->matched == before)
		r = pattern_of_nothing(&err);
	if (r < 0)
		pinning->status = cli_worst(pinning->status, cli_fail(pinning->cli, pattern, &err));
	else if (!pinning->json && !pinning->cli->quiet)
		printf("%s: %" PRIu64 " %s\n", pattern, pinning->matched - before,
			pinning->pin ? "pinned" : "not pinned");
}

/* ---- both ---- */

static int run(struct pinning *pinning, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	struct cli *cli = pinning->cli;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, pinning);
	r = mounted_use_cache(cli, mounted_directory(cli, pinning->mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &pinning->fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	for (char **uri = pinning->uris; *uri; uri++)
		if (pattern_is(pinning->fetchfs, *uri))
			pin_pattern(pinning, *uri);
		else
			pin_uri(pinning, *uri);
	fetchfs_close(pinning->fetchfs);
	return pinning->status;
}

int cmd_pin(struct cli *cli, int argc, char **argv)
{
	struct pinning pinning = {.cli = cli, .pin = true};

	return run(&pinning, argc, argv);
}

int cmd_unpin(struct cli *cli, int argc, char **argv)
{
	struct pinning pinning = {.cli = cli};

	return run(&pinning, argc, argv);
}
