/*
 * Locks this process up for good, before it reads what is hostile: no privileges and none to be had
 * again, limits of memory, no core, no network, no other program, no files but those below one
 * folder.
 */
#ifndef FETCHFS_FETCH_CONFINE_H
#define FETCHFS_FETCH_CONFINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * From now on only descriptors that are open serve, and what lies below the folder @fd; no file
 * grows beyond @file_size bytes. System calls are restricted by seccomp, else -EPERM unless @must
 * is false. Landlock and chroot() are made use of where they can be had: the former is the kernel's
 * choice, the latter root's.
 */
int confine(int fd, uint64_t file_size, bool must, struct err *err);

#endif
