/* fetchfs: the options before the command, then the command. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/complete.h"
#include "cli/hide.h"
#include "cli/mesos_fetcher.h"
#include "cli/mounthelper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each transfer and each artifact being placed holds some. */
#define DESCRIPTORS 1024

struct start {
	struct cli cli;
	int command; /* index in argv, 0: there is none */
};

/* The first word that is no option is the command: what follows is its business. */
static error_t parse_start(int key, char *arg, struct argp_state *state)
{
	struct start *start = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &start->cli;
		return 0;
	case ARGP_KEY_ARG:
		start->command = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The table, where argp asks for the text below the options. argp frees it. */
static char *list_commands(int key, const char *text, void *input)
{
	char *list = NULL;
	size_t size = 0;
	FILE *out;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)(uintptr_t)text;
	out = open_memstream(&list, &size);
	if (!out)
		return NULL;
	fputs("Commands:\n", out);
	for (const struct command *command = command_table; command->name; command++)
		fprintf(out, "  %-9s %s\n", command->name, command->summary);
	fputs("\n'fetchfs COMMAND --help' tells more.", out);
	fclose(out);
	return list;
}

static int unknown_command(const char *name)
{
	const struct command *like = command_like(name);

	fprintf(stderr, "fetchfs: unknown command '%s'", name);
	if (like)
		fprintf(stderr, ": did you mean '%s'?", like->name);
	fputs("\nTry 'fetchfs --help'.\n", stderr);
	return EXIT_USAGE;
}

static int run(struct start *start, int argc, char **argv)
{
	const struct command *command = command_find(argv[0]);
	CLEANUP(str_freep) char *name = NULL;
	char *given;
	int r;

	if (!command)
		return unknown_command(argv[0]);
	name = str_printf("fetchfs %s", command->name);
	if (!name)
		return EXIT_FAILED;
	given = argv[0];
	argv[0] = name;
	start->cli.command = command->name;
	r = cli_finish(&start->cli, command->run(&start->cli, argc, argv));
	argv[0] = given;
	return r;
}

static int run_words(int argc, char **argv)
{
	const struct argp_child children[] = {{.argp = &cli_global_argp}, {0}};
	const struct argp argp = {
		.parser = parse_start,
		.args_doc = "COMMAND [ARGUMENT…]",
		.doc = "Any URI is a read-only file, downloaded once, verified, and cached.\v ",
		.children = children,
		.help_filter = list_commands,
	};
	CLEANUP(hide_freep) char **arguments = NULL;
	struct start start = {0};

	arguments = hide_arguments(argc, argv);
	if (!arguments)
		return EXIT_FAILED;
	argp_parse(&argp, argc, arguments, ARGP_IN_ORDER, NULL, &start);
	log_setup(cli_log_level(&start.cli), LOG_TO_STDERR);
	fd_expect(DESCRIPTORS);
	return run(&start, argc - start.command, arguments + start.command);
}

/* ---- other names of the program ---- */

/* (nothing runs at its end: what would, may not do anything any more) */
static int run_unpack(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	_exit(fetchfs_unpack_run());
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} other_names[] = {
	{FETCHFS_UNPACK_NAME, run_unpack},
	{MESOS_FETCHER_NAME, mesos_fetcher_run},
};

/* The last segment of what it was called by. */
static const char *own_name(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return slash ? slash + 1 : program;
}

int main(int argc, char **argv)
{
	const char *name = own_name(argv[0]);

	argp_program_version = "fetchfs " FETCHFS_VERSION;
	argp_err_exit_status = EXIT_USAGE;
	/* A peer or reader that goes away is an error to handle where the write is. */
	signal(SIGPIPE, SIG_IGN);
	if (fault_setup(getenv("FETCHFS_FAULT")) < 0) {
		fputs("fetchfs: $FETCHFS_FAULT is malformed\n", stderr);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(other_names); i++)
		if (str_equal(name, other_names[i].name))
			return other_names[i].run(argc, argv);
	if (argc > 1 && str_equal(argv[1], COMPLETE_WORD))
		return complete_run();
	if (mounthelper_is(argv[0]))
		return mounthelper_run(argc, argv, run_words);
	return run_words(argc, argv);
}
