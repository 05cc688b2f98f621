/* What all commands share: options, opening the cache, telling what failed. */
#include "cli/cli.h"

#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_CACHE = 0x100, OPTION_CONFIG };

static const struct argp_option global_options[] = {
	{0, 0, 0, 0, "For every command:", -2},
	{"cache", OPTION_CACHE, "DIR", 0, "the cache (else $FETCHFS_CACHE, else the user's own)",
		0},
	{"config", OPTION_CONFIG, "FILE", 0, "the configuration (else $FETCHFS_CONFIG)", 0},
	{"quiet", 'q', 0, 0, "say nothing but what failed", 0},
	{"verbose", 'v', 0, 0, "say what is done; twice: what was tried in vain, too", 0},
	{0},
};

static error_t parse_global(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	switch (key) {
	case OPTION_CACHE:
		cli->cache = arg;
		return 0;
	case OPTION_CONFIG:
		cli->config = arg;
		return 0;
	case 'q':
		cli->quiet = true;
		cli->verbose = false;
		cli->debug = false;
		return 0;
	case 'v':
		cli->debug = cli->verbose;
		cli->verbose = true;
		cli->quiet = false;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_global_argp = {.options = global_options, .parser = parse_global};

struct parse {
	struct cli *cli;
	void *input; /* the command's */
};

static error_t parse_both(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;

	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = parse->input;
	state->child_inputs[1] = parse->cli;
	return 0;
}

void cli_parse(struct cli *cli, const struct argp *argp, int argc, char **argv, void *input)
{
	const struct command *command = command_find(cli->command);
	const struct argp_child children[] = {{.argp = argp}, {.argp = &cli_global_argp}, {0}};
	const struct argp both = {
		.parser = parse_both,
		.args_doc = command->synopsis,
		.doc = command->summary,
		.children = children,
	};
	struct parse parse = {.cli = cli, .input = input};

	if (cli->explain)
		cli->explain(cli, &both);
	argp_parse(&both, argc, argv, 0, NULL, &parse);
	log_setup(cli_log_level(cli), LOG_TO_STDERR);
}

enum log_level cli_log_level(const struct cli *cli)
{
	if (cli->debug)
		return LOG_LEVEL_DEBUG;
	return cli->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
}

error_t cli_parse_none(int key, const char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "%s: takes no arguments", arg);
	return ARGP_ERR_UNKNOWN;
}

error_t cli_parse_only(
	int key, char *arg, struct argp_state *state, const char *what, const char **ret)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (*ret)
			argp_error(state, "one %s at a time", what);
		*ret = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a %s is missing", what);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

char *cli_user_name(int64_t uid)
{
	const struct passwd *entry;

	if (uid < 0)
		return NULL;
	entry = getpwuid((uid_t)uid);
	return entry ? str_copy(entry->pw_name) : str_printf("%lld", (long long)uid);
}

unsigned int cli_parse_jobs(const char *arg, const struct argp_state *state, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || n < 1 || n > max)
		argp_error(state, "-j takes a number from 1 to %u", max);
	return (unsigned int)n;
}

int cli_open(const struct cli *cli, struct fetchfs **ret, struct err *err)
{
	const char *cache = cli->cache ? cli->cache : getenv("FETCHFS_CACHE");
	struct fetchfs_options options = {
		.cache = cache && *cache ? cache : NULL,
		.config = cli->config,
		.environment = (const char *const *)environ,
		.program = CLI_PROGRAM,
		.only_existing = cli->only_existing,
	};
	struct fetchfs *fetchfs;
	const char *warning;
	int r;

	r = fetchfs_open(&options, &fetchfs, err);
	if (r < 0)
		return r;
	for (size_t i = 0; (warning = fetchfs_warning(fetchfs, i)); i++)
		fprintf(stderr, "fetchfs: warning: %s\n", warning);
	*ret = fetchfs;
	return 0;
}

int cli_status(const struct err *err)
{
	if (!err->code)
		return EXIT_DONE;
	if (err->retry)
		return EXIT_TEMPORARY;
	return EXIT_FAILED;
}

int cli_fail(const struct cli *cli, const char *subject, const struct err *err)
{
	if (subject)
		fprintf(stderr, "fetchfs: %s %s: %s\n", cli->command, subject, err->msg);
	else
		fprintf(stderr, "fetchfs: %s: %s\n", cli->command, err->msg);
	return cli_status(err);
}

void cli_warn_weak(struct cli *cli, const char *digest, const char *subject)
{
	struct checksum checksum;

	if (cli->quiet || cli->warned_weak || !digest ||
		checksum_parse(digest, &checksum, NULL) < 0)
		return;
	if (!checksum_is_weak(&checksum))
		return;
	cli->warned_weak = true;
	fprintf(stderr, "fetchfs: warning: %s does not protect against forgery: %s\n",
		checksum_kind_name(checksum.kind), subject);
}

void cli_warn_old(const struct cli *cli, const char *subject, const char *why)
{
	if (why && !cli->quiet)
		fprintf(stderr, "fetchfs: warning: %s: an old copy stands in: %s\n", subject, why);
}

void cli_fragment(const char *uri, char *ret)
{
	CLEANUP(uri_release) struct uri parsed = {0};

	*ret = '\0';
	if (strchr(uri, '#') && uri_of_text(uri, &parsed, NULL) == 0)
		checksum_format(&parsed.expected, ret);
}

static int severity(int status)
{
	switch (status) {
	case EXIT_DONE:
		return 0;
	case EXIT_TEMPORARY:
		return 1;
	case EXIT_USAGE:
		return 3;
	default:
		return 2;
	}
}

int cli_worst(int a, int b)
{
	return severity(a) >= severity(b) ? a : b;
}

/* What cannot be parsed may still hold a password or a token: show neither, nor what a terminal
 * would obey. */
static char *shown_malformed(const char *text)
{
	const char *scheme_end = strstr(text, "://");
	const char *authority = scheme_end ? scheme_end + 3 : text;
	size_t authority_len = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', authority_len);
	const char *rest = at ? at + 1 : authority;
	size_t rest_len = strcspn(rest, "?#");
	char *shown;

	shown = str_printf("%.*s%.*s%s", (int)(authority - text), text, (int)rest_len, rest,
		rest[rest_len] == '?' ? "?…" : "");
	if (shown)
		str_make_plain(shown);
	return shown;
}

char *cli_shown(const char *text)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct err ignored = ERR_INIT;

	if (uri_of_text(text, &uri, &ignored) < 0)
		return shown_malformed(text);
	return uri_display(&uri);
}

bool cli_reader_is_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

void cli_end_by_pipe(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
}

int cli_finish(const struct cli *cli, int status)
{
	struct err err = ERR_INIT;
	int r = fflush(stdout);
	int code = errno;

	if (r == 0 && !ferror(stdout))
		return status;
	if (cli_reader_is_gone())
		cli_end_by_pipe();
	err_set(&err, ERR_SYSTEM,
		r < 0            ? code
		: cli->out_error ? cli->out_error
				 : EIO,
		"write to stdout: %m");
	return cli_worst(status, cli_fail(cli, NULL, &err));
}
