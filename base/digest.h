/*
 * SHA-256, the name of every object (FIPS 180-4; computed by OpenSSL, which uses the
 * processor's instructions for it).
 */
#ifndef FETCHFS_BASE_DIGEST_H
#define FETCHFS_BASE_DIGEST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE     32
#define DIGEST_HEX_SIZE 65 /* with the NUL */

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

/* Read "sha256:HEX", "sha256=HEX" (as a URI fragment has it) or bare HEX; -EINVAL otherwise. */
int digest_parse(const char *text, struct digest *ret, struct err *err);

/* 64 lower-case hexadecimal digits into @ret, which holds DIGEST_HEX_SIZE characters. */
void digest_hex(const struct digest *digest, char *ret);

bool digest_equal(const struct digest *a, const struct digest *b);

/* The digest of a buffer. */
int digest_buffer(const void *buf, size_t len, struct digest *ret, struct err *err);

/* HMAC-SHA-256 (RFC 2104). */
int digest_hmac(const void *key, size_t key_len, const void *buf, size_t len, struct digest *ret,
	struct err *err);

/* Frees what OpenSSL keeps for the calling thread: for threads that nobody joins, before they say
 * that they are done. Later there may be nobody who does it any more. */
void digest_end_thread(void);

/* A digest in the making. One thread at a time. */
struct digest_stream;

int digest_stream_new(struct digest_stream **ret, struct err *err);
void digest_stream_free(struct digest_stream *stream);
void digest_stream_freep(struct digest_stream **stream); /* for CLEANUP() */
int digest_stream_update(
	struct digest_stream *stream, const void *buf, size_t len, struct err *err);

/* The digest of all bytes so far. Afterwards the stream can only be freed. */
int digest_stream_finish(struct digest_stream *stream, struct digest *ret, struct err *err);

#endif
