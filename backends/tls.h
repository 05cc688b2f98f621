/*
 * What libcurl does not tell of a TLS connection. OpenSSL is known to nobody else here.
 */
#ifndef FETCHFS_BACKENDS_TLS_H
#define FETCHFS_BACKENDS_TLS_H

#include <stdbool.h>

/* The peer has said that nothing follows (close_notify). @ssl is OpenSSL's SSL. */
bool tls_is_ended(const void *ssl);

#endif
