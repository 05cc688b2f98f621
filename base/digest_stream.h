/*
 * A SHA-256 in the making, of what is larger than memory should hold at once: by OpenSSL, the
 * fastest there is, which takes two milliseconds to load.
 */
#ifndef FETCHFS_BASE_DIGEST_STREAM_H
#define FETCHFS_BASE_DIGEST_STREAM_H

#include "base/digest.h"

/* One thread at a time. */
struct digest_stream;

int digest_stream_new(struct digest_stream **ret, struct err *err);
void digest_stream_free(struct digest_stream *stream);
void digest_stream_freep(struct digest_stream **stream); /* for CLEANUP() */
int digest_stream_update(
	struct digest_stream *stream, const void *buf, size_t len, struct err *err);

/* The digest of all bytes so far. Afterwards the stream can only be freed. */
int digest_stream_finish(struct digest_stream *stream, struct digest *ret, struct err *err);

#endif
