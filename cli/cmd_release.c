/* fetchfs release: take back what prepare placed. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"
#include "sandbox/release.h"

#include <errno.h>
#include <stdio.h>

enum { OPTION_MOUNT = 1 };

static const struct argp_option options[] = {
	{"mount", OPTION_MOUNT, "DIR", 0, "by the cache behind this mount", 0},
	{0},
};

struct target {
	const char *directory;
	const char *mount;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct target *target = state->input;

	if (key != OPTION_MOUNT)
		return cli_parse_only(key, arg, state, "directory", &target->directory);
	target->mount = arg;
	return 0;
}

static void left_alone(const char *name, void *arg)
{
	const struct cli *cli = arg;
	CLEANUP(str_freep) char *plain = str_copy(name);

	if (cli->quiet || !plain)
		return;
	/* an archive may have told it */
	str_make_plain(plain);
	fprintf(stderr, "fetchfs: release: %s was replaced, or filled by others: left alone\n",
		plain);
}

/* What another cache placed stays, with its mounts: whoever gave the wrong one is to know. */
static void nothing_there(const struct cli *cli, const char *directory, struct fetchfs *fetchfs)
{
	if (!cli->quiet)
		fprintf(stderr,
			"fetchfs: release: nothing was prepared in %s by the cache %s "
			"(of another one, by --cache or --mount)\n",
			directory, fetchfs_cache_path(fetchfs));
}

int cmd_release(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	struct target target = {0};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	size_t count = 0;
	int r;

	cli_parse(cli, &argp, argc, argv, &target);
	r = mounted_use_cache(cli, mounted_directory(cli, target.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	r = release_run(fetchfs, target.directory, left_alone, cli, &count, &err);
	if (r == 0 && count == 0)
		nothing_there(cli, target.directory, fetchfs);
	fetchfs_close(fetchfs);
	return r < 0 ? cli_fail(cli, target.directory, &err) : EXIT_DONE;
}
