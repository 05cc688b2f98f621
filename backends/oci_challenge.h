/*
 * What a registry wants from who asks: WWW-Authenticate (RFC 9110, 11.6.1), of which Basic
 * (RFC 7617) and Bearer as the distribution specification has it are understood.
 */
#ifndef FETCHFS_BACKENDS_OCI_CHALLENGE_H
#define FETCHFS_BACKENDS_OCI_CHALLENGE_H

#include "backends/headers.h"

#include <stdbool.h>

#define OCI_PARAMETER_MAX 2048 /* bytes of a value; longer ones are none */

struct oci_challenge {
	bool basic;
	bool bearer; /* the following are those of the token server */
	char realm[OCI_PARAMETER_MAX];
	char service[OCI_PARAMETER_MAX];
	char scope[OCI_PARAMETER_MAX]; /* "" if there is none, as above */
};

/* Of all such headers the first Bearer that has a realm, and whether there is a Basic. */
void oci_challenge_read(const struct headers *headers, struct oci_challenge *ret);

#endif
