/*
 * What a Mesos fetcher takes a URI for: a path of this machine or something to download, and by
 * which name it is in the sandbox.
 */
#ifndef FETCHFS_CLI_MESOS_URI_H
#define FETCHFS_CLI_MESOS_URI_H

#include "base/err.h"

#include <stdbool.h>

/*
 * The name of @uri in a sandbox, one segment: what follows the last slash anywhere, also one in the
 * query, which stays part of the name. -EINVAL. The caller's to free().
 */
int mesos_uri_name(const char *uri, char **ret, struct err *err);

/*
 * An output_file, without empty segments and ".": "a//./b" is "a/b". -EINVAL when it is empty,
 * absolute, leads up, or ends in a slash. The caller's to free().
 */
int mesos_uri_output(const char *output_file, char **ret, struct err *err);

/*
 * Whether it is of this machine: *ret is the absolute path, the caller's to free(), or NULL when it
 * is not. Nothing is unescaped in it. Relative ones are below @frameworks_home, which may be NULL;
 * *ret_prepended tells of that. -EINVAL.
 */
int mesos_uri_path(const char *uri, const char *frameworks_home, char **ret, bool *ret_prepended,
	struct err *err);

/* Whether it begins with http://, https://, ftp:// or ftps://, in just this spelling. */
bool mesos_uri_is_net(const char *uri);

/* The URI without its user and with its query as "?…"; the caller's to free(), NULL: no memory. */
char *mesos_uri_shown(const char *uri);

/* The same for a name that was made of the URI, or of its end. */
char *mesos_uri_shown_name(const char *uri, const char *name);

/* The same for a name in the agent's cache, "c7-…", which may be a shortened one. */
char *mesos_uri_shown_file(const char *uri, const char *file);

#endif
