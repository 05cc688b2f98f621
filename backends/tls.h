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

/* This thread has nothing to do with TLS for now: what OpenSSL keeps for it goes. It would go when
 * the thread ends, but of one that nobody waits for that may be after the program's end. */
void tls_leave_thread(void);

#endif
