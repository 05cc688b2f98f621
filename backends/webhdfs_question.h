/*
 * One request to one namenode (WebHDFS REST API, from Hadoop's documentation): an operation on a
 * path, asked as whom the access says, and followed to the datanode that has the bytes.
 */
#ifndef FETCHFS_BACKENDS_WEBHDFS_QUESTION_H
#define FETCHFS_BACKENDS_WEBHDFS_QUESTION_H

#include "backends/http.h"

#define WEBHDFS_ANY_LENGTH INT64_C(-1)

/* What is asked; the strings are the caller's. */
struct webhdfs_operation {
	const char *path;  /* encoded for the wire, beginning with '/' */
	const char *query; /* "op=OPEN&offset=0"; without who asks */

	/* OPEN: how many bytes must come, and of what; else WEBHDFS_ANY_LENGTH and NULL. */
	int64_t length;
	const struct remote *remote;
};

struct webhdfs_question {
	struct http_dialect dialect; /* first, so that it is the question */
	const struct webhdfs_operation *operation;
	struct backend_request request; /* as asked for, to the http(s) URI */
	struct uri uri;
	bool redirected; /* the namenode has done its part */
	bool begun;      /* bytes of the file come */
	bool standby;    /* it refused, since another one serves */
};

/* To @node, see struct webhdfs_place, for @asked, whose user, if it has one, comes before @access.
 * For webhdfs_question_release(), whatever is returned. */
int webhdfs_question_init(struct webhdfs_question *question, const char *node,
	const struct backend_request *asked, const struct access_hdfs *access,
	const struct webhdfs_operation *operation, struct err *err);
void webhdfs_question_release(struct webhdfs_question *question);

/*
 * @path of a canonical URI, with all escaped but what is unreserved and '/', and without a slash at
 * the end. The caller's to free(); NULL: out of memory.
 */
char *webhdfs_question_path(const char *path);

#endif
