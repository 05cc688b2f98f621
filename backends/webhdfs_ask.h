/*
 * A file or folder of a Hadoop cluster, and the questions about it: to one namenode after the
 * other, until there is one that serves.
 */
#ifndef FETCHFS_BACKENDS_WEBHDFS_ASK_H
#define FETCHFS_BACKENDS_WEBHDFS_ASK_H

#include "backends/webhdfs_place.h"
#include "backends/webhdfs_question.h"

#include <jansson.h>

struct webhdfs {
	const struct backend_env *env;
	const struct backend_request *request;
	const struct access_hdfs *access;
	struct sink *sink; /* is polled while small answers are waited for; NULL: the request is */
	struct webhdfs_place place;
	char *path; /* encoded for the wire */
};

/* What a namenode says of a file (FileStatus). */
struct webhdfs_status {
	int64_t length;
	int64_t modified_ms; /* since 1970 */
	int64_t file_id;     /* of this file, whatever it is called by now; 0: it does not say */
	bool is_folder;
};

/* For webhdfs_release(), whatever is returned. @request must outlive it. */
int webhdfs_init(struct webhdfs *webhdfs, const struct backend_env *env,
	const struct backend_request *request, struct sink *sink, struct err *err);
void webhdfs_release(struct webhdfs *webhdfs);

/* Each namenode once at most. The answer, or what its part of the file is, goes to @sink. */
int webhdfs_ask(const struct webhdfs *webhdfs, const struct webhdfs_operation *operation,
	struct sink *sink, struct err *err);

/*
 * An answer of at most @max bytes, which is JSON: *ret is for json_decref(). @query: see struct
 * webhdfs_operation. -EFBIG.
 */
int webhdfs_ask_json(const struct webhdfs *webhdfs, const char *query, size_t max, json_t **ret,
	struct err *err);
void webhdfs_json_freep(json_t **json); /* for CLEANUP() */

/* A FileStatus. -EBADMSG when it is none. */
int webhdfs_read_status(const json_t *json, struct webhdfs_status *ret, struct err *err);

/* What @webhdfs is. */
int webhdfs_ask_status(const struct webhdfs *webhdfs, struct webhdfs_status *ret, struct err *err);

#endif
