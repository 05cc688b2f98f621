/* no_proxy: which hosts are reached without the proxy that the environment names. */
#ifndef FETCHFS_FETCH_NOPROXY_H
#define FETCHFS_FETCH_NOPROXY_H

#include "base/uri.h"

#include <stdbool.h>

/*
 * Whether @list, which may be NULL, exempts the host of @uri. Items stand between commas or blanks:
 * a name, with all that lies below it (".name" and "*.name" are the same); an address; a network,
 * "10.0.0.0/8"; each, but for networks, with ":port" if only that is meant; "*" is everybody. What
 * a name resolves to is not asked.
 */
bool noproxy_covers(const char *list, const struct uri *uri);

#endif
