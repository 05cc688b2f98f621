#include "tests/support/rawscript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARG_SIZE 1024

/* "%41" is "A"; what is left, which may have NUL bytes, is as long as told. */
static size_t unescape(const char *text, char *ret, size_t size)
{
	size_t len = 0;

	for (; *text && len + 1 < size; text++) {
		unsigned int byte;

		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			ret[len++] = (char)byte;
			text += 2;
		} else {
			ret[len++] = *text;
		}
	}
	ret[len] = '\0';
	return len;
}

enum behaviour {
	B_ONCE,
	B_LENGTH,
	B_LIE,
	B_UNTIL_CLOSE,
	B_STATUS,
	B_LINE,
	B_PAD,
	B_MANY,
	B_INTERIM,
	B_GARBAGE,
	B_HTTP09,
	B_STOP_IN_HEAD,
	B_KEEP,
	B_BYTEWISE,
	B_CHUNKED,
	B_BAD_CHUNK,
	B_HUGE_CHUNK,
	B_NO_LAST,
	B_ENDLESS,
	B_AFTER,
	B_TRAILERS,
	B_CUT,
	B_RESET,
	B_CUT_TLS,
	B_NO_NOTIFY,
};

static const struct {
	const char *name;
	unsigned int args;
	enum behaviour what;
} behaviours[] = {
	{"once", 0, B_ONCE},
	{"length", 1, B_LENGTH},
	{"lie", 1, B_LIE},
	{"untilclose", 0, B_UNTIL_CLOSE},
	{"status", 1, B_STATUS},
	{"line", 1, B_LINE},
	{"pad", 1, B_PAD},
	{"many", 1, B_MANY},
	{"interim", 1, B_INTERIM},
	{"garbage", 0, B_GARBAGE},
	{"http09", 0, B_HTTP09},
	{"stopinhead", 1, B_STOP_IN_HEAD},
	{"keep", 0, B_KEEP},
	{"bytewise", 1, B_BYTEWISE},
	{"chunked", 0, B_CHUNKED},
	{"badchunk", 1, B_BAD_CHUNK},
	{"hugechunk", 1, B_HUGE_CHUNK},
	{"nolast", 0, B_NO_LAST},
	{"endless", 0, B_ENDLESS},
	{"after", 1, B_AFTER},
	{"trailers", 0, B_TRAILERS},
	{"cut", 1, B_CUT},
	{"reset", 1, B_RESET},
	{"cuttls", 1, B_CUT_TLS},
	{"nonotify", 0, B_NO_NOTIFY},
};

static void stop(struct rawscript *script, const char *arg, enum rawconn_end end)
{
	script->stop_at = strtoull(arg, NULL, 10);
	script->end = end;
}

static void chunked(struct rawscript *script, const char *arg, const char *bad_size)
{
	script->framing = FRAMING_CHUNKED;
	script->bad_size = bad_size;
	if (bad_size)
		script->stop_at = strtoull(arg, NULL, 10);
}

/* What the headers say. */
static void apply_to_head(struct rawscript *script, enum behaviour what, const char *arg)
{
	if (what == B_LENGTH)
		unescape(arg, script->length_text, sizeof(script->length_text));
	else if (what == B_LIE)
		script->lie = strtoll(arg, NULL, 10);
	else if (what == B_UNTIL_CLOSE)
		script->framing = FRAMING_CLOSE;
	else if (what == B_STATUS)
		unescape(arg, script->status_line, sizeof(script->status_line));
	else if (what == B_LINE)
		script->line_len = unescape(arg, script->line, sizeof(script->line));
	else if (what == B_PAD)
		script->pad = strtoull(arg, NULL, 10);
	else if (what == B_MANY)
		script->many = (unsigned int)strtoul(arg, NULL, 10);
	else if (what == B_INTERIM)
		script->interim = (unsigned int)strtoul(arg, NULL, 10);
	else if (what == B_GARBAGE)
		script->garbage = true;
	else if (what == B_HTTP09)
		script->framing = FRAMING_NONE;
	else if (what == B_STOP_IN_HEAD)
		script->head_max = strtoull(arg, NULL, 10);
	else if (what == B_KEEP)
		script->keep = true;
}

/* How the body goes. */
static void apply_to_body(struct rawscript *script, enum behaviour what, const char *arg)
{
	if (what == B_CHUNKED)
		chunked(script, arg, NULL);
	else if (what == B_BAD_CHUNK)
		chunked(script, arg, "size\r\n");
	else if (what == B_HUGE_CHUNK)
		chunked(script, arg, "FFFFFFFFFFFFFFFFFFF\r\n");
	else if (what == B_CUT)
		stop(script, arg, RAWCONN_CLOSE);
	else if (what == B_RESET)
		stop(script, arg, RAWCONN_RESET);
	else if (what == B_CUT_TLS)
		stop(script, arg, RAWCONN_CUT_TLS);
	else if (what == B_NO_NOTIFY)
		script->end = RAWCONN_NO_NOTIFY;
	if (what == B_NO_LAST || what == B_ENDLESS) {
		chunked(script, arg, NULL);
		script->no_last = true;
		script->endless = what == B_ENDLESS;
	}
	if (what == B_AFTER)
		unescape(arg, script->after, sizeof(script->after));
	if (what == B_TRAILERS) {
		chunked(script, arg, NULL);
		script->trailers = true;
	}
	if (what == B_BYTEWISE) {
		script->bytewise = true;
		script->pause_us = (unsigned int)strtoul(arg, NULL, 10);
	}
}

static void apply(struct rawscript *script, enum behaviour what, const char *arg)
{
	if (what < B_BYTEWISE)
		apply_to_head(script, what, arg);
	else
		apply_to_body(script, what, arg);
}

/* The row of the first segment of @path, or -1. */
static int find_behaviour(const char *path)
{
	size_t len = strcspn(path + 1, "/");

	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++)
		if (strlen(behaviours[i].name) == len &&
			memcmp(behaviours[i].name, path + 1, len) == 0)
			return (int)i;
	return -1;
}

const char *rawscript_read(
	struct rawscript *script, const char *path, const char *method, struct tally *tally)
{
	bool skip = false;
	int row;

	*script = (struct rawscript){.stop_at = UINT64_MAX};
	while (*path && (row = find_behaviour(path)) >= 0) {
		const char *rest = path + 1 + strcspn(path + 1, "/");
		char arg[ARG_SIZE] = "";

		if (behaviours[row].args && *rest) {
			size_t len = strcspn(rest + 1, "/");

			snprintf(arg, sizeof(arg), "%.*s", (int)len, rest + 1);
			rest += 1 + len;
		}
		if (behaviours[row].what == B_ONCE)
			skip = strcmp(method, "GET") != 0 || tally_seen(tally, path, true) > 0;
		else if (skip)
			skip = false;
		else
			apply(script, behaviours[row].what, arg);
		path = rest;
	}
	return path;
}
