/*
 * The listing of a folder of a bucket: the names that its keys have up to the next slash
 * (ListObjectsV2), page after page.
 */
#ifndef FETCHFS_BACKENDS_S3_LIST_H
#define FETCHFS_BACKENDS_S3_LIST_H

#include "backends/backend.h"

/* As struct backend has it. */
int s3_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err);

/* Whether there is anything below @request->uri, which is no object: 1, 0, or -errno. */
int s3_list_is_folder(
	const struct backend_env *env, const struct backend_request *request, struct err *err);

#endif
