/* fetchfs check: whether this machine is ready, and what to do about what is not. */
#include "cli/checks.h"

enum { OPTION_JSON = 1 };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print one JSON object for each finding", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct checks *checks = state->input;

	switch (key) {
	case OPTION_JSON:
		checks->json = true;
		return 0;
	default:
		return cli_parse_none(key, arg, state);
	}
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	struct checks checks = {.cli = cli};

	cli_parse(cli, &argp, argc, argv, &checks);
	check_machine(&checks);
	check_cache(&checks);
	check_mount(&checks);
	return checks.bad > 0 ? EXIT_FAILED : EXIT_DONE;
}
