/*
 * Files are hashed by EVP. What is in memory, as the keys of entries are, is by the functions under
 * it: EVP's first use sets up all that OpenSSL has, for two milliseconds, and most commands hash a
 * few hundred bytes and end. The functions are called deprecated, because they know no provider.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/digest.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 64 /* of SHA-256, in bytes */

struct digest_stream {
	EVP_MD_CTX *ctx;
};

int digest_parse(const char *text, struct digest *ret, struct err *err)
{
	const char *hex = text;
	struct digest digest;

	if (str_has_prefix(text, "sha256:") || str_has_prefix(text, "sha256="))
		hex += strlen("sha256:");
	if (!str_from_hex(hex, DIGEST_SIZE, digest.bytes))
		return err_set(err, ERR_USAGE, EINVAL,
			"digest '%.80s' is not sha256: and 64 hexadecimal digits", text);
	*ret = digest;
	return 0;
}

void digest_hex(const struct digest *digest, char *ret)
{
	str_to_hex(digest->bytes, DIGEST_SIZE, ret);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

/* OpenSSL fails here only for want of memory, or of a usable SHA-256 (a broken installation). */
static int failed(struct err *err)
{
	return err_set(err, ERR_SYSTEM, EIO, "compute sha256: libcrypto failed");
}

/* Of @first, and of @buf behind it. */
static int hash(const void *first, size_t first_len, const void *buf, size_t len,
	struct digest *ret, struct err *err)
{
	SHA256_CTX ctx;
	struct digest digest;
	bool good = SHA256_Init(&ctx) && SHA256_Update(&ctx, first, first_len) &&
		    SHA256_Update(&ctx, buf, len) && SHA256_Final(digest.bytes, &ctx);

	explicit_bzero(&ctx, sizeof(ctx)); /* it may have been a key */
	if (!good)
		return failed(err);
	*ret = digest;
	return 0;
}

int digest_buffer(const void *buf, size_t len, struct digest *ret, struct err *err)
{
	return hash("", 0, buf, len, ret, err);
}

/*
 * Not OpenSSL's, which looks two algorithms up for each, and leaves something in each thread that
 * is freed by what ends with the thread: of a detached one perhaps after the process.
 */
int digest_hmac(const void *key, size_t key_len, const void *buf, size_t len, struct digest *ret,
	struct err *err)
{
	uint8_t block[BLOCK_SIZE] = {0};
	struct digest inner;
	int r = 0;

	if (key_len > BLOCK_SIZE)
		r = digest_buffer(key, key_len, (struct digest *)block, err);
	else if (key_len > 0)
		memcpy(block, key, key_len);
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		block[i] ^= 0x36;
	if (r == 0)
		r = hash(block, sizeof(block), buf, len, &inner, err);
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		block[i] ^= 0x36 ^ 0x5c;
	if (r == 0)
		r = hash(block, sizeof(block), inner.bytes, sizeof(inner.bytes), ret, err);
	explicit_bzero(block, sizeof(block));
	return r;
}

static EVP_MD *found; /* by look_up(), once; then it never changes */

static void look_up(void)
{
	found = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* Looking the algorithm up takes as long as hashing a kilobyte: once is enough for a process. */
static const EVP_MD *sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look_up);
	return found ? found : EVP_sha256();
}

void digest_end_thread(void)
{
	OPENSSL_thread_stop();
}

int digest_stream_new(struct digest_stream **ret, struct err *err)
{
	CLEANUP(digest_stream_freep) struct digest_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return err_oom(err);
	stream->ctx = EVP_MD_CTX_new();
	if (!stream->ctx)
		return err_oom(err);
	if (!EVP_DigestInit_ex(stream->ctx, sha256(), NULL))
		return failed(err);

	*ret = stream;
	stream = NULL;
	return 0;
}

void digest_stream_free(struct digest_stream *stream)
{
	if (!stream)
		return;
	EVP_MD_CTX_free(stream->ctx);
	free(stream);
}

void digest_stream_freep(struct digest_stream **stream)
{
	digest_stream_free(*stream);
	*stream = NULL;
}

int digest_stream_update(struct digest_stream *stream, const void *buf, size_t len, struct err *err)
{
	return EVP_DigestUpdate(stream->ctx, buf, len) ? 0 : failed(err);
}

int digest_stream_finish(struct digest_stream *stream, struct digest *ret, struct err *err)
{
	struct digest digest;

	if (!EVP_DigestFinal_ex(stream->ctx, digest.bytes, NULL))
		return failed(err);
	*ret = digest;
	return 0;
}
