/* What stands in for libcrypto; see library.h. */
#include "base/libcrypto.h"

#include "base/library.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* The parameters have our names, not those that this version of it has in its headers. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static struct library library = LIBRARY_INIT(FETCHFS_LIBCRYPTO);

#define FUNCTION(type, name, params, args) LIBRARY_FUNCTION(&library, type, name, params, args)

int libcrypto_load(struct err *err)
{
	return library_load(&library, err);
}

FUNCTION(EVP_MD *, EVP_MD_fetch, (OSSL_LIB_CTX * ctx, const char *name, const char *properties),
	(ctx, name, properties))

FUNCTION(EVP_MD_CTX *, EVP_MD_CTX_new, (void), ())
FUNCTION(void, EVP_MD_CTX_free, (EVP_MD_CTX * ctx), (ctx))
FUNCTION(int, EVP_DigestInit_ex, (EVP_MD_CTX * ctx, const EVP_MD *type, ENGINE *engine),
	(ctx, type, engine))
FUNCTION(int, EVP_DigestUpdate, (EVP_MD_CTX * ctx, const void *buf, size_t len), (ctx, buf, len))
FUNCTION(int, EVP_DigestFinal_ex, (EVP_MD_CTX * ctx, unsigned char *ret, unsigned int *ret_size),
	(ctx, ret, ret_size))

FUNCTION(void, OPENSSL_thread_stop, (void), ())

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

void libcrypto_end_thread(void)
{
	if (library_is_there(&library))
		OPENSSL_thread_stop();
}
