#include "fetch/credentials.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/config_values.h"
#include "fetch/credential_file.h"
#include "fetch/credentials_hdfs.h"
#include "fetch/credentials_oci.h"
#include "fetch/credentials_s3.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int load_user(const struct origin *origin, struct credentials *credentials, struct err *err)
{
	const struct credential_file source = {origin, "user_file", origin->user_file};
	char *colon;
	int r;

	if (!source.file)
		return 0;
	r = credential_file_line(&source, &credentials->user_line, err);
	if (r < 0)
		return r;
	colon = credentials->user_line ? strchr(credentials->user_line, ':') : NULL;
	if (!colon || colon == credentials->user_line)
		return credential_file_refuse(&source, "it does not hold 'user:password'", err);
	*colon = '\0';
	credentials->access.user = credentials->user_line;
	credentials->access.password = colon + 1;
	return 0;
}

static int load_bearer(
	const struct origin *origin, struct credentials *credentials, struct err *err)
{
	const struct credential_file source = {origin, "bearer_file", origin->bearer_file};
	int r;

	credentials->access.bearer = origin->bearer;
	if (!source.file)
		return 0;
	r = credential_file_line(&source, &credentials->bearer_line, err);
	if (r < 0)
		return r;
	if (!config_is_token(credentials->bearer_line))
		return credential_file_refuse(&source, "it does not hold a token", err);
	credentials->access.bearer = credentials->bearer_line;
	return 0;
}

/* A file that others read: they would say less clearly what is wrong with it. */
static int check_file(const struct origin *origin, const char *key, const char *file,
	const char **ret, struct err *err)
{
	const struct credential_file source = {origin, key, file};
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;
	int r;

	if (!file)
		return 0;
	r = credential_file_open(&source, &st, &fd, NULL, err);
	if (r < 0)
		return r;
	if (st.st_size == 0)
		return credential_file_refuse(&source, "it is empty", err);
	*ret = file;
	return 0;
}

static int take_headers(
	const struct origin *origin, struct credentials *credentials, struct err *err)
{
	size_t count = origin->headers.count;

	if (count == 0)
		return 0;
	credentials->headers = calloc(count + 1, sizeof(*credentials->headers));
	if (!credentials->headers)
		return err_oom(err);
	for (size_t i = 0; i < count; i++)
		credentials->headers[i] = origin->headers.items[i];
	credentials->access.headers = credentials->headers;
	return 0;
}

static int load(const struct origin *origin, struct credentials *ret, struct err *err)
{
	struct access *access = &ret->access;
	int r = load_user(origin, ret, err);

	if (r == 0)
		r = load_bearer(origin, ret, err);
	if (r == 0)
		r = check_file(origin, "netrc", origin->netrc, &access->netrc, err);
	if (r == 0)
		r = check_file(
			origin, "client_cert", origin->client_cert, &access->client_cert, err);
	if (r == 0)
		r = take_headers(origin, ret, err);
	access->prefix = origin->prefix;
	return r;
}

/* Hadoop's client asks with all that the owner has: nothing is to be loaded, but not everybody is
 * served. */
static int check_hadoop(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct err *err)
{
	const struct origin *origin = config_origin(config, uri->text);

	if (decision->trusted || (origin && origin->anonymous) ||
		(origin && policy_serves(config, origin, decision->uid, false)))
		return 0;
	return err_set(err, ERR_POLICY, EACCES,
		"forbidden by policy: add a section [hadoop \"%s://%s/\"] with 'users = …'",
		uri->scheme, uri->host);
}

int credentials_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err)
{
	const struct origin *origin = config_origin(config, uri->text);
	const char *section = config_section_for(config, uri);
	struct credentials credentials = CREDENTIALS_INIT;
	int r;

	*ret = CREDENTIALS_INIT;
	if (str_equal(uri->scheme, "s3"))
		return credentials_s3_load(config, decision, uri, ret, err);
	if (str_equal(section, "hdfs"))
		return credentials_hdfs_load(config, decision, uri, ret, err);
	if (str_equal(section, "oci"))
		return credentials_oci_load(config, decision, uri, ret, err);
	if (str_equal(section, "hadoop"))
		return check_hadoop(config, decision, uri, err);
	if (decision->own_credentials || !origin || !config_has_credentials(origin))
		return 0;
	if (!policy_serves(config, origin, decision->uid, decision->trusted))
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: 'users = …' in [%s \"%s\"] does not name uid %u",
			config_section_of(origin), origin->prefix, (unsigned int)decision->uid);
	r = load(origin, &credentials, err);
	if (r < 0) {
		credentials_release(&credentials);
		return r;
	}
	*ret = credentials;
	return 0;
}

void credentials_release(struct credentials *credentials)
{
	if (!credentials)
		return;
	if (credentials->user_line && credentials->access.password) /* behind a NUL */
		explicit_bzero((char *)(uintptr_t)credentials->access.password,
			strlen(credentials->access.password));
	config_free_secret(credentials->user_line);
	config_free_secret(credentials->bearer_line);
	free(credentials->headers);
	credentials_s3_release(credentials);
	credentials_hdfs_release(credentials);
	credentials_oci_release(credentials);
	*credentials = CREDENTIALS_INIT;
}

const struct access *credentials_access(const struct credentials *credentials)
{
	return credentials->access.prefix ? &credentials->access : NULL;
}
