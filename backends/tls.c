#include "backends/tls.h"

#include <openssl/ssl.h>
#include <string.h>

bool tls_is_ended(const void *ssl)
{
	return (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool tls_has_unread(const void *ssl)
{
	return SSL_has_pending(ssl) != 0;
}

bool tls_speaks_http2(const void *ssl)
{
	const unsigned char *name = NULL;
	unsigned int len = 0;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}
