/*
 * SHA-256, the name of every object (FIPS 180-4). What is in memory, as the keys of entries are, is
 * hashed by nettle, which is there at once; files and streams are by checksum.h. Both use the
 * processor's instructions for it.
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
void digest_buffer(const void *buf, size_t len, struct digest *ret);

/* HMAC-SHA-256 (RFC 2104). */
void digest_hmac(const void *key, size_t key_len, const void *buf, size_t len, struct digest *ret);

#endif
