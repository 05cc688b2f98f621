/*
 * What somebody says the bytes hash to: SHA-256 or SHA-512 (FIPS 180-4), and SHA-1 and MD5
 * (RFC 1321), which old listings have and which no longer protect against forgery. Objects are
 * named by SHA-256 whatever was asked for (base/digest.h). By OpenSSL, the fastest there is for
 * files, which takes two milliseconds to load.
 */
#ifndef FETCHFS_BASE_CHECKSUM_H
#define FETCHFS_BASE_CHECKSUM_H

#include "base/digest.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of several for the same bytes, the later one is the better: SHA-256 is computed anyway. */
enum checksum_kind {
	CHECKSUM_NONE,
	CHECKSUM_MD5,
	CHECKSUM_SHA1,
	CHECKSUM_SHA512,
	CHECKSUM_SHA256,
	CHECKSUM_KINDS, /* how many there are */
};

#define CHECKSUM_BYTES_MAX 64
#define CHECKSUM_TEXT_SIZE (sizeof("sha512:") + (size_t)2 * CHECKSUM_BYTES_MAX) /* with the NUL */

/* All zero: none. Bytes behind the value are zero, so that two can be compared as bytes. */
struct checksum {
	enum checksum_kind kind;
	uint8_t bytes[CHECKSUM_BYTES_MAX];
};

/* Read "KIND:HEX", "KIND=HEX" (as a URI fragment has it), or 64 digits, a SHA-256. -EINVAL. */
int checksum_parse(const char *text, struct checksum *ret, struct err *err);

/* Digits without a kind: their number tells it. -EINVAL when it is that of no kind. */
int checksum_parse_hex(const char *hex, struct checksum *ret, struct err *err);

/* As headers write it (RFC 4648, 4). -EINVAL. */
int checksum_parse_base64(
	enum checksum_kind kind, const char *text, struct checksum *ret, struct err *err);

/* "sha512", or NONE for what is unknown. @name may be in upper case and need not end in a NUL. */
const char *checksum_kind_name(enum checksum_kind kind);
/* Whether @name is, or looks like, that of a kind, be it one that there is or not: "sha384". */
bool checksum_is_kind_like(const char *name, size_t len);
enum checksum_kind checksum_kind_find(const char *name, size_t len);

/* The length of a value, in bytes. */
size_t checksum_size(enum checksum_kind kind);

/* "sha512:HEX" into @ret, which holds CHECKSUM_TEXT_SIZE characters; "" for none. */
void checksum_format(const struct checksum *checksum, char *ret);

bool checksum_equal(const struct checksum *a, const struct checksum *b);

/* Whether others can make different bytes with the same value. */
bool checksum_is_weak(const struct checksum *checksum);

struct checksum checksum_of_digest(const struct digest *digest);

/* 0, or -EBADMSG with both values in the text. */
int checksum_check(const struct checksum *is, const struct checksum *expected, struct err *err);

/* A checksum in the making. One thread at a time. */
struct checksum_stream;

int checksum_stream_new(enum checksum_kind kind, struct checksum_stream **ret, struct err *err);
void checksum_stream_free(struct checksum_stream *stream);
void checksum_stream_freep(struct checksum_stream **stream); /* for CLEANUP() */
enum checksum_kind checksum_stream_kind(const struct checksum_stream *stream);
int checksum_stream_update(
	struct checksum_stream *stream, const void *buf, size_t len, struct err *err);

/* The checksum of all bytes so far. Afterwards the stream can only be freed. */
int checksum_stream_finish(struct checksum_stream *stream, struct checksum *ret, struct err *err);
/* The same of one of SHA-256, as the name of an object. */
int checksum_stream_digest(struct checksum_stream *stream, struct digest *ret, struct err *err);

/* Of a buffer, and of the @size bytes of the file @fd (-EIO when it has fewer). */
int checksum_buffer(enum checksum_kind kind, const void *buf, size_t len, struct checksum *ret,
	struct err *err);
int checksum_file(
	enum checksum_kind kind, int fd, uint64_t size, struct checksum *ret, struct err *err);

#endif
