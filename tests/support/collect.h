/* A sink that keeps what it gets, and can be told to misbehave. */
#ifndef FETCHFS_TESTS_COLLECT_H
#define FETCHFS_TESTS_COLLECT_H

#include "backends/backend.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct collect {
	struct sink sink; /* first */
	struct remote remote;
	unsigned int begun;
	unsigned int polled;
	unsigned char *bytes; /* NULL with drop */
	size_t len;
	bool drop;              /* count only */
	unsigned int slow_ms;   /* waits so long in each write */
	unsigned int fail_poll; /* from this poll on: -EINTR */
	bool fail_begin;        /* -ENOSPC */
	bool fail_write;        /* -ENOSPC */
};

void collect_init(struct collect *collect);
void collect_release(struct collect *collect);

#endif
