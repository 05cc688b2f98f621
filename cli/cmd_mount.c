/*
 * fetchfs mount: serve a cache under a folder.
 *
 * The daemon is forked before anything is opened (neither SQLite nor threads survive a fork), and
 * tells its parent by a pipe how it went: the command returns when the mount answers.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/notify.h"
#include "fs/mount.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Each file that is open in the mount is open here, and may be once more in the kernel. */
#define DESCRIPTORS 16384

/* A mount that takes so long to end hangs with something that it has asked. */
#define END_SECONDS 15

static const struct argp_option options[] = {
	{"foreground", 'f', 0, 0, "stay in the foreground, and log to stderr", 0},
	{"options", 'o', "OPTS", 0,
		"cache=DIR, config=FILE, known (no name causes a request), xattrs (list them), "
		"nopassthrough (all reads come to the daemon), and what mount(8) and libfuse know, "
		"separated by commas",
		0},
	{0},
};

struct mounting {
	struct cli *cli;
	const char *given; /* the folder, as typed */
	char *directory;   /* the same, absolute */
	char *cache;       /* absolute, or NULL: the default */
	char *fuse_options;
	bool foreground;
	bool list_xattrs;
	bool known_only;
	bool no_passthrough;
	int pipe; /* to the parent, or -1 */
};

static void mounting_release(struct mounting *mounting)
{
	free(mounting->directory);
	free(mounting->cache);
	free(mounting->fuse_options);
}

/* ---- arguments ---- */

/* One word of -o. What is not ours is passed on. */
static void take_option(struct mounting *mounting, char *word, struct argp_state *state)
{
	char *more;

	if (str_equal(word, "xattrs")) {
		mounting->list_xattrs = true;
	} else if (str_equal(word, "known")) {
		mounting->known_only = true;
	} else if (str_equal(word, "nopassthrough")) {
		mounting->no_passthrough = true;
	} else if (str_has_prefix(word, "cache=")) {
		mounting->cli->cache = word + strlen("cache=");
	} else if (str_has_prefix(word, "config=")) {
		mounting->cli->config = word + strlen("config=");
	} else if (*word && !str_equal(word, "ro")) {
		more = str_printf("%s%s%s", mounting->fuse_options ? mounting->fuse_options : "",
			mounting->fuse_options ? "," : "", word);
		if (!more)
			argp_failure(state, EXIT_FAILED, 0, "out of memory");
		free(mounting->fuse_options);
		mounting->fuse_options = more;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct mounting *mounting = state->input;
	char *word;

	switch (key) {
	case 'f':
		mounting->foreground = true;
		return 0;
	case 'o':
		while ((word = strsep(&arg, ",")))
			take_option(mounting, word, state);
		return 0;
	default:
		return cli_parse_only(key, arg, state, "folder", &mounting->given);
	}
}

/* ---- the folder and the cache ---- */

static int find_directory(struct mounting *mounting, struct err *err)
{
	CLEANUP(str_freep) char *status = NULL;
	struct stat st;
	int r = mount_clear_dead(mounting->given, err);

	if (r < 0)
		return r;
	mounting->directory = realpath(mounting->given, NULL);
	if (!mounting->directory || stat(mounting->directory, &st) < 0)
		return err_set(err, ERR_USAGE, errno, "%m");
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, ENOTDIR, "not a folder");

	status = str_printf("%s/.fetchfs/status", mounting->directory);
	if (!status)
		return err_oom(err);
	if (access(status, F_OK) == 0)
		return err_set(err, ERR_USAGE, EBUSY, "fetchfs is mounted there already");
	return 0;
}

/* The daemon's current directory is another. */
static int find_cache(struct mounting *mounting, struct err *err)
{
	const char *cache = mounting->cli->cache;
	CLEANUP(str_freep) char *here = NULL;

	if (!cache)
		cache = getenv("FETCHFS_CACHE");
	if (!cache || !*cache)
		return 0;
	here = *cache == '/' ? str_copy("") : getcwd(NULL, 0);
	if (here)
		mounting->cache = str_printf("%s%s%s", here, *here ? "/" : "", cache);
	return mounting->cache ? 0 : err_oom(err);
}

/* ---- serving ---- */

/* Away from the terminal and from the folder where it was started. */
static void let_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		fd_close(&null);
	}
	if (chdir("/") < 0)
		log_warning("cannot leave the current folder: %s", strerror(errno));
}

