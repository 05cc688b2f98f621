/* What the files of events.h share. */
#ifndef FETCHFS_CACHE_EVENTS_PRIVATE_H
#define FETCHFS_CACHE_EVENTS_PRIVATE_H

#include "cache/events.h"

#include <pthread.h>
#include <stdatomic.h>

#define EVENTS_NAME     "events"
#define EVENTS_NAME_OLD "events.old"
#define EVENTS_LINE_MAX 4096 /* bytes, with the newline */

struct events {
	const struct cachedir *dir;
	struct {
		atomic_uint_fast64_t count;
		atomic_uint_fast64_t bytes;
	} noted[EVENT_KINDS];

	pthread_mutex_t mu;
	int fd; /* -1: not opened yet, or it could not be; guarded by mu */
};

extern const char *const events_kind_names[EVENT_KINDS];

#endif
