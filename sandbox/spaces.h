/*
 * Mount namespaces, each by a number that no other one ever has, before or after it. (Kernels
 * before 6.11 only have inode numbers, which are used again; what was written down by such a number
 * is still understood.)
 */
#ifndef FETCHFS_SANDBOX_SPACES_H
#define FETCHFS_SANDBOX_SPACES_H

#include <stdbool.h>
#include <stdint.h>

/* Of this process; 0: unknown. */
uint64_t spaces_own(void);
bool spaces_is_own(uint64_t space);

/* The namespace behind @path, as "/proc/PID/ns/mnt"; *ret is a number. -errno. */
int spaces_of(const char *path, uint64_t *ret);

/* A process in it, or 0: none is known. */
int spaces_user_of(uint64_t space);

#endif
