/*
 * What opens the doors of a registry for who asks: user and password (Basic), or a token, which a
 * token server gives to who has them, or to anybody (distribution specification, "Token
 * Authentication").
 */
#ifndef FETCHFS_BACKENDS_OCI_LOGIN_H
#define FETCHFS_BACKENDS_OCI_LOGIN_H

#include "backends/oci_challenge.h"
#include "backends/oci_memory.h"
#include "base/err.h"

struct oci_repo;

struct oci_login {
	struct oci_fact fact; /* first, so that it is the login */
	char *bearer;         /* a token; NULL: user and password */
	char *user;
	char *password;
};

/* What is known already to open the repository of @oci, a reference; or NULL. */
struct oci_login *oci_login_peek(const struct oci_repo *oci);

/*
 * What @challenge wants, of which @stale (or NULL) was not enough: found out once, however many
 * threads ask. *ret is a reference. -EACCES: there is nothing that would open it.
 */
int oci_login_get(struct oci_repo *oci, const struct oci_challenge *challenge,
	const struct oci_login *stale, struct oci_login **ret, struct err *err);

void oci_login_unref(struct oci_login *login); /* NULL is ignored */

#endif
