/*
 * Signature Version 4, as Amazon publishes it for S3: what proves that a request comes from who
 * has the secret key, which itself is never sent.
 *
 * ("Authenticating Requests: Using the Authorization Header" in the S3 API reference. S3 differs
 * from other services in that paths are encoded once, and not normalised.)
 */
#ifndef FETCHFS_BACKENDS_S3_SIGN_H
#define FETCHFS_BACKENDS_S3_SIGN_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define S3_NO_BODY                                                                                 \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* its SHA-256 */
#define S3_DATE_SIZE 17                                                    /* "20130524T000000Z" */

/* A request. All that is in it was encoded for the wire before. */
struct s3_signing {
	const char *method;
	const char *path;  /* by s3_sign_encode(), beginning with '/' */
	const char *query; /* likewise, "a=1&b", in any order; NULL: none */
	const char *const
		*headers; /* "name:value", names in lower case and sorted; NULL-terminated */
	const char *body; /* its SHA-256, hexadecimal: what x-amz-content-sha256 says */
	const char *key_id;
	const char *secret;
	const char *region;
	int64_t now; /* seconds since 1970: what x-amz-date says */
};

/* "AWS4-HMAC-SHA256 Credential=…", from malloc(). */
int s3_sign(const struct s3_signing *signing, char **ret, struct err *err);

/* The moment as x-amz-date has it. */
void s3_sign_date(int64_t now, char ret[S3_DATE_SIZE]);

/*
 * @text, a part of a canonical URI, as a signature wants it: with everything as %XX but unreserved
 * characters and, in a path, '/'. Escapes stay. The caller's to free(); NULL: out of memory.
 */
char *s3_sign_encode(const char *text, bool is_path);

#endif
