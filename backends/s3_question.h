/* One request to S3 on its way over HTTP: where it goes, and how it is signed there. */
#ifndef FETCHFS_BACKENDS_S3_QUESTION_H
#define FETCHFS_BACKENDS_S3_QUESTION_H

#include "backends/http.h"
#include "backends/s3_regions.h"
#include "backends/s3_wallet.h"

struct s3_question {
	struct http_dialect dialect; /* first, so that it is the question */
	struct s3_regions *regions;
	struct backend_request request; /* as asked for, to the http(s) URI */
	struct uri uri;
	struct s3_place place;
	char *path;         /* of the URI; encoded for the wire */
	char *query;        /* likewise, or NULL */
	bool moved;         /* to another region, which is done once */
	const char *key_id; /* NULL: nobody asks */
	const char *secret;
	const char *token;
	struct s3_keys lent; /* what these may refer to */
	int64_t signed_at;   /* the last hop's request; seconds since 1970 */
};

/*
 * The question for @asked, which must outlive it: its object, or with @query, which is encoded for
 * the wire, something of its bucket. For s3_question_release(), whatever is returned. -EISDIR: it
 * is a bucket; -EINVAL for what no bucket or object is called.
 */
int s3_question_init(struct s3_question *question, const struct backend_env *env,
	const struct backend_request *asked, const char *query, bool may_wait, struct err *err);
void s3_question_release(struct s3_question *question);

#endif
