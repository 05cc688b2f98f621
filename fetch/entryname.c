#include "fetch/entryname.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of a character of UTF-8, or of the four that stand for a byte. */
#define SHOWN_CHAR 4

void entryname_show(const char *text, char ret[ENTRYNAME_SHOWN])
{
	static const char dots[] = "…";
	size_t at = 0;

	while (*text && at + SHOWN_CHAR + sizeof(dots) <= ENTRYNAME_SHOWN) {
		size_t len = str_char_shown(text);

		if (len > 0) {
			memcpy(ret + at, text, len);
			at += len;
			text += len;
		} else {
			at += (size_t)snprintf(
				ret + at, SHOWN_CHAR + 1, "\\x%02x", (unsigned char)*text++);
		}
	}
	memcpy(ret + at, *text ? dots : "", *text ? sizeof(dots) : 1);
}

static int refuse(const char *name, const char *why, struct err *err)
{
	char shown[ENTRYNAME_SHOWN];

	entryname_show(name, shown);
	return err_set(err, ERR_INTEGRITY, EBADMSG, "entry %s: %s", shown, why);
}

static int too_much(
	const char *name, const char *what, unsigned int limit, const char *key, struct err *err)
{
	char shown[ENTRYNAME_SHOWN];

	entryname_show(name, shown);
	return err_set(err, ERR_USAGE, E2BIG, "entry %s: %s more than %u ([unpack] %s)", shown,
		what, limit, key);
}

static int add_segment(const char *text, const char *segment, size_t len,
	const struct unpack_limits *limits, struct entryname *name, struct err *err)
{
	size_t limit = limits->path < sizeof(name->path) ? limits->path : sizeof(name->path) - 1;
	size_t slash = name->len > 0;

	if (len > limits->name)
		return too_much(text, "a name is of", limits->name, "name", err);
	if (name->depth >= limits->depth)
		return too_much(text, "names below each other are", limits->depth, "depth", err);
	if (name->len + slash + len > limit)
		return too_much(text, "its bytes are", (unsigned int)limit, "path", err);
	if (slash)
		name->path[name->len++] = '/';
	name->last = name->len;
	memcpy(name->path + name->len, segment, len);
	name->len += len;
	name->depth++;
	return 0;
}

int entryname_parse(const char *text, const struct unpack_limits *limits, struct entryname *ret,
	struct err *err)
{
	const char *segment = text;
	int r = 0;

	ret->len = ret->last = ret->depth = 0;
	if (text[0] == '\0')
		return refuse(text, "it has no name", err);
	if (text[0] == '/')
		return refuse(text, "its name is absolute", err);
	while (r == 0 && *segment) {
		size_t len = strcspn(segment, "/");

		if (len == 2 && memcmp(segment, "..", 2) == 0)
			return refuse(text, "its name leads up, by ..", err);
		if (len > 0 && !(len == 1 && segment[0] == '.'))
			r = add_segment(text, segment, len, limits, ret, err);
		segment += len;
		segment += strspn(segment, "/");
	}
	ret->path[ret->len] = '\0';
	return r;
}

int entryname_check_link(const struct entryname *at, const char *target,
	const struct unpack_limits *limits, struct err *err)
{
	unsigned int depth = at->depth - 1;

	if (target[0] == '\0')
		return refuse(at->path, "it is a link to nothing", err);
	if (target[0] == '/')
		return refuse(at->path, "it is a link to an absolute name", err);
	if (strlen(target) > limits->path || strlen(target) >= PATH_MAX)
		return too_much(at->path, "the bytes of its target are", limits->path, "path", err);
	while (*target) {
		size_t len = strcspn(target, "/");

		if (len == 2 && memcmp(target, "..", 2) == 0) {
			if (depth == 0)
				return refuse(at->path, "it is a link that leads outside", err);
			depth--;
		} else if (len > 0 && !(len == 1 && target[0] == '.')) {
			depth++;
		}
		target += len;
		target += strspn(target, "/");
	}
	return 0;
}
