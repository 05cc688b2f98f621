/* What the files share that look at many entries. */
#ifndef FETCHFS_FETCH_BROWSE_H
#define FETCHFS_FETCH_BROWSE_H

#include "fetch/context.h"

/* The scopes whose entries @uid sees beside the public ones, between blanks; the caller's to
 * free(). NULL: all. */
int browse_scopes(struct fetchfs *fetchfs, uid_t uid, char **ret, struct err *err);

#endif
