/*
 * SIGINT, SIGTERM and SIGHUP as a request to end cleanly: what runs is cancelled, what is half
 * done is undone, and then the program dies of that same signal. A second one kills at once.
 */
#ifndef FETCHFS_CLI_INTERRUPT_H
#define FETCHFS_CLI_INTERRUPT_H

#include "base/err.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

struct interrupt {
	sigset_t signals;
	sigset_t before; /* the mask to go back to */
	int signals_fd;  /* signalfd */
	int end_fd;      /* eventfd: the watcher is to end */
	pthread_t thread;
	bool watching;
	void (*act)(void *arg);
	void *arg;
	atomic_int caught; /* the signal, 0: none */
};

/* From now on they wait. Before there are threads, which inherit it. */
void interrupt_block(struct interrupt *ret);

/* Call @act(@arg) on a thread of its own when one comes. */
int interrupt_watch(
	struct interrupt *interrupt, void (*act)(void *arg), void *arg, struct err *err);

/* The signal that came, or 0. */
int interrupt_caught(struct interrupt *interrupt);

/* @act will not be called any more, and is not running. */
void interrupt_unwatch(struct interrupt *interrupt);

/* Stop watching; when a signal came, die of it. */
void interrupt_release(struct interrupt *interrupt);

#endif
