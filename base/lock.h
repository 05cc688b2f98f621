/*
 * Locks between processes: one byte of a file, held by an open file description (F_OFD_SETLK).
 *
 * The kernel frees such a lock when the last descriptor of its description is closed, so a killed
 * holder never blocks anybody. Each holder has a description of its own; two threads of one
 * process exclude each other like two processes do. Descriptors are O_CLOEXEC: children made by
 * posix_spawn() do not keep a lock alive.
 */
#ifndef FETCHFS_BASE_LOCK_H
#define FETCHFS_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct lock {
	int fd; /* -1: not held */
};

#define LOCK_INIT                                                                                  \
	(struct lock)                                                                              \
	{                                                                                          \
		.fd = -1                                                                           \
	}

enum lock_mode { LOCK_SHARED, LOCK_EXCLUSIVE };

/*
 * Lock byte @offset (below 2^62) of the file @name in @dirfd, which exists.
 * Returns 0, -EAGAIN when somebody else holds it in a mode that excludes ours, or -errno.
 */
int lock_try(int dirfd, const char *name, uint64_t offset, enum lock_mode mode, struct lock *ret);

/* The same, waiting for as long as it takes: only for locks that are held briefly. */
int lock_wait(int dirfd, const char *name, uint64_t offset, enum lock_mode mode, struct lock *ret);

/* The same for the @length bytes from @offset on. */
int lock_wait_range(int dirfd, const char *name, uint64_t offset, uint64_t length,
	enum lock_mode mode, struct lock *ret);

/* Unlock. Does nothing when the lock is not held. Also for CLEANUP(). */
void lock_release(struct lock *lock);

/* Give the lock away: returns it and leaves one that is not held. */
struct lock lock_steal(struct lock *lock);

static inline bool lock_held(const struct lock *lock)
{
	return lock->fd >= 0;
}

/* Whether somebody holds byte @offset of the file @name in @dirfd, in any mode. 1, 0 or -errno. */
int lock_is_held(int dirfd, const char *name, uint64_t offset);
/* The same; 1 only if the byte is part of a range that somebody holds as a whole, -ENOENT if nobody
 * holds it. */
int lock_is_in_range(int dirfd, const char *name, uint64_t offset);

/* Mark the open file @fd itself as being read: a shared lock on its first byte. 0 or -errno. */
int lock_mark_open(int fd);

/* Whether somebody marked the file behind @fd by lock_mark_open(). 1, 0 or -errno. */
int lock_is_marked(int fd);

#endif
