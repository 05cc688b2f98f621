/*
 * What `docker login` and its like write (config.json): who logs in to a registry, or which helper
 * knows.
 */
#ifndef FETCHFS_FETCH_DOCKER_CONFIG_H
#define FETCHFS_FETCH_DOCKER_CONFIG_H

#include "base/err.h"

/* Each NULL, or the caller's, for config_free_secret(). */
struct docker_login {
	char *user;
	char *password;
	char *identity; /* a token instead, for which token servers give others */
	char *helper;   /* docker-credential-… knows; then there is nothing of the above */
};

/*
 * Who logs in to @registry ("host" or "host:port") by the configuration @text; nobody is no error.
 * -EINVAL: it is no such text. -ENOMEM.
 */
int docker_config_find(const char *text, const char *registry, struct docker_login *ret);
void docker_login_release(struct docker_login *login);

#endif
