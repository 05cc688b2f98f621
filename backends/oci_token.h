/*
 * Tokens of a registry's token server: GET with user and password, or as anybody; POST with an
 * identity token (OAuth2). The server is where the registry says, if policy lets us go there; no
 * secret goes anywhere over plain http, unless the registry itself is there by configuration.
 */
#ifndef FETCHFS_BACKENDS_OCI_TOKEN_H
#define FETCHFS_BACKENDS_OCI_TOKEN_H

#include "backends/oci_challenge.h"
#include "backends/oci_helper.h"

struct oci_repo;

/* *ret is the caller's to free(), and holds nothing that a header cannot; *ret_good_ms: for so long
 * from now it may be used. */
int oci_token_ask(struct oci_repo *oci, const struct oci_challenge *challenge,
	const struct oci_credentials *credentials, char **ret, int64_t *ret_good_ms,
	struct err *err);

#endif
