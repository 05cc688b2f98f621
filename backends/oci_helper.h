/*
 * Programs that keep the credentials of Docker's users: docker-credential-NAME, which is told the
 * registry on stdin, and answers in JSON.
 */
#ifndef FETCHFS_BACKENDS_OCI_HELPER_H
#define FETCHFS_BACKENDS_OCI_HELPER_H

#include "backends/backend.h"

struct oci_credentials {
	char *user;
	char *password;
	char *identity; /* a token instead, for which token servers give others */
};

void oci_credentials_release(struct oci_credentials *credentials); /* nothing of it stays */

/*
 * What docker-credential-@name has for @server; nothing in *ret if it has nothing. @ask ends the
 * wait by -errno. -EACCES: there is no such program, or it failed.
 */
int oci_helper_get(const struct backend_env *env, const char *name, const char *server,
	int (*ask)(void *arg, struct err *err), void *arg, struct oci_credentials *ret,
	struct err *err);

#endif
