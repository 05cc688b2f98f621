/*
 * The command line: one table, one file per command (cmd_NAME.c exports cmd_NAME()).
 *
 * Exit status: 0 all done, 1 something failed (each failure one line on stderr,
 * "fetchfs: fetch https://…: 404 not found"), 2 wrong usage, 3 temporary, worth retrying.
 */
#ifndef FETCHFS_CLI_CLI_H
#define FETCHFS_CLI_CLI_H

#include "base/err.h"
#include "base/log.h"
#include "fetch/fetchfs.h"

#include <argp.h>
#include <stdbool.h>

/* This program, for fetchfs_options.program. */
#define CLI_PROGRAM "/proc/self/exe"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TEMPORARY = 3 };

/* What stands before the command. */
struct cli {
	const char *cache;  /* --cache, or NULL */
	const char *config; /* --config, or NULL */
	bool quiet;
	bool verbose;
	bool debug;          /* twice -v */
	const char *command; /* its name, for messages */
	bool warned_weak;    /* of digests that protect against nobody */
	bool only_existing;  /* a cache that is not there yet is not made */
	int out_error;       /* errno with which stdout failed earlier, or 0 */
	/* Instead of parsing: the command is only asked what it understands. Does not return. */
	void (*explain)(struct cli *cli, const struct argp *argp);
	void *explain_arg;
};

struct command {
	const char *name;
	const char *synopsis; /* "[-i FILE] [-j N] URI…" */
	const char *summary;
	int (*run)(struct cli *cli, int argc,
		char **argv); /* argv[0] is "fetchfs NAME"; exit status */
};

/* What of the log is shown, by -q and -v. */
enum log_level cli_log_level(const struct cli *cli);

extern const struct command command_table[]; /* ends with a NULL name */

/* The command called @name, or NULL. */
const struct command *command_find(const char *name);

/* The command that somebody who typed @name may have meant, or NULL. */
const struct command *command_like(const char *name);

/* The options that stand before a command, and are understood after it, too. Input: struct cli. */
extern const struct argp cli_global_argp;

/*
 * Parse a command's arguments by @argp, whose parser gets @input; usage and summary come from the
 * table. Wrong usage, --help and --version end the program here.
 */
void cli_parse(struct cli *cli, const struct argp *argp, int argc, char **argv, void *input);

/* For the parser of a command that takes no argument. The other keys are unknown to it. */
error_t cli_parse_none(int key, const char *arg, struct argp_state *state);

/*
 * For the parser of a command that takes exactly one argument, called a @what: into *ret. The other
 * keys are unknown to it.
 */
error_t cli_parse_only(
	int key, char *arg, struct argp_state *state, const char *what, const char **ret);

/* The name of a user, or its number, or NULL: not known (-1). The caller's to free(). */
char *cli_user_name(int64_t uid);

/* The argument of -j: from 1 to @max, or wrong usage. */
unsigned int cli_parse_jobs(const char *arg, const struct argp_state *state, unsigned int max);

/* Open the cache that the options, $FETCHFS_CACHE or the user's default name. Warnings are printed.
 */
int cli_open(const struct cli *cli, struct fetchfs **ret, struct err *err);

/* Print "fetchfs: COMMAND [SUBJECT: ]TEXT" and return the exit status that belongs to @err. */
int cli_fail(const struct cli *cli, const char *subject, const struct err *err);

/*
 * If @digest ("KIND:HEX", or NULL) is of a kind that can be forged, warn of that, once in a run and
 * not when quiet. @subject says where it is used.
 */
void cli_warn_weak(struct cli *cli, const char *digest, const char *subject);

/* Say that @subject is an old copy, since its origin could not be asked: @why. Not when quiet, nor
 * when @why is NULL. */
void cli_warn_old(const struct cli *cli, const char *subject, const char *why);

/* What @uri is to hash to by its fragment, as "KIND:HEX", or "", into @ret of FETCHFS_DIGEST_SIZE.
 */
void cli_fragment(const char *uri, char *ret);

/* The exit status that belongs to @err. */
int cli_status(const struct err *err);

/* The worse of two exit statuses: usage, failed, temporary, done. */
int cli_worst(int a, int b);

/* The URI @text as it may be shown, also when it is malformed; the caller's to free(). NULL: no
 * memory. */
char *cli_shown(const char *text);

/* Flush stdout and return @status, or the failure to write. Dies by SIGPIPE if nobody reads. */
int cli_finish(const struct cli *cli, int status);

/* Whether stdout is a pipe or socket that nobody reads any more. */
bool cli_reader_is_gone(void);

/* Nobody reads stdout any more: end as programs do then, without a word. */
void cli_end_by_pipe(void);

int cmd_mount(struct cli *cli, int argc, char **argv);
int cmd_unmount(struct cli *cli, int argc, char **argv);
int cmd_fetch(struct cli *cli, int argc, char **argv);
int cmd_cat(struct cli *cli, int argc, char **argv);
int cmd_get(struct cli *cli, int argc, char **argv);
int cmd_path(struct cli *cli, int argc, char **argv);
int cmd_ls(struct cli *cli, int argc, char **argv);
int cmd_stat(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_log(struct cli *cli, int argc, char **argv);
int cmd_report(struct cli *cli, int argc, char **argv);
int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_config(struct cli *cli, int argc, char **argv);
int cmd_evict(struct cli *cli, int argc, char **argv);
int cmd_prepare(struct cli *cli, int argc, char **argv);
int cmd_release(struct cli *cli, int argc, char **argv);
int cmd_sandboxes(struct cli *cli, int argc, char **argv);
int cmd_oci_hook(struct cli *cli, int argc, char **argv);
int cmd_gc(struct cli *cli, int argc, char **argv);
int cmd_verify(struct cli *cli, int argc, char **argv);
int cmd_pin(struct cli *cli, int argc, char **argv);
int cmd_unpin(struct cli *cli, int argc, char **argv);
int cmd_export(struct cli *cli, int argc, char **argv);
int cmd_import(struct cli *cli, int argc, char **argv);

#endif
