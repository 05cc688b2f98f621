#include "base/log.h"

#include "base/fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048 /* longer lines are cut */
#define PREFIX         "fetchfs: "

static enum log_level the_level = LOG_LEVEL_WARNING;
static enum log_place the_place = LOG_TO_STDERR;

void log_setup(enum log_level level, enum log_place place)
{
	the_level = level;
	the_place = place;
	if (place == LOG_TO_SYSLOG)
		openlog("fetchfs", LOG_PID, LOG_DAEMON);
}

static int syslog_priority(enum log_level level)
{
	static const int priorities[] = {
		[LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARNING] = LOG_WARNING,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};

	return priorities[level];
}

/* A name from outside must not be able to start a line of its own, or to move the cursor. */
static void tame(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES] = PREFIX;
	char *text = line + strlen(PREFIX);
	size_t room = sizeof(line) - strlen(PREFIX) - 1; /* one for the newline */
	int saved = errno;
	va_list args;

	if (level > the_level)
		return;

	va_start(args, fmt);
	vsnprintf(text, room, fmt, args);
	va_end(args);
	tame(text);

	if (the_place == LOG_TO_SYSLOG) {
		syslog(syslog_priority(level), "%s", text);
	} else {
		size_t len = strlen(line);

		line[len++] = '\n';
		(void)fd_write_all(STDERR_FILENO, line, len); /* nowhere to complain */
	}
	errno = saved;
}
