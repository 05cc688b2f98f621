/*
 * Where a bucket is: the http(s) URIs of what is in it, and which servers are its own.
 */
#ifndef FETCHFS_BACKENDS_S3_PLACE_H
#define FETCHFS_BACKENDS_S3_PLACE_H

#include "backends/backend.h"

#define S3_REGION_SIZE    40
#define S3_REGION_DEFAULT "us-east-1"

/* A bucket as it is asked; the strings are the caller's. */
struct s3_place {
	const char *bucket;
	const char *endpoint; /* see struct access_s3; NULL: Amazon's */
	enum s3_style style;
	char region[S3_REGION_SIZE];
};

/*
 * The URI of what is at @path of the bucket, which begins with '/' and is encoded for the wire, as
 * @query is (NULL: none). *ret is for uri_release(). -EINVAL for what is no name of a bucket.
 */
int s3_place_uri(const struct s3_place *place, const char *path, const char *query, struct uri *ret,
	struct err *err);

/* Whether @at, to which perhaps a redirect led, belongs to the bucket, so that who asks for it may
 * say who he is. */
bool s3_place_owns(const struct s3_place *place, const struct uri *at);

/* Take another region. false, and nothing is changed: @region is none, or the one it is. */
bool s3_place_move(struct s3_place *place, const char *region);

#endif
