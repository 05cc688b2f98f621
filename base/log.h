/*
 * What the program says of itself. Libraries (all folders but cli/ and fs/) log at debug only.
 *
 * One line an event, never a credential or a query. The level and the place are the only globals
 * of the project; main sets them once, before there are threads.
 */
#ifndef FETCHFS_BASE_LOG_H
#define FETCHFS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_place {
	LOG_TO_STDERR, /* "fetchfs: text" */
	LOG_TO_SYSLOG, /* a daemon's: facility daemon */
};

void log_setup(enum log_level level, enum log_place place);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
