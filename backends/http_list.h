/*
 * The listing of a folder over HTTP: no protocol has one, but servers show folders as HTML pages
 * ("autoindex"). A name in the folder is what such a page links to directly below itself. nginx
 * tells the names as JSON, too, which is known by its media type.
 */
#ifndef FETCHFS_BACKENDS_HTTP_LIST_H
#define FETCHFS_BACKENDS_HTTP_LIST_H

#include "backends/backend.h"

/* As struct backend has it; by its fetch(). */
int http_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err);

#endif
