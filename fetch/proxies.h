/*
 * Which proxies lead to a URI, in the order in which they are tried.
 *
 * From a configuration: groups between ';', members of a group between '|', "direct" for none. The
 * members of a group share the load: each process begins with another one. Or from the environment,
 * as curl reads it: http_proxy (lower case only), https_proxy, ftp_proxy, all_proxy, and no_proxy
 * (noproxy.h).
 */
#ifndef FETCHFS_FETCH_PROXIES_H
#define FETCHFS_FETCH_PROXIES_H

#include "base/err.h"
#include "base/uri.h"
#include "fetch/config.h"

#include <stddef.h>

#define PROXIES_MAX CONFIG_PROXIES_MAX

struct proxies {
	char *items[PROXIES_MAX]; /* "http://host:port"; "" is direct. The struct's */
	size_t count;             /* at least 1 */
};

void proxies_release(struct proxies *proxies);

/*
 * The list for @uri. @text is the configuration's, "environment" or NULL for the environment's.
 * @environment is like environ; NULL: empty. @turn rotates the members of each group.
 * -EINVAL (what the environment has makes no sense), -ENOMEM.
 */
int proxies_for(const char *text, const char *const *environment, const struct uri *uri,
	unsigned int turn, struct proxies *ret, struct err *err);

#endif
