/*
 * Lines as Mesos' own programs write them to stderr:
 *
 *	I0102 03:04:05.678901  2345 fetcher.cpp:67] text
 *
 * In its environment: MESOS_LOGGING_LEVEL (INFO, WARNING or ERROR: what is less is left out) and
 * MESOS_QUIET (true: nothing but what ends the program by a signal). Log files of its own
 * (MESOS_LOG_DIR) there are none.
 */
#ifndef FETCHFS_CLI_MESOS_LOG_H
#define FETCHFS_CLI_MESOS_LOG_H

#include "base/err.h"

#include <stdnoreturn.h>

enum mesos_level { MESOS_INFO, MESOS_WARNING, MESOS_ERROR, MESOS_FATAL };

/* -EINVAL when a variable has no meaning. */
int mesos_log_setup(struct err *err);

/* One line, whatever is in it, and of no secrets: that is the caller's business. */
void mesos_log_write(enum mesos_level level, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define mesos_log(level, ...) mesos_log_write(level, __LINE__, __VA_ARGS__)

/* A check of Mesos failed: say so and end by SIGABRT, without a core, which would hold secrets. */
noreturn void mesos_log_abort(int line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define mesos_abort(...) mesos_log_abort(__LINE__, __VA_ARGS__)

#endif
