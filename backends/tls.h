/*
 * What libcurl does not tell of a TLS connection. OpenSSL is known to nobody else here.
 */
#ifndef FETCHFS_BACKENDS_TLS_H
#define FETCHFS_BACKENDS_TLS_H

#include <stdbool.h>

/* The peer has said that nothing follows (close_notify). @ssl is OpenSSL's SSL. */
bool tls_is_ended(const void *ssl);

/* Bytes of the peer have been received, and not been read. */
bool tls_has_unread(const void *ssl);

/* The two agreed on HTTP/2. */
bool tls_speaks_http2(const void *ssl);

/* What to do about a certificate that is refused. @verdict is OpenSSL's on its chain, as libcurl
 * tells it; where there is nothing wrong with that, it is for another name than the server's. */
const char *tls_remedy(long verdict);

#endif
