#ifndef FETCHFS_BACKENDS_WEBHDFS_LIST_H
#define FETCHFS_BACKENDS_WEBHDFS_LIST_H

#include "backends/backend.h"

/* See struct backend: LISTSTATUS_BATCH, page by page; of who does not know that, LISTSTATUS. */
int webhdfs_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err);

#endif
