/* The header lines of one answer. */
#ifndef FETCHFS_BACKENDS_HEADERS_H
#define FETCHFS_BACKENDS_HEADERS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HEADERS_MAX ((size_t)64 * 1024) /* bytes, all lines together */

struct headers {
	char *text; /* the lines, each with a NUL at its end */
	size_t len;
	size_t room;
};

void headers_release(struct headers *headers);

/* Keep a line, which has no end of line. -EBADMSG when that makes too much; -ENOMEM. */
int headers_add(struct headers *headers, const char *line, size_t len, struct err *err);

/* Forget all lines: they were not those of the final answer. */
void headers_clear(struct headers *headers);

/* Whether there are several headers @name that do not say the same. */
bool headers_disagree(const struct headers *headers, const char *name);

/* The value of the first header @name from *@at on, which begins as 0 and is moved behind it; or
 * NULL: there are no more. */
const char *headers_next(const struct headers *headers, const char *name, size_t *at);

/* The value of the last header @name without the blanks before it, or NULL. */
const char *headers_find(const struct headers *headers, const char *name);

#endif
