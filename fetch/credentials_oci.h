/*
 * Whose requests to a registry are, and where they go: by the section [oci "…"] that covers the
 * URI; for the owner of the cache, without one, as any program of his that reads what `docker
 * login` has written: DOCKER_CONFIG or ~/.docker, config.json. A helper that it names is only asked
 * when a registry wants to know who asks.
 */
#ifndef FETCHFS_FETCH_CREDENTIALS_OCI_H
#define FETCHFS_FETCH_CREDENTIALS_OCI_H

#include "fetch/credentials.h"

/* As credentials_load(). */
int credentials_oci_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err);
void credentials_oci_release(struct credentials *credentials);

/* The http(s) URI of the registry, for who has to know how to get there. *ret is the caller's. */
int credentials_oci_where(
	const struct config *config, const struct uri *uri, struct uri *ret, struct err *err);

#endif
