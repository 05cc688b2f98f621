/*
 * URIs from a file or a pipe, one a line, as they come: never more than one line in memory.
 *
 * Blank lines and lines that begin with '#' are passed over; blanks around a URI are cut off.
 */
#ifndef FETCHFS_CLI_URILIST_H
#define FETCHFS_CLI_URILIST_H

#include "base/err.h"
#include "base/uri.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct urilist {
	const char *name; /* for messages */
	int fd;
	unsigned long line; /* number of the line that came last */
	size_t begin;       /* buffer[begin, end) has not been looked at */
	size_t end;
	bool ended;    /* read() answered 0 */
	bool skipping; /* inside a line that was refused */
	char buffer[2 * (URI_MAX + 2)];
};

/* Open @path, "-" for stdin. */
int urilist_open(const char *path, struct urilist *ret, struct err *err);
void urilist_release(struct urilist *list);

/*
 * The next URI: 1, and *ret points into @list until the next call. 0: there are no more.
 * -EAGAIN: none now, poll list->fd. -EINVAL: a line was refused, @err names it, go on.
 * Another -errno: reading failed.
 */
int urilist_next(struct urilist *list, char **ret, struct err *err);

/* How many there are, of a file from which nothing has been taken; 0: it is a pipe, or too long. */
uint64_t urilist_count(struct urilist *list);

#endif
