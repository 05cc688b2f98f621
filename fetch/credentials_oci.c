#include "fetch/credentials_oci.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/config_values.h"
#include "fetch/credential_file.h"
#include "fetch/docker_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { USER, PASSWORD, IDENTITY, HELPER, SERVER };

_Static_assert(SERVER < CREDENTIALS_OCI_TEXTS, "room for each");

/* What the environment says, unless it is empty; or NULL. */
static const char *variable(const struct config *config, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < config->docker.count; i++) {
		const char *item = config->docker.items[i];

		if (strncmp(item, name, len) == 0 && item[len] == '=' && item[len + 1])
			return item + len + 1;
	}
	return NULL;
}

/* "host:port", as `docker login` is told it. NULL: out of memory. */
static char *name_of(const struct uri *uri)
{
	return str_printf("%s%s%s", uri->host, uri->port ? ":" : "", uri->port ? uri->port : "");
}

static int take_login(const struct credential_file *file, const char *text,
	struct credentials *credentials, struct err *err)
{
	char **texts = credentials->oci_text;
	struct docker_login login;
	int r = docker_config_find(text, texts[SERVER], &login);

	if (r == -ENOMEM)
		return err_oom(err);
	if (r < 0)
		return credential_file_refuse(
			file, "it is no configuration of Docker's, in JSON", err);
	texts[USER] = login.user;
	texts[PASSWORD] = login.password;
	texts[IDENTITY] = login.identity;
	texts[HELPER] = login.helper;
	return 0;
}

static int take_file(const struct credential_file *file, bool must_exist,
	struct credentials *credentials, struct err *err)
{
	CLEANUP(config_free_secretp) char *text = NULL;
	struct err why = ERR_INIT;
	int missing = 0;
	int r = credential_file_read(file, &text, &missing, &why);

	if (r < 0 && !must_exist && (missing == ENOENT || missing == ENOTDIR))
		return 0;
	if (r < 0 && err)
		*err = why;
	return r < 0 ? r : take_login(file, text, credentials, err);
}

/* Where docker has it. */
static int take_usual(const struct config *config, struct credentials *credentials, struct err *err)
{
	const char *folder = variable(config, "DOCKER_CONFIG");
	const char *home = variable(config, "HOME");
	CLEANUP(str_freep) char *path = NULL;
	const struct credential_file file = {NULL, "Docker's configuration", NULL};
	struct credential_file named = file;

	if (folder && folder[0] == '/')
		path = str_printf("%s/config.json", folder);
	else if (home && home[0] == '/')
		path = str_printf("%s/.docker/config.json", home);
	else
		return 0;
	if (!path)
		return err_oom(err);
	named.file = path;
	return take_file(&named, false, credentials, err);
}

/* "user:password", one line. */
static int take_user(const struct origin *origin, struct credentials *credentials, struct err *err)
{
	const struct credential_file source = {origin, "user_file", origin->user_file};
	CLEANUP(config_free_secretp) char *line = NULL;
	char **texts = credentials->oci_text;
	char *colon;
	int r = credential_file_line(&source, &line, err);

	if (r < 0)
		return r;
	colon = strchr(line, ':');
	if (!colon || colon == line)
		return credential_file_refuse(&source, "it does not hold 'user:password'", err);
	texts[USER] = strndup(line, (size_t)(colon - line));
	texts[PASSWORD] = str_copy(colon + 1);
	return texts[USER] && texts[PASSWORD] ? 0 : err_oom(err);
}

/* A certificate that cannot be read: others would say less clearly what is wrong with it. */
static int check_cert(const struct origin *origin, struct err *err)
{
	const struct credential_file source = {origin, "client_cert", origin->client_cert};
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;

	return origin->client_cert ? credential_file_open(&source, &st, &fd, NULL, err) : 0;
}

static int take_any(const struct config *config, const struct decision *decision,
	const struct origin *origin, struct credentials *credentials, struct err *err)
{
	if (!origin)
		return decision->ambient ? take_usual(config, credentials, err) : 0;
	if (origin->anonymous)
		return 0;
	if (origin->user_file)
		return take_user(origin, credentials, err);
	if (origin->keys_file) {
		const struct credential_file file = {origin, "credentials", origin->keys_file};

		return take_file(&file, true, credentials, err);
	}
	return take_usual(config, credentials, err);
}

int credentials_oci_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err)
{
	const struct origin *origin = config_origin(config, uri->text);
	char **texts = ret->oci_text;
	bool own = decision->own_credentials;
	int r = 0;

	if (origin && !own && config_has_credentials(origin) &&
		!policy_serves(config, origin, decision->uid, decision->trusted))
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: 'users = …' in [oci \"%s\"] does not name uid %u",
			origin->prefix, (unsigned int)decision->uid);
	texts[SERVER] = name_of(uri);
	if (!texts[SERVER])
		r = err_oom(err);
	if (r == 0 && !own)
		r = take_any(config, decision, origin, ret, err);
	if (r == 0 && origin && !own)
		r = check_cert(origin, err);
	if (r < 0) {
		credentials_oci_release(ret);
		return r;
	}
	ret->oci = (struct access_oci){
		.endpoint = origin ? origin->endpoint : NULL,
		.platform = origin ? origin->platform : NULL,
		.user = texts[USER],
		.password = texts[PASSWORD],
		.identity = texts[IDENTITY],
		.helper = texts[HELPER],
		.server = texts[SERVER],
		.client_cert = origin && !own ? origin->client_cert : NULL,
	};
	ret->access.oci = &ret->oci;
	ret->access.prefix = origin ? origin->prefix : uri->text;
	return 0;
}

int credentials_oci_where(
	const struct config *config, const struct uri *uri, struct uri *ret, struct err *err)
{
	const struct origin *origin = config_origin(config, uri->text);
	CLEANUP(str_freep) char *text = NULL;

	if (origin && origin->endpoint)
		return uri_parse(origin->endpoint, ret, err);
	text = str_printf(
		"https://%s%s%s/", uri->host, uri->port ? ":" : "", uri->port ? uri->port : "");
	return text ? uri_parse(text, ret, err) : err_oom(err);
}

void credentials_oci_release(struct credentials *credentials)
{
	for (size_t i = 0; i < CREDENTIALS_OCI_TEXTS; i++) {
		config_free_secret(credentials->oci_text[i]);
		credentials->oci_text[i] = NULL;
	}
}
