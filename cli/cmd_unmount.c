/*
 * fetchfs unmount: take a mount down, and wait until its daemon has put the cache to rest; with
 * --lazy that may be long after, when the last file in it is closed, and nobody waits for it.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_MAX      4096
#define STATUS_LIMIT_MS 2000  /* for the daemon to tell its pid */
#define END_LIMIT_MS    10000 /* for the daemon to end after that */

enum { OPTION_LAZY = 'l' };

static const struct argp_option options[] = {
	{"lazy", OPTION_LAZY, 0, 0,
		"even if files in it are open: they stay readable, and its daemon, which is not "
		"waited "
		"for, ends when the last one is closed",
		0},
	{0},
};

struct unmounting {
	const char *directory;
	bool lazy;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct unmounting *unmounting = state->input;

	switch (key) {
	case OPTION_LAZY:
		unmounting->lazy = true;
		return 0;
	default:
		return cli_parse_only(key, arg, state, "folder", &unmounting->directory);
	}
}

/* ---- the daemon ---- */

static pid_t pid_in(const char *text)
{
	json_t *status = json_loads(text, 0, NULL);
	json_int_t pid = json_integer_value(json_object_get(status, "pid"));

	json_decref(status);
	return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* Reads @path into @fd. A process of its own, since a read from a frozen daemon cannot be ended. */
static pid_t spawn_reader(const char *path, int fd)
{
	char text[STATUS_MAX];
	pid_t pid = fork();
	ssize_t n;

	if (pid != 0)
		return pid;
	CLEANUP(fd_closep) int from = open(path, O_RDONLY | O_CLOEXEC);

	n = from < 0 ? -1 : fd_pread_full(from, text, sizeof(text), 0);
	if (n > 0)
		(void)fd_write_all(fd, text, (size_t)n);
	_exit(0);
}

/* The pid that the mount at @directory tells, or 0 when it does not, or not in time. */
static pid_t ask_pid(const char *directory)
{
	CLEANUP(str_freep) char *path = str_printf("%s/.fetchfs/status", directory);
	char text[STATUS_MAX + 1] = "";
	struct pollfd answer;
	int fds[2];
	pid_t reader;
	ssize_t n = 0;

	if (!path || pipe2(fds, O_CLOEXEC) < 0)
		return 0;
	CLEANUP(fd_closep) int from_reader = fds[0];
	CLEANUP(fd_closep) int to_us = fds[1];

	reader = spawn_reader(path, to_us);
	fd_close(&to_us);
	if (reader < 0)
		return 0;
	answer = (struct pollfd){.fd = from_reader, .events = POLLIN};
	if (poll(&answer, 1, STATUS_LIMIT_MS) == 1) {
		n = read(from_reader, text, STATUS_MAX);
		waitpid(reader, NULL, 0);
	} else {
		kill(reader, SIGKILL); /* it ends when the kernel lets it */
	}
	text[n > 0 ? n : 0] = '\0';
	return pid_in(text);
}

static int wait_for_end(int pidfd, struct err *err)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0 || poll(&end, 1, END_LIMIT_MS) == 1)
		return 0;
	return err_set(err, ERR_SYSTEM, ETIMEDOUT,
		"unmounted, but its daemon has not ended yet (a lazy sandbox, or another mount "
		"namespace, as of a container, may still have it)");
}

/* ---- unmounting ---- */

static int run_fusermount(const struct unmounting *unmounting, struct err *err)
{
	CLEANUP(str_freep) char *directory = str_copy(unmounting->directory);
	char how[] = "-q";
	char *const argv[] = {
		(char[]){"fusermount3"}, (char[]){"-u"}, how, (char[]){"--"}, directory, NULL};
	int status = -1;
	pid_t pid;
	int r;

	if (unmounting->lazy)
		how[1] = 'z';
	r = directory ? posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) : ENOMEM;
	if (r)
		return err_set(err, ERR_SYSTEM, r, "run fusermount3: %m");
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		return err_set(err, ERR_SYSTEM, EBUSY, "fusermount3 failed");
	return 0;
}

static int take_down(const struct unmounting *unmounting, struct err *err)
{
	int flags = UMOUNT_NOFOLLOW | (unmounting->lazy ? MNT_DETACH : 0);

	if (geteuid() != 0)
		return run_fusermount(unmounting, err);
	if (umount2(unmounting->directory, flags) == 0)
		return 0;
	if (errno == EBUSY)
		return err_set(err, ERR_SYSTEM, EBUSY,
			"files in it are in use (--lazy unmounts all the same)");
	return err_set(err, ERR_SYSTEM, errno, "%m");
}

/* The absolute path of the mount point; it may be dead, so that only its parent can be looked at.
 */
static char *absolute(const char *directory)
{
	CLEANUP(str_freep) char *copy = NULL;
	CLEANUP(str_freep) char *parent = NULL;
	CLEANUP(str_freep) char *above = NULL;
	char *path = realpath(directory, NULL);
	const char *name;
	size_t len = strlen(directory);

	if (path || errno != ENOTCONN)
		return path;
	while (len > 1 && directory[len - 1] == '/')
		len--;
	copy = strndup(directory, len);
	name = copy ? strrchr(copy, '/') : NULL;
	name = name ? name + 1 : copy;
	parent = copy ? strndup(copy, (size_t)(name - copy)) : NULL;
	if (!parent)
		return NULL;
	above = realpath(*parent ? parent : ".", NULL);
	return above ? str_printf("%s/%s", str_equal(above, "/") ? "" : above, name) : NULL;
}

/* Refuse to unmount what is not ours. */
static int check(const char *directory, struct err *err)
{
	CLEANUP(str_freep) char *path = absolute(directory);
	const struct mntent *entry;
	bool ours = false;
	FILE *mounts;

	if (!path)
		return err_set(err, ERR_USAGE, errno, "%m");
	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return err_set(err, ERR_SYSTEM, errno, "read /proc/self/mounts: %m");
	while ((entry = getmntent(mounts)))
		if (str_equal(entry->mnt_dir, path)) /* the last one is on top */
			ours = str_equal(entry->mnt_type, "fuse.fetchfs");
	endmntent(mounts);
	return ours ? 0 : err_set(err, ERR_USAGE, EINVAL, "fetchfs is not mounted there");
}

int cmd_unmount(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	struct unmounting unmounting = {0};
	struct err err = ERR_INIT;
	pid_t pid;
	int r;

	cli_parse(cli, &argp, argc, argv, &unmounting);
	r = check(unmounting.directory, &err);
	pid = r == 0 && !unmounting.lazy ? ask_pid(unmounting.directory) : 0;
	/* Opened before the daemon can end, so that the number cannot be somebody else's. */
	CLEANUP(fd_closep) int pidfd = pid ? pidfd_open(pid, 0) : -1;

	if (r == 0)
		r = take_down(&unmounting, &err);
	if (r == 0)
		r = wait_for_end(pidfd, &err);
	return r < 0 ? cli_fail(cli, unmounting.directory, &err) : EXIT_DONE;
}
