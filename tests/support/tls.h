/* A certificate for 127.0.0.1 that signs itself, made by openssl(1), for one test. */
#ifndef FETCHFS_TESTS_TLS_H
#define FETCHFS_TESTS_TLS_H

struct tls {
	char *dir;
	char *cert; /* PEM: the server's certificate, and the CA to trust */
	char *key;
};

void tls_make(struct tls *tls);    /* aborts the test when that fails */
void tls_release(struct tls *tls); /* for CLEANUP(), too */

#endif
