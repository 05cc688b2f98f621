#include "backends/tls.h"

#include <openssl/ssl.h>

bool tls_is_ended(const void *ssl)
{
	return (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}
