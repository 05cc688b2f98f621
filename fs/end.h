/*
 * SIGTERM, SIGINT and SIGHUP end the loop of a mount, but not before its last notice to the kernel.
 *
 * A notice takes the lock of a folder, which each lookup there holds until it is answered. Once the
 * loop has ended nobody answers, and what a thread of it had just read is lost: a notice under way
 * would wait for ever, in the kernel, and keep this process, which then not even SIGKILL ends, and
 * so the mount.
 */
#ifndef FETCHFS_FS_END_H
#define FETCHFS_FS_END_H

#include "fs/ops.h"

#include <signal.h>

struct end;

/* By the thread that is to run the loop; @signals are blocked in all threads. */
int end_new(struct fs *fs, const sigset_t *signals, struct end **ret, struct err *err);

/* The loop has ended. */
void end_free(struct end *end);

#endif
