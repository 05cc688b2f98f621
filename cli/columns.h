/*
 * Text of which a terminal has room for a part only.
 */
#ifndef FETCHFS_CLI_COLUMNS_H
#define FETCHFS_CLI_COLUMNS_H

#include <stddef.h>

/* Bytes that @columns columns may need, with the NUL. */
#define COLUMNS_BYTES(columns) (4 * (columns) + 4)

/*
 * The end of @s that fits into @columns columns, after "…" if that is not all, filled up by spaces;
 * @ret holds COLUMNS_BYTES(@columns). What is no character, or what a terminal would obey, is '?'.
 * Characters that may be wide count as wide: rather too short than wrapped.
 */
void columns_fit(const char *s, size_t columns, char *ret);

#endif
