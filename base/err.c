#include "base/err.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int set_va(struct err *err, enum err_kind kind, int code, const char *fmt, va_list args)
{
	int told;

	if (code <= 0)
		code = EIO;
	/* whose quota it is that is full only the text says */
	told = code == EDQUOT ? ENOSPC : code;
	if (!err)
		return -told;

	*err = (struct err){
		.code = told, .kind = kind == ERR_SYSTEM && told == ENOSPC ? ERR_SPACE : kind};
	errno = code; /* for %m */
	vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	str_make_plain(err->msg); /* much of it comes from servers and names */
	return -told;
}

int err_set(struct err *err, enum err_kind kind, int code, const char *fmt, ...)
{
	va_list args;
	int r;

	va_start(args, fmt);
	r = set_va(err, kind, code, fmt, args);
	va_end(args);
	return r;
}

int err_set_retry(
	struct err *err, enum err_kind kind, int code, unsigned int after, const char *fmt, ...)
{
	va_list args;
	int r;

	va_start(args, fmt);
	r = set_va(err, kind, code, fmt, args);
	va_end(args);
	if (err) {
		err->retry = true;
		err->retry_after = after;
	}
	return r;
}

int err_context(struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;
	size_t len;

	if (!err)
		return -EIO;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s", err->msg);
	str_make_plain(text);
	memcpy(err->msg, text, sizeof(text));
	return -err->code;
}

int err_oom(struct err *err)
{
	if (err) {
		*err = (struct err){.code = ENOMEM, .kind = ERR_SYSTEM};
		strcpy(err->msg, "out of memory");
	}
	return -ENOMEM;
}

const char *err_kind_name(enum err_kind kind)
{
	static const char *const names[] = {
		[ERR_NONE] = "none",
		[ERR_SYSTEM] = "system",
		[ERR_USAGE] = "usage",
		[ERR_NETWORK] = "network",
		[ERR_REMOTE] = "remote",
		[ERR_INTEGRITY] = "integrity",
		[ERR_POLICY] = "policy",
		[ERR_SPACE] = "space",
		[ERR_CANCELLED] = "cancelled",
		[ERR_PROXY] = "proxy",
	};

	if ((unsigned int)kind >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[kind];
}
