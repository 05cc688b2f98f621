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

const char *tls_remedy(long verdict)
{
	switch (verdict) {
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED: /* libcurl's, until it has asked */
		return "ask for a name that it is for";
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "it is to be renewed, unless the clock of this machine is wrong";
	default:
		return "'ca_file = FILE' in [fetch] says which authorities to trust";
	}
}
