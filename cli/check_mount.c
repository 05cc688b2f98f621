/* A mount for a moment: nothing else shows how complete files would be read. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/checks.h"
#include "cli/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 16 /* of a walk that removes */
#define WORDS_MAX   4096

/* The names of a trial. */
struct trial {
	char *folder;
	char *cache;
	char *mount;
	char *words; /* what the program said last */
};

static void trial_release(struct trial *trial)
{
	free(trial->folder);
	free(trial->cache);
	free(trial->mount);
	free(trial->words);
}

/* Beside the cache: what can be passed through depends on the file system. */
static char *make_folder(const struct cli *cli)
{
	CLEANUP(str_freep) char *cache = NULL;
	struct fetchfs *fetchfs;
	char *folder;

	if (cli_open(cli, &fetchfs, NULL) < 0)
		return NULL;
	cache = str_copy(fetchfs_cache_path(fetchfs));
	fetchfs_close(fetchfs);
	folder = cache ? str_printf("%s/.fetchfs-check.XXXXXX", dirname(cache)) : NULL;
	if (folder && mkdtemp(folder))
		return folder;
	free(folder);
	folder = str_copy("/tmp/fetchfs-check.XXXXXX");
	if (folder && mkdtemp(folder))
		return folder;
	free(folder);
	return NULL;
}

/* This program, with @command for the trial, and @option or NULL. Its exit status; -1: it could not
 * be run. */
static int run(const struct trial *trial, char *command, char *option)
{
	CLEANUP(str_freep) char *said = str_printf("%s/said", trial->folder);
	char *const argv[] = {(char[]){"fetchfs"}, (char[]){"--cache"}, trial->cache, command,
		trial->mount, option, NULL};
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	if (!said)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(
		&actions, STDERR_FILENO, said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (posix_spawn(&pid, CLI_PROGRAM, &actions, NULL, argv, environ) != 0 ||
		waitpid(pid, &status, 0) < 0)
		status = -1;
	posix_spawn_file_actions_destroy(&actions);
	return status < 0 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

static const char *last_words(struct trial *trial)
{
	CLEANUP(str_freep) char *said = str_printf("%s/said", trial->folder);

	free(trial->words);
	trial->words = NULL;
	if (!said || fd_read_file(AT_FDCWD, said, WORDS_MAX, &trial->words, NULL) < 0)
		return "it failed";
	trial->words[strcspn(trial->words, "\n")] = '\0';
	return trial->words;
}

static void look(struct checks *checks, const struct trial *trial)
{
	struct mounted_passthrough passthrough;
	struct err err = ERR_INIT;

	if (mounted_passthrough(trial->mount, &passthrough, &err) < 0)
		checks_tell(checks, "mount", FINDING_BAD, NULL, "%s", err.msg);
	else if (passthrough.on)
		checks_tell(checks, "passthrough", FINDING_GOOD, NULL,
			"the kernel reads complete files itself");
	else
		checks_tell(checks, "passthrough", FINDING_NOTE, NULL,
			"complete files are read by way of the daemon: %s", passthrough.why);
}

/* Who looks at all mounts at this moment, as df does, may have it open. */
static void take_down(struct checks *checks, struct trial *trial)
{
	if (run(trial, (char[]){"unmount"}, NULL) != 0 &&
		run(trial, (char[]){"unmount"}, (char[]){"--lazy"}) != 0)
		checks_tell(checks, "unmount", FINDING_BAD, NULL, "%s", last_words(trial));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	(void)remove(path);
	return 0;
}

void check_mount(struct checks *checks)
{
	CLEANUP(trial_release) struct trial trial = {0};

	/* what is wrong with these has been told */
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return;
	trial.folder = make_folder(checks->cli);
	if (!trial.folder)
		return;
	trial.cache = str_printf("%s/cache", trial.folder);
	trial.mount = str_printf("%s/mount", trial.folder);
	if (!trial.cache || !trial.mount || mkdir(trial.mount, 0700) < 0 ||
		run(&trial, (char[]){"mount"}, NULL) != 0) {
		checks_tell(checks, "mount", FINDING_BAD, NULL, "%s", last_words(&trial));
	} else {
		look(checks, &trial);
		take_down(checks, &trial);
	}
	/* (FTW_MOUNT: not what a mount that stayed shows) */
	nftw(trial.folder, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
