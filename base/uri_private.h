/* What the files of uri.h share. */
#ifndef FETCHFS_BASE_URI_PRIVATE_H
#define FETCHFS_BASE_URI_PRIVATE_H

#include "base/uri.h"

#include <stdbool.h>
#include <string.h>

/* -EINVAL. The text stays out of it: it may hold a password, and the caller knows it. */
int uri_malformed(struct err *err, const char *why);

/* [@authority, @authority + @len) to user, password, host and port of @uri, which has its scheme.
 */
int uri_parse_authority(const char *authority, size_t len, struct uri *uri, struct err *err);

/* To the one spelling of *@host, which is from malloc(), and stays so; "" and NULL are none. */
int uri_normalize_host(char **host, struct err *err);

/* ---- characters: <ctype.h> depends on the locale; a URI does not ---- */

static inline bool uri_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool uri_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool uri_is_alnum(char c)
{
	return uri_is_alpha(c) || uri_is_digit(c);
}

static inline bool uri_is_unreserved(char c)
{
	return uri_is_alnum(c) || (c && strchr("-._~", c));
}

static inline void uri_lower(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

#endif
