/*
 * What goes with a request to open a door: the credentials and headers of the section
 * [origin "…"] that covers its URI, read from their files for each request, so that a token that
 * was written anew counts at once.
 */
#ifndef FETCHFS_FETCH_CREDENTIALS_H
#define FETCHFS_FETCH_CREDENTIALS_H

#include "backends/backend.h"
#include "fetch/policy.h"

#define CREDENTIALS_S3_TEXTS  8
#define CREDENTIALS_OCI_TEXTS 5

/* Once loaded it stays where it is: it refers to itself. */
struct credentials {
	struct access access; /* without a prefix: nothing is sent */
	/* what it refers to; the rest is the configuration's */
	char *user_line;
	char *bearer_line;
	const char **headers;
	struct access_s3 s3;
	char *s3_text[CREDENTIALS_S3_TEXTS];
	struct access_hdfs hdfs;
	const char **endpoints;
	char *hdfs_text; /* a user or a token */
	struct access_oci oci;
	char *oci_text[CREDENTIALS_OCI_TEXTS];
};

#define CREDENTIALS_INIT                                                                           \
	(struct credentials)                                                                       \
	{                                                                                          \
		.headers = NULL                                                                    \
	}

/*
 * For a request to @uri, which is the one that @decision is about or that of a mirror, with a
 * section of its own. There is nothing to send when there is no section, or the URI that was
 * asked for has a user. *ret is the caller's, for credentials_release(); it refers to @config.
 * -EACCES with a text that names the key and the file, when a file lacks, cannot be read, is empty
 * or makes no sense, or when the section does not serve who asks.
 */
int credentials_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err);

/* Leaves nothing of the secrets in memory; for CLEANUP(), too. */
void credentials_release(struct credentials *credentials);

/* For backend_request.access: NULL when there is nothing to send. */
const struct access *credentials_access(const struct credentials *credentials);

#endif
