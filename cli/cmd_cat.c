/* fetchfs cat: the bytes to stdout, as they arrive. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/artifact.h"
#include "cli/cli.h"

#include <errno.h>
#include <unistd.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct artifact_request *request = state->input;

	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = request;
		return 0;
	}
	return cli_parse_only(key, arg, state, "URI", &request->uri);
}

int cmd_cat(struct cli *cli, int argc, char **argv)
{
	const struct argp_child children[] = {{.argp = &artifact_argp}, {0}};
	const struct argp argp = {.parser = parse, .children = children};
	CLEANUP(str_freep) char *shown = NULL;
	struct artifact_request request = {0};
	struct artifact artifact;
	struct err err = ERR_INIT;
	bool of_cache;
	int r;

	cli_parse(cli, &argp, argc, argv, &request);
	if (!artifact_prepare(cli, &request))
		return EXIT_USAGE;
	shown = cli_shown(request.uri);
	r = artifact_open(cli, &request, &artifact, &of_cache, &err);
	if (r == 0)
		r = artifact_write(&artifact, STDOUT_FILENO, "stdout", &err);
	if (r == 0)
		artifact_warn_old(cli, &artifact, shown);
	artifact_close(&artifact, r == 0);
	if (r == -EPIPE)
		cli_end_by_pipe();
	return r < 0 ? cli_fail(cli, of_cache ? NULL : shown, &err) : EXIT_DONE;
}
