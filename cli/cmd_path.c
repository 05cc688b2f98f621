/* fetchfs path: where a URI is in the mount, which then knows it by name. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { OPTION_MOUNT = 1 };

static const struct argp_option options[] = {
	{"mount", OPTION_MOUNT, "DIR", 0, "the mount (else $FETCHFS_MOUNT)", 0},
	{0},
};

struct path {
	const char *uri;
	const char *mount;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct path *path = state->input;

	switch (key) {
	case OPTION_MOUNT:
		path->mount = arg;
		return 0;
	default:
		return cli_parse_only(key, arg, state, "URI", &path->uri);
	}
}

static int print_path(const struct path *path, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	size_t len = strlen(path->mount);
	int r;

	r = mounted_know(path->mount, path->uri, err);
	if (r == 0)
		r = fetchfs_mount_path(path->uri, &name, err);
	if (r < 0)
		return r;
	while (len > 1 && path->mount[len - 1] == '/')
		len--;
	printf("%.*s/%s\n", (int)len, path->mount, name);
	return 0;
}

int cmd_path(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *shown = NULL;
	struct path path = {0};
	struct err err = ERR_INIT;

	cli_parse(cli, &argp, argc, argv, &path);
	path.mount = mounted_directory(cli, path.mount);
	shown = cli_shown(path.uri);
	if (!path.mount) {
		fputs("fetchfs: path: which mount? Say --mount DIR or set $FETCHFS_MOUNT\n",
			stderr);
		return EXIT_USAGE;
	}
	return print_path(&path, &err) < 0 ? cli_fail(cli, shown, &err) : EXIT_DONE;
}
