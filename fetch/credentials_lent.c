#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/address.h"
#include "fetch/config_values.h"
#include "fetch/credential_file.h"
#include "fetch/credentials_search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where who lends keys is. */
#define CONTAINER   "http://169.254.170.2"
#define INSTANCE    "http://169.254.169.254"
#define VENDOR_FILE "/sys/devices/virtual/dmi/id/sys_vendor"
#define VENDOR_MAX  4096

#define ALNUM       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define TOKEN_CHARS ALNUM "-._~+/="
#define ROLE_CHARS  ALNUM ":/_+=,.@-"

static void take_source(struct search *search, enum s3_source source, char *uri, char *token)
{
	search->credentials->s3.source = source;
	credentials_take(search, SOURCE_URI, uri);
	credentials_take(search, SOURCE_TOKEN, token);
}

/*
 * What is sent there, and what comes back, opens doors: in the clear it goes to this machine or a
 * cloud's metadata server only. @name is the variable that says where.
 */
static int check_lender(struct search *search, const char *name, const char *text)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	struct sockaddr_storage address;

	if (uri_parse(text, &uri, NULL) < 0 || !str_has_prefix(uri.scheme, "http"))
		return err_set(search->err, ERR_USAGE, EINVAL, "s3: %s is no http(s) URI", name);
	if (str_equal(uri.scheme, "https"))
		return 0;
	if (address_from_host(uri.host, &address) &&
		(address_is_loopback((struct sockaddr *)&address) ||
			address_is_metadata((struct sockaddr *)&address)))
		return 0;
	return err_set(search->err, ERR_POLICY, EACCES,
		"s3: %s: credentials are sent without TLS within this machine only", name);
}

/* The one line of a file that a variable names. */
static int read_token(struct search *search, const char *name, const char *path, char **ret)
{
	const struct credential_file file = {NULL, name, path};
	CLEANUP(config_free_secretp) char *text = NULL;
	int r = credential_file_read(&file, &text, NULL, search->err);

	if (r < 0)
		return r;
	text[strcspn(text, "\r\n")] = '\0';
	if (!*text || text[strspn(text, TOKEN_CHARS)])
		return credential_file_refuse(&file, "it does not hold a token", search->err);
	*ret = str_steal(&text);
	return 0;
}

/* A role, for who has a token of another identity. */
int credentials_lent_by_identity(struct search *search)
{
	const char *path = credentials_variable(search, "AWS_WEB_IDENTITY_TOKEN_FILE", NULL);
	const char *role = credentials_variable(search, "AWS_ROLE_ARN", NULL);
	const char *session = credentials_variable(search, "AWS_ROLE_SESSION_NAME", NULL);
	const char *region = search->credentials->s3_text[REGION];
	const char *service = credentials_variable(search, "AWS_ENDPOINT_URL_STS", NULL);
	CLEANUP(config_free_secretp) char *token = NULL;
	CLEANUP(str_freep)
	char *usual = str_printf(
		"https://sts.%s%samazonaws.com", region ? region : "", region ? "." : "");
	char *uri;
	int r;

	if (!path || !role)
		return 0;
	if (!usual)
		return err_oom(search->err);
	r = service ? check_lender(search, "AWS_ENDPOINT_URL_STS", service) : 0;
	if (r < 0)
		return r;
	r = read_token(search, "AWS_WEB_IDENTITY_TOKEN_FILE", path, &token);
	if (r < 0)
		return r;
	if (role[strspn(role, ROLE_CHARS)] || (session && session[strspn(session, ROLE_CHARS)]))
		return err_set(search->err, ERR_USAGE, EINVAL,
			"s3: AWS_ROLE_ARN or AWS_ROLE_SESSION_NAME makes no sense");
	uri = str_printf("%s/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=%s"
			 "&RoleSessionName=%s&WebIdentityToken=%s",
		service ? service : usual, role, session ? session : "fetchfs", token);
	if (!uri)
		return err_oom(search->err);
	take_source(search, S3_SOURCE_WEB_IDENTITY, uri, NULL);
	return 0;
}

/* Of a container. */
static int lent_keys_by_container(struct search *search)
{
	const char *relative =
		credentials_variable(search, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", NULL);
	const char *full = credentials_variable(search, "AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL);
	const char *token = credentials_variable(search, "AWS_CONTAINER_AUTHORIZATION_TOKEN", NULL);
	const char *path =
		credentials_variable(search, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", NULL);
	CLEANUP(config_free_secretp) char *read = NULL;
	char *uri;
	int r = path ? read_token(search, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, &read)
		     : 0;

	if (r < 0)
		return r;
	if (!path && token) {
		read = str_copy(token);
		if (!read)
			return err_oom(search->err);
	}
	if (relative && *relative != '/')
		return err_set(search->err, ERR_USAGE, EINVAL,
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path");
	r = relative ? 0 : check_lender(search, "AWS_CONTAINER_CREDENTIALS_FULL_URI", full);
	if (r < 0)
		return r;
	uri = relative ? str_printf(CONTAINER "%s", relative) : str_copy(full);
	if (!uri)
		return err_oom(search->err);
	take_source(search, S3_SOURCE_CONTAINER, uri, str_steal(&read));
	return 0;
}

/* Whether somebody lends keys to this machine: to ask where nobody is takes a second. */
static bool is_instance(void)
{
	CLEANUP(str_freep) char *vendor = NULL;
	size_t len = 0;

	return fd_read_file(AT_FDCWD, VENDOR_FILE, VENDOR_MAX, &vendor, &len) == 0 &&
	       str_has_prefix(vendor, "Amazon EC2");
}

int credentials_lent_by_machine(struct search *search)
{
	const char *named = credentials_variable(search, "AWS_EC2_METADATA_SERVICE_ENDPOINT", NULL);
	const char *disabled = credentials_variable(search, "AWS_EC2_METADATA_DISABLED", NULL);
	const char *base = named ? named : INSTANCE;
	char *uri;
	int r;

	if (credentials_variable(search, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", NULL) ||
		credentials_variable(search, "AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL))
		return lent_keys_by_container(search);
	if ((disabled && strcasecmp(disabled, "true") == 0) || (!named && !is_instance()))
		return 0;
	r = named ? check_lender(search, "AWS_EC2_METADATA_SERVICE_ENDPOINT", named) : 0;
	if (r < 0)
		return r;
	uri = str_printf("%s%s", base, str_has_suffix(base, "/") ? "" : "/");
	if (!uri)
		return err_oom(search->err);
	take_source(search, S3_SOURCE_INSTANCE, uri, NULL);
	return 0;
}