static void report(struct mounting *mounting, const struct err *err)
{
	if (mounting->pipe < 0)
		return;
	(void)fd_write_all(mounting->pipe, err, sizeof(*err));
	fd_close(&mounting->pipe);
}

static void ready(void *arg)
{
	struct mounting *mounting = arg;
	struct err none = ERR_INIT;

	if (!mounting->foreground)
		let_go();
	notify_send("READY=1");
	report(mounting, &none);
}

/*
 * A thread in a file system that does not answer cannot be told anything, nor waited for. What is
 * in the cache is whole at any moment, and what was still to be written is done again.
 */
static void *limit_end(void *arg)
{
	const char *directory = arg;
	struct timespec left = {.tv_sec = END_SECONDS};

	while (nanosleep(&left, &left) < 0)
		;
	log_warning("%s: something that it has asked does not answer; ended without it", directory);
	_exit(EXIT_DONE);
}

static void ending(void *arg)
{
	const struct mounting *mounting = arg;
	char *directory = str_copy(mounting->directory); /* the thread's, to the end */
	pthread_t thread;

	notify_send("STOPPING=1");
	if (directory && pthread_create(&thread, NULL, limit_end, directory) == 0)
		pthread_detach(thread);
	else
		free(directory);
}

static int serve(struct mounting *mounting, struct err *err)
{
	const struct fetchfs_options open_options = {
		.cache = mounting->cache,
		.config = mounting->cli->config,
		.config_lenient = true, /* what an older program does not know must not stop it */
		.daemon = true,
		.environment = (const char *const *)environ,
		.program = CLI_PROGRAM,
	};
	const struct mount_options mount_options = {
		.directory = mounting->directory,
		.fuse_options = mounting->fuse_options,
		.list_xattrs = mounting->list_xattrs,
		.known_only = mounting->known_only,
		.no_passthrough = mounting->no_passthrough,
		.ready = ready,
		.ending = ending,
		.arg = mounting,
	};
	struct fetchfs *fetchfs;
	const char *warning;
	sigset_t signals;
	int r;

	/* Before there are threads that a signal could choose. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd_expect(DESCRIPTORS);

	/* who forks itself away is not what a manager started, and cannot speak for it */
	if (mounting->foreground)
		notify_open();
	r = fetchfs_open(&open_options, &fetchfs, err);
	if (r < 0)
		return r;
	for (size_t i = 0; (warning = fetchfs_warning(fetchfs, i)); i++)
		fprintf(stderr, "fetchfs: warning: %s\n", warning);
	fetchfs_sweep(fetchfs);
	r = fetchfs_load(fetchfs, err);
	if (r == 0)
		r = mount_serve(fetchfs, &mount_options, err);
	fetchfs_close(fetchfs);
	return r;
}

static int daemon_main(struct mounting *mounting)
{
	const struct cli *cli = mounting->cli;
	struct err err = ERR_INIT;

	setsid();
	log_setup(cli_log_level(cli), LOG_TO_SYSLOG);
	if (serve(mounting, &err) == 0)
		return EXIT_DONE;
	log_error("%s: %s", mounting->directory, err.msg);
	report(mounting, &err);
	return cli_status(&err);
}

/* Fork the daemon, and wait until it is ready or has failed. */
static int start_daemon(struct mounting *mounting, struct err *err)
{
	struct err told = ERR_INIT;
	int fds[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, ERR_SYSTEM, errno, "make a pipe: %m");
	CLEANUP(fd_closep) int from_daemon = fds[0];
	CLEANUP(fd_closep) int to_parent = fds[1];

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_set(err, ERR_SYSTEM, errno, "fork: %m");
	if (pid == 0) {
		fd_close(&from_daemon);
		mounting->pipe = fd_steal(&to_parent);
		_exit(daemon_main(mounting));
	}

	fd_close(&to_parent);
	do {
		n = read(from_daemon, &told, sizeof(told));
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(told))
		return err_set(err, ERR_SYSTEM, EIO, "the daemon died before it was ready");
	*err = told;
	return -told.code;
}

int cmd_mount(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(mounting_release) struct mounting mounting = {.cli = cli, .pipe = -1};
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &mounting);
	r = find_directory(&mounting, &err);
	if (r == 0)
		r = find_cache(&mounting, &err);
	if (r == 0)
		r = mounting.foreground ? serve(&mounting, &err) : start_daemon(&mounting, &err);
	return r < 0 ? cli_fail(cli, mounting.given, &err) : EXIT_DONE;
}
