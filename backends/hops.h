/*
 * Where a redirect leads (RFC 9110, 15.4), and whether it is followed.
 */
#ifndef FETCHFS_BACKENDS_HOPS_H
#define FETCHFS_BACKENDS_HOPS_H

#include "base/err.h"
#include "base/uri.h"

/*
 * The URI that @location, relative to @from, names; *ret is for uri_release(). Userinfo stays with
 * the server it was meant for. -EBADMSG: it names none. -EACCES: away from http, or from https to
 * http. -EISDIR: to the same with a slash, as for a folder.
 */
int hops_next(const struct uri *from, const char *location, struct uri *ret, struct err *err);

#endif
