/* A private nginx that speaks HTTP/2 over TLS, for one test. It ends with the test. */
#ifndef FETCHFS_TESTS_NGINX_H
#define FETCHFS_TESTS_NGINX_H

#include "tests/support/leash.h"
#include "tests/support/tls.h"

#include <stddef.h>

struct nginx {
	char *dir;  /* files below www/ are served */
	char *base; /* "https://127.0.0.1:PORT" */
	struct leash leash;
};

void nginx_start(struct nginx *nginx, const struct tls *tls); /* aborts the test when that fails */
void nginx_stop(struct nginx *nginx);                         /* for CLEANUP(), too */

/* How many connections its requests came over, all of which were HTTP/2. Ends it first. */
size_t nginx_connections(struct nginx *nginx);

#endif
