#include "backends/reuse.h"

#include "backends/easy.h"
#include "backends/tls.h"

#include <curl/curl.h>
#include <sys/ioctl.h>

bool reuse_has_leftovers(const struct transfer *transfer)
{
	const struct curl_tlssessioninfo *session = NULL;
	int waiting = 0;

	if (!easy_speaks_http(transfer))
		return false; /* ftp is a conversation: its greeting may be unread */
	curl_easy_getinfo(transfer->easy, CURLINFO_TLS_SSL_PTR, &session);
	if (session && session->internals && session->backend == CURLSSLBACKEND_OPENSSL) {
		if (tls_speaks_http2(session->internals))
			return false;
		if (tls_has_unread(session->internals))
			return true;
	}
	/* under TLS it may also be a message of TLS itself: a connection more harms nobody */
	return transfer->fd >= 0 && ioctl(transfer->fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

bool reuse_is_to_blame(const struct transfer *transfer, int code)
{
	if (transfer->leftovers)
		return true;
	/* they came after the request went out */
	return transfer->asked && !transfer->opened && !transfer->answered &&
	       (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY);
}
