/*
 * One accepted connection of rawserver, with or without TLS, which it can end in bad ways, too.
 * After the first failure all functions that send do nothing: the client is gone.
 */
#ifndef FETCHFS_TESTS_RAWCONN_H
#define FETCHFS_TESTS_RAWCONN_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum rawconn_end {
	RAWCONN_CLOSE,     /* as it should be: with TLS a close_notify, then FIN */
	RAWCONN_NO_NOTIFY, /* FIN without a close_notify */
	RAWCONN_CUT_TLS,   /* FIN in the middle of a record of TLS */
	RAWCONN_RESET,     /* RST */
};

struct rawconn {
	int sock;
	SSL *ssl; /* NULL: plain */
	bool broken;
	bool bytewise;         /* one byte a packet */
	unsigned int pause_us; /* and so long after each */
};

/* A listener at a free port of 127.0.0.1, whose number is then in @port_file; or -1. */
int rawconn_listen(const char *port_file);

/* What the server needs to speak TLS, from two files; or NULL. */
SSL_CTX *rawconn_load_tls(const char *cert, const char *key);

/* Takes @sock. TLS is spoken, by @tls, if the client begins with it. False: nothing to talk to. */
bool rawconn_accept(struct rawconn *conn, int sock, SSL_CTX *tls);

ssize_t rawconn_read(struct rawconn *conn, void *buf, size_t size);
bool rawconn_send(struct rawconn *conn, const void *buf, size_t len);

/* Until the client has gone. */
void rawconn_wait(struct rawconn *conn);

void rawconn_end(struct rawconn *conn, enum rawconn_end how);

#endif
