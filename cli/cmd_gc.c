/* fetchfs gc: let go of what nobody uses any more and nobody gave back; and see that what is there
 * stays there when the power goes. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/mounted.h"
#include "sandbox/gc.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print a JSON object of what was done", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "of the cache behind this mount", 0},
	{0},
};

struct gc {
	const struct cli *cli;
	struct json json;
	const char *mount;
	bool as_json;
	struct fetchfs_reconciled reconciled;
	int status;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct gc *gc = state->input;

	switch (key) {
	case OPTION_JSON:
		gc->as_json = true;
		return 0;
	case OPTION_MOUNT:
		gc->mount = arg;
		return 0;
	default:
		return cli_parse_none(key, arg, state);
	}
}

static void print_json(struct json *json, const struct gc_sandbox *sandbox)
{
	json_open(json, NULL, '{');
	json_text(json, "directory", sandbox->directory);
	json_bool(json, "gone", !sandbox->is_there && !sandbox->moved_to);
	json_bool(json, "released", !sandbox->err.code && !sandbox->moved_to);
	json_number(json, "files", (int64_t)sandbox->files);
	json_number(json, "mounts", (int64_t)sandbox->mounts);
	json_text(json, "moved_to", sandbox->moved_to);
	json_error(json, "error", &sandbox->err);
	json_close(json, '}');
}

static void print_line(const struct gc_sandbox *sandbox)
{
	const char *plural = sandbox->files == 1 ? "" : "s";

	if (sandbox->moved_to)
		printf("%s: is at %s now: left alone\n", sandbox->directory, sandbox->moved_to);
	else if (!sandbox->err.code && sandbox->is_there)
		printf("%s: mounted before the last boot: released %zu file%s\n",
			sandbox->directory, sandbox->files, plural);
	else if (!sandbox->err.code)
		printf("%s: is gone: released %zu file%s, %zu mounted\n", sandbox->directory,
			sandbox->files, plural, sandbox->mounts);
}

static void print_reconciled(const struct fetchfs_reconciled *sum)
{
	char bytes[UNITS_SIZE_TEXT];

	units_format_size(sum->bytes, bytes);
	if (sum->orphans > 0)
		printf("removed %" PRIu64 " files that nothing knew of, %s\n", sum->orphans, bytes);
	if (sum->missing > 0)
		printf("%" PRIu64 " objects were missing\n", sum->missing);
	if (sum->recounted)
		printf("the account of what is there was wrong: counted anew\n");
}

static void told(const struct gc_sandbox *sandbox, void *arg)
{
	struct gc *gc = arg;

	if (gc->as_json)
		print_json(&gc->json, sandbox);
	else if (!gc->cli->quiet)
		print_line(sandbox);
	if (sandbox->err.code)
		gc->status =
			cli_worst(gc->status, cli_fail(gc->cli, sandbox->directory, &sandbox->err));
}

static void left_alone(const char *directory, const char *name, void *arg)
{
	const struct gc *gc = arg;
	CLEANUP(str_freep) char *plain = str_printf("%s/%s", directory, name);

	if (gc->cli->quiet || !plain)
		return;
	/* an archive may have told it */
	str_make_plain(plain);
	fprintf(stderr, "fetchfs: gc: %s was replaced, or filled by others: left alone\n", plain);
}

int cmd_gc(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	struct gc gc = {.cli = cli, .json = {.out = stdout}, .status = EXIT_DONE};
	CLEANUP(str_freep) char *cache = NULL;
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &gc);
	r = mounted_use_cache(cli, mounted_directory(cli, gc.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	if (fetchfs_reconcile(fetchfs, &gc.reconciled, &err) < 0)
		gc.status = cli_fail(cli, NULL, &err);
	/* after it: a partial may have waited for one of the files that it took away */
	fetchfs_sweep(fetchfs);
	if (fetchfs_settle(fetchfs, &err) < 0)
		gc.status = cli_fail(cli, NULL, &err);
	err = ERR_INIT; /* that has been told */
	if (gc.as_json) {
		json_open(&gc.json, NULL, '{');
		json_open(&gc.json, "sandboxes", '[');
	}
	/* without a text of its own, what failed has been told */
	if (gc_sandboxes(fetchfs, told, left_alone, &gc, &err) < 0 && err.code)
		gc.status = cli_fail(cli, NULL, &err);
	if (gc.as_json) {
		json_close(&gc.json, ']');
		json_number(&gc.json, "orphans", (int64_t)gc.reconciled.orphans);
		json_number(&gc.json, "missing", (int64_t)gc.reconciled.missing);
		json_bool(&gc.json, "recounted", gc.reconciled.recounted);
		json_close(&gc.json, '}');
	} else if (!cli->quiet) {
		print_reconciled(&gc.reconciled);
	}
	fetchfs_close(fetchfs);
	return gc.status;
}
