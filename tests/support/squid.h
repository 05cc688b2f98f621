/*
 * A private Squid as an HTTP proxy, for one test. It ends with the test, however that ends.
 *
 * It asks for a name and a password (any will do) where the URI contains "locked", refuses port 2,
 * and keeps small files in memory.
 */
#ifndef FETCHFS_TESTS_SQUID_H
#define FETCHFS_TESTS_SQUID_H

#include "tests/support/leash.h"

struct squid {
	char *dir;
	unsigned int port; /* of 127.0.0.1 */
	char *uri;         /* "http://127.0.0.1:PORT" */
	struct leash leash;
};

void squid_start(struct squid *squid); /* aborts the test when that fails */
void squid_stop(struct squid *squid);  /* for CLEANUP(), too */

#endif
