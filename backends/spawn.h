/*
 * Programs that we start: each in a process group of its own, so that it can be killed with all
 * that it has started; it ends with the thread that started it, however, and however early, that
 * one ends.
 */
#ifndef FETCHFS_BACKENDS_SPAWN_H
#define FETCHFS_BACKENDS_SPAWN_H

#include <sys/types.h>

#define SPAWN_FD      16  /* descriptors for a child are this or higher, above those it will have */
#define SPAWN_NOT_RUN 127 /* its exit status when there was nothing to run, as a shell has it */

/* @fds: its stdin, stdout and stderr. Its pid, which is that of the group, too; or -errno. */
pid_t spawn_begin(
	const char *program, char *const argv[], char *const environment[], const int fds[3]);

/* Kill it with its group, and wait for it: nobody else can be called so until then. Returns its
 * status as waitpid() has it, or -1. */
int spawn_end(pid_t pid);

#endif
