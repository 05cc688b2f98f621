/*
 * What stands in for OpenSSL's libssl; see base/library.h. Whoever has a connection of it to ask
 * about has it from libcurl, which has loaded it.
 */
#include "base/library.h"

#include <openssl/ssl.h>

/* The parameters have our names, not those that this version of it has in its headers. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static struct library library = LIBRARY_INIT(FETCHFS_LIBSSL);

#define FUNCTION(type, name, params, args) LIBRARY_FUNCTION(&library, type, name, params, args)

FUNCTION(int, SSL_get_shutdown, (const SSL *ssl), (ssl))
FUNCTION(int, SSL_has_pending, (const SSL *ssl), (ssl))
FUNCTION(void, SSL_get0_alpn_selected,
	(const SSL *ssl, const unsigned char **ret, unsigned int *ret_len), (ssl, ret, ret_len))

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
