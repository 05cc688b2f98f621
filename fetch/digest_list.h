/*
 * Lists of digests as sha256sum(1) and its like write them, read:
 *
 *	HEX  name        HEX *name        GNU; the number of digits tells the kind
 *	\HEX  na\\me\n                    the same, with \\, \n and \r escaped in the name
 *	SHA256 (name) = HEX               BSD, and `--tag`
 *
 * "./" in front of a name counts for nothing. Blank lines, comments ('#', ';'), the armour of a
 * PGP signature (which is not checked), and digests of unknown kinds are passed over; anything
 * else is no listing, so that an error page is not taken for an empty one.
 */
#ifndef FETCHFS_FETCH_DIGEST_LIST_H
#define FETCHFS_FETCH_DIGEST_LIST_H

#include "base/checksum.h"
#include "base/err.h"

#include <stddef.h>

#define DIGEST_LIST_MAX      (16U << 20) /* bytes */
#define DIGEST_LIST_LINE_MAX 8192        /* bytes, without the end of the line */

struct digest_list;

/*
 * Read @len bytes of @text, which has a NUL behind them, is from malloc(), and is taken over in
 * any case. -EINVAL tells the line and what is wrong with it.
 */
int digest_list_parse(char *text, size_t len, struct digest_list **ret, struct err *err);
void digest_list_free(struct digest_list *list);
void digest_list_freep(struct digest_list **list); /* for CLEANUP() */

/*
 * What the file @name is to hash to, by the best kind that is listed (checksum.h has the order).
 * -ENOENT; -EINVAL when there are two different values of that kind.
 */
int digest_list_find(
	const struct digest_list *list, const char *name, struct checksum *ret, struct err *err);

#endif
