#include "tests/support/tls.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <stdio.h>
#include <stdlib.h>

void tls_make(struct tls *tls)
{
	CLEANUP(str_freep) char *command = NULL;

	tls->dir = tmpdir_make();
	tls->cert = str_printf("%s/cert.pem", tls->dir);
	tls->key = str_printf("%s/key.pem", tls->dir);
	command = str_printf("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
			     "-days 2 -subj /CN=localhost "
			     "-addext subjectAltName=IP:127.0.0.1,DNS:localhost "
			     "-keyout '%s' -out '%s' 2>'%s/openssl.log'",
		tls->key, tls->cert, tls->dir);
	if (system(command) != 0) {
		fprintf(stderr, "openssl made no certificate\n");
		abort();
	}
}

void tls_release(struct tls *tls)
{
	tmpdir_remove(tls->dir);
	free(tls->cert);
	free(tls->key);
}
