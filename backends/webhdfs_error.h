/* What WebHDFS says when it refuses: a RemoteException, which is Java's name of what is wrong. */
#ifndef FETCHFS_BACKENDS_WEBHDFS_ERROR_H
#define FETCHFS_BACKENDS_WEBHDFS_ERROR_H

#include "base/err.h"

#include <stdbool.h>

/*
 * The error that an answer of @status with @body (a text) means, into @err, which has what the
 * status alone means. *ret_standby: this namenode does not serve, another one may. What the server
 * says in its own words is not repeated: it names users, and sometimes tokens. -errno.
 */
int webhdfs_error(long status, const char *body, bool *ret_standby, struct err *err);

#endif
