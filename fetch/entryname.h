/*
 * Names as archives have them: what of them may become a path in a tree.
 */
#ifndef FETCHFS_FETCH_ENTRYNAME_H
#define FETCHFS_FETCH_ENTRYNAME_H

#include "base/err.h"
#include "fetch/unpack.h"

#include <limits.h>
#include <stddef.h>

struct entryname {
	char path[PATH_MAX]; /* relative, without "." and doubled slashes; "" is the tree itself */
	size_t len;
	size_t last;        /* where its last segment begins */
	unsigned int depth; /* of how many segments it consists */
};

/*
 * Read @text, the bytes of an archive. -EBADMSG: it is absolute, has "..", or is no name at all;
 * -E2BIG: a limit, whose key the text names.
 */
int entryname_parse(const char *text, const struct unpack_limits *limits, struct entryname *ret,
	struct err *err);

/*
 * Whether a symbolic link that is called @at may say @target: it is relative, and none of its ".."
 * leads above the tree, as far as names tell. (Through other links it still might.) -EBADMSG,
 * -E2BIG.
 */
int entryname_check_link(const struct entryname *at, const char *target,
	const struct unpack_limits *limits, struct err *err);

/* The name for people: one line, cut, each byte that cannot be shown as \xHH. */
#define ENTRYNAME_SHOWN 160
void entryname_show(const char *text, char ret[ENTRYNAME_SHOWN]);

#endif
