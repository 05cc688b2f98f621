/*
 * Unpacks an archive in a process of its own, which is watched, given room as it goes, and ended
 * with whatever it does once nobody wants it any more.
 */
#ifndef FETCHFS_FETCH_EXTRACT_H
#define FETCHFS_FETCH_EXTRACT_H

#include "cache/tree.h"
#include "fetch/context.h"

/*
 * Fill @draft with what the archive @fd, called @hint, holds. What has come of it is not yet
 * checked. *ret_single: it was no archive, but compressed by itself. It is given up at @until_ms of
 * the monotonic clock (0: never) and after the configured time. Errors as of fetchfs_tree_open();
 * -EIO: the process ended otherwise.
 */
int extract(struct fetchfs *fetchfs, int fd, const char *hint, int64_t until_ms,
	struct tree_draft *draft, bool *ret_single, struct err *err);

/* -ETIMEDOUT: it is given up. */
int extract_late(struct err *err);

/* What of @environment the process is to have: a list like it, the caller's; NULL: no memory. */
char **extract_environment(const char *const *environment);

#endif
