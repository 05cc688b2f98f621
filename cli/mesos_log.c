#include "cli/mesos_log.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static enum mesos_level least;

static int read_level(struct err *err)
{
	static const char *const names[] = {
		[MESOS_INFO] = "INFO",
		[MESOS_WARNING] = "WARNING",
		[MESOS_ERROR] = "ERROR",
	};
	const char *name = getenv("MESOS_LOGGING_LEVEL");

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
		if (!str_equal(name, names[i]))
			continue;
		least = (enum mesos_level)i;
		return 0;
	}
	if (!name)
		return 0;
	return err_set(err, ERR_USAGE, EINVAL,
		"'%s' is not a valid logging level. Possible values for 'logging_level' flag are: "
		"'INFO', 'WARNING', 'ERROR'.",
		name);
}

int mesos_log_setup(struct err *err)
{
	const char *quiet = getenv("MESOS_QUIET");
	int r = read_level(err);

	if (r < 0 || !quiet || str_equal(quiet, "false") || str_equal(quiet, "0"))
		return r;
	if (!str_equal(quiet, "true") && !str_equal(quiet, "1"))
		return err_set(err, ERR_USAGE, EINVAL,
			"Failed to load flag 'quiet': Expecting a boolean (e.g., true or false)");
	least = MESOS_FATAL;
	return 0;
}

static char *format_line(enum mesos_level level, int line, const char *fmt, va_list arguments)
{
	CLEANUP(str_freep) char *text = NULL;
	struct timespec now;
	struct tm local;
	char when[32];

	if (vasprintf(&text, fmt, arguments) < 0) {
		text = NULL;
		return NULL;
	}
	str_make_plain(text);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	strftime(when, sizeof(when), "%m%d %H:%M:%S", &local);
	return str_printf("%c%s.%06ld %5d fetcher.cpp:%d] %s\n", "IWEF"[level], when,
		now.tv_nsec / 1000, (int)gettid(), line, text);
}

static void write_line(enum mesos_level level, int line, const char *fmt, va_list arguments)
{
	CLEANUP(str_freep) char *text = format_line(level, line, fmt, arguments);

	if (text) /* nobody can be told that stderr is gone */
		(void)fd_write_all(STDERR_FILENO, text, strlen(text));
}

void mesos_log_write(enum mesos_level level, int line, const char *fmt, ...)
{
	va_list arguments;

	if (level < least)
		return;
	va_start(arguments, fmt);
	write_line(level, line, fmt, arguments);
	va_end(arguments);
}

noreturn void mesos_log_abort(int line, const char *fmt, ...)
{
	const struct rlimit none = {0, 0};
	va_list arguments;

	va_start(arguments, fmt);
	write_line(MESOS_FATAL, line, fmt, arguments);
	va_end(arguments);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0); /* where cores go to a program the limit does not count */
	signal(SIGABRT, SIG_DFL);
	abort();
}
