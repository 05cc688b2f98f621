/*
 * A run of Hadoop's client: a script that starts a JVM, in a process group of its own, which is
 * killed with all that is in it as soon as nobody wants it any more.
 */
#ifndef FETCHFS_BACKENDS_HADOOP_RUN_H
#define FETCHFS_BACKENDS_HADOOP_RUN_H

#include "backends/backend.h"

struct hadoop_run {
	const struct backend_env *env; /* its limits, and the client */
	bool brief;                    /* it asks, rather than brings */
	const char *const *args;       /* behind the program's name; NULL-terminated */

	/* On the calling thread; -errno, with its err, ends the run. @on_poll: at least every
	 * 100 ms while it is waited for. */
	int (*on_bytes)(void *arg, const void *buf, size_t len, struct err *err);
	int (*on_poll)(void *arg, struct err *err);
	void *arg;
	bool *ret_queued; /* before @on_poll: whether it waits for its turn, and nobody is slow */
};

/* 0: it has ended with status 0, and @on_bytes got all that it wrote to stdout. */
int hadoop_run(const struct hadoop_run *run, struct err *err);

#endif
