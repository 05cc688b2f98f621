/*
 * What an HTTP answer says: status, version, size, freshness (RFC 9110, RFC 9111).
 */
#ifndef FETCHFS_BACKENDS_ANSWER_H
#define FETCHFS_BACKENDS_ANSWER_H

#include "backends/backend.h"
#include "backends/transfer.h"

#include <stdbool.h>

/* 301, 302, 303, 307, 308: look at Location. */
bool answer_is_redirect(const struct transfer *transfer);

/*
 * -EBADMSG when nobody knows where the body ends, or what it is: a Content-Length that is no number
 * of bytes, a transfer coding that was not asked for.
 */
int answer_check_body(const struct transfer *transfer, struct err *err);

/* The error that a status of 4xx or 5xx means: "404 not found". For any other: -EBADMSG. */
int answer_error(const struct transfer *transfer, struct err *err);

/* Everything but @unchanged, as of a 200 or 304: the size is that of the body. */
void answer_remote(const struct transfer *transfer, struct remote *ret);

/*
 * Check that a 206 brings bytes that @request asked for: the first *ret_length of them, which may
 * be fewer (RFC 9110, 15.3.7), out of a file of *ret_size (or SIZE_UNKNOWN). -EBADMSG when it
 * brings others.
 */
int answer_range(const struct transfer *transfer, const struct backend_request *request,
	int64_t *ret_size, int64_t *ret_length, struct err *err);

/* Whether the two are one version: by the ETag, else by the time. When @now has nothing that could
 * be compared it is taken for another one, unless nothing is known. */
bool answer_same_version(const struct validators *known, const struct validators *now);

#endif
