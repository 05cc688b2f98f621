#include "fetch/credentials_hdfs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_values.h"
#include "fetch/credential_file.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWD_SIZE ((size_t)16 * 1024)

/* What the environment says, unless it is empty; or NULL. */
static const char *variable(const struct config *config, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < config->hdfs.count; i++) {
		const char *item = config->hdfs.items[i];

		if (strncmp(item, name, len) == 0 && item[len] == '=' && item[len + 1])
			return item + len + 1;
	}
	return NULL;
}

/* The owner's name on this machine; NULL in *ret: there is none. */
static int own_name(char **ret, struct err *err)
{
	CLEANUP(str_freep) char *buf = malloc(PASSWD_SIZE);
	struct passwd entry;
	struct passwd *found = NULL;

	if (!buf)
		return err_oom(err);
	if (getpwuid_r(geteuid(), &entry, buf, PASSWD_SIZE, &found) != 0 || !found)
		return 0;
	*ret = str_copy(found->pw_name);
	return *ret ? 0 : err_oom(err);
}

static int take_ambient(
	const struct config *config, struct credentials *credentials, struct err *err)
{
	const char *name = variable(config, "HADOOP_USER_NAME");
	int r = 0;

	if (name) {
		credentials->hdfs.user = name;
		return 0;
	}
	r = own_name(&credentials->hdfs_text, err);
	credentials->hdfs.user = credentials->hdfs_text;
	return r;
}

static int take_section(
	const struct origin *origin, struct credentials *credentials, struct err *err)
{
	const struct credential_file source = {origin, "token_file", origin->token_file};
	int r;

	credentials->hdfs.user = origin->hdfs_user;
	if (!source.file)
		return 0;
	r = credential_file_line(&source, &credentials->hdfs_text, err);
	if (r < 0)
		return r;
	if (!config_is_token(credentials->hdfs_text))
		return credential_file_refuse(&source, "it does not hold a delegation token", err);
	credentials->hdfs.token = credentials->hdfs_text;
	return 0;
}

static int take_endpoints(
	const struct origin *origin, struct credentials *credentials, struct err *err)
{
	size_t count = origin ? origin->endpoints.count : 0;

	if (count == 0)
		return 0;
	credentials->endpoints = calloc(count + 1, sizeof(*credentials->endpoints));
	if (!credentials->endpoints)
		return err_oom(err);
	for (size_t i = 0; i < count; i++)
		credentials->endpoints[i] = origin->endpoints.items[i];
	credentials->hdfs.endpoints = credentials->endpoints;
	return 0;
}

int credentials_hdfs_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err)
{
	const struct origin *origin = config_origin(config, uri->text);
	int r;

	if (origin && config_has_credentials(origin) &&
		!policy_serves(config, origin, decision->uid, decision->trusted))
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: 'users = …' in [hdfs \"%s\"] does not name uid %u",
			origin->prefix, (unsigned int)decision->uid);
	ret->hdfs.conf_dir =
		origin && origin->conf_dir ? origin->conf_dir : variable(config, "HADOOP_CONF_DIR");
	r = take_endpoints(origin, ret, err);
	if (r == 0 && origin && !decision->own_credentials)
		r = take_section(origin, ret, err);
	if (r == 0 && decision->ambient)
		r = take_ambient(config, ret, err);
	if (r < 0) {
		credentials_hdfs_release(ret);
		return r;
	}
	ret->access.hdfs = &ret->hdfs;
	ret->access.prefix = origin ? origin->prefix : uri->text;
	return 0;
}

void credentials_hdfs_release(struct credentials *credentials)
{
	config_free_secret(credentials->hdfs_text);
	free(credentials->endpoints);
	credentials->hdfs_text = NULL;
	credentials->endpoints = NULL;
}
