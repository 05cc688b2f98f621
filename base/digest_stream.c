#include "base/digest_stream.h"

#include "base/cleanup.h"
#include "base/libcrypto.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

struct digest_stream {
	EVP_MD_CTX *ctx;
};

/* OpenSSL fails here only for want of memory, or of a usable SHA-256 (a broken installation). */
static int failed(struct err *err)
{
	return err_set(err, ERR_SYSTEM, EIO, "compute sha256: libcrypto failed");
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

int digest_stream_new(struct digest_stream **ret, struct err *err)
{
	CLEANUP(digest_stream_freep) struct digest_stream *stream = NULL;
	int r = libcrypto_load(err);

	if (r < 0)
		return r;
	stream = calloc(1, sizeof(*stream));
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
