/*
 * File descriptors that close themselves, and whole reads and writes.
 *
 * Everything is opened O_CLOEXEC by whoever opens it.
 */
#ifndef FETCHFS_BASE_FD_H
#define FETCHFS_BASE_FD_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For CLEANUP(): closes *fd unless it is negative, keeps errno. */
void fd_closep(int *fd);

/* Give the descriptor away: returns *fd and leaves -1. */
int fd_steal(int *fd);

/* Close *fd unless it is negative, and leave -1. */
void fd_close(int *fd);

/* Write all of @len bytes at @offset. Returns 0 or -errno; after an error an unknown part is
 * written. */
int fd_pwrite_all(int fd, const void *buf, size_t len, uint64_t offset);

/* Write all of @len bytes at the current position (pipes, terminals, sockets). Returns 0 or -errno.
 */
int fd_write_all(int fd, const void *buf, size_t len);

/*
 * Read up to @len bytes at @offset, fewer only at the end of the file.
 * Returns the number of bytes or -errno.
 */
ssize_t fd_pread_full(int fd, void *buf, size_t len, uint64_t offset);

/*
 * Read a whole small file into a fresh NUL-terminated buffer, the caller's to free().
 * -EFBIG when it is larger than @max bytes. @ret_len may be NULL.
 */
int fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len);

/* What is in the folder @name, for readdir(). 0 or -errno; *ret is the caller's, for
 * fd_close_list().
 */
int fd_open_list(int dirfd, const char *name, DIR **ret);
void fd_close_list(DIR **list); /* for CLEANUP(); NULL is ignored */

/*
 * Make the empty file @to share the blocks of @from until one of them is written. 0, -EOPNOTSUPP
 * when these two cannot, or -errno.
 */
int fd_clone(int from, int to);

/* All bytes of the file @from into the empty file @to, by the kernel where it can. 0 or -errno. */
int fd_copy(int from, int to);

/*
 * Let this process hold as many descriptors as the system grants, and make its table hold @count of
 * them already (or as many as are granted). A table that threads share is enlarged only after the
 * kernel's other processors have taken notice, in which 10 ms pass and nobody opens anything. So it
 * is called before the first thread is started, and again after a fork, whose child begins with a
 * small table.
 */
void fd_expect(unsigned int count);

#endif
