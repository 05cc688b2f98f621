/* Asking who lends keys of S3; the inside of s3_wallet.c. */
#ifndef FETCHFS_BACKENDS_S3_LENDER_H
#define FETCHFS_BACKENDS_S3_LENDER_H

#include "backends/s3_wallet.h"

/* Ask access->source for keys; *ret is for s3_keys_release(). *ret_gave_up: it is request->poll
 * that ended it, so that nothing is known of the source. */
int s3_lender_ask(const struct backend_env *env, const struct backend_request *request,
	const struct access_s3 *access, struct s3_keys *ret, bool *ret_gave_up, struct err *err);

/* The time "2026-11-27T18:00:00Z" in seconds since 1970; TIME_UNKNOWN: it is none. */
int64_t s3_lender_time(const char *text);

#endif
