/*
 * Whose requests to S3 are, and where they go: by the section [s3 "…"] that covers the URI, and for
 * the owner of the cache as for any program of his that speaks S3: by the environment and the files
 * that `aws configure` writes.
 *
 * In this order: AWS_ACCESS_KEY_ID and its like, unless the section names a profile or a file; the
 * profile in ~/.aws/credentials; the profile in ~/.aws/config; none, and the request is not signed.
 */
#ifndef FETCHFS_FETCH_CREDENTIALS_S3_H
#define FETCHFS_FETCH_CREDENTIALS_S3_H

#include "fetch/credentials.h"

/* As credentials_load(); what a section is not there for, a user in the URI has himself. */
int credentials_s3_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err);

/*
 * Where a request to @uri, of s3, probably goes to (a profile may have another endpoint): by which
 * a proxy is chosen. *ret is for uri_release().
 */
int credentials_s3_where(
	const struct config *config, const struct uri *uri, struct uri *ret, struct err *err);

void credentials_s3_release(struct credentials *credentials);

#endif
