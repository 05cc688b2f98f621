/*
 * Resources that give themselves back when their variable leaves its scope.
 *
 *	CLEANUP(fd_closep) int fd = -1;
 *
 * Ownership is given away with the type's *_steal() function, which leaves an empty value behind.
 */
#ifndef FETCHFS_BASE_CLEANUP_H
#define FETCHFS_BASE_CLEANUP_H

#include <pthread.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hold @mu until the end of the enclosing block. */
#define WITH_LOCK(mu)                                                                              \
	CLEANUP(cleanup_unlockp)                                                                   \
	__attribute__((unused)) pthread_mutex_t *with_lock_ = cleanup_lock(mu)

static inline pthread_mutex_t *cleanup_lock(pthread_mutex_t *mu)
{
	pthread_mutex_lock(mu);
	return mu;
}

static inline void cleanup_unlockp(pthread_mutex_t **mu)
{
	pthread_mutex_unlock(*mu);
}

#endif
