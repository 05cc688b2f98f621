#include "fs/names.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SUFFIX_MAX 8 /* characters behind the dot */

void names_wanted_release(struct wanted *wanted)
{
	free(wanted->uri);
	wanted->uri = NULL;
}

const char *names_scheme(unsigned int n)
{
	static const char *const schemes[] = {
		"http", "https", "ftp", "ftps", "file", "s3", "hdfs", "webhdfs", "swebhdfs", "oci"};

	return n < ARRAY_SIZE(schemes) ? schemes[n] : NULL;
}

/* The canonical text has no userinfo: the library needs it to log in, so it is put back. */
static char *with_userinfo(const struct uri *uri)
{
	CLEANUP(str_freep) char *user = uri_escape(uri->user ? uri->user : "", "");
	CLEANUP(str_freep) char *password = uri_escape(uri->password ? uri->password : "", "");
	const char *rest = strstr(uri->text, "://");

	if (!user || !password)
		return NULL;
	if ((!uri->user && !uri->password) || !rest)
		return str_copy(uri->text);
	return str_printf("%.*s://%s%s%s@%s", (int)(rest - uri->text), uri->text, user,
		uri->password ? ":" : "", password, rest + strlen("://"));
}

static int wanted_from(struct uri *uri, struct wanted *ret, struct err *err)
{
	struct wanted wanted = {.uri = with_userinfo(uri)};

	if (!wanted.uri)
		return err_oom(err);
	checksum_format(&uri->expected, wanted.digest);
	*ret = wanted;
	return 0;
}

int names_from_uri(const char *name, struct wanted *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r = uri_from_name(name, &uri, err);

	return r < 0 ? r : wanted_from(&uri, ret, err);
}

int names_from_lease(const char *name, struct wanted *ret, struct err *err)
{
	uint8_t bytes[(NAMES_TOKEN_SIZE - 1) / 2];
	char token[NAMES_TOKEN_SIZE] = "";
	struct wanted wanted;
	int r;

	if (strlen(name) < NAMES_TOKEN_SIZE || name[NAMES_TOKEN_SIZE - 1] != ':')
		return err_set(err, ERR_USAGE, EINVAL, "no lease has this name");
	memcpy(token, name, NAMES_TOKEN_SIZE - 1);
	if (!str_from_hex(token, sizeof(bytes), bytes))
		return err_set(err, ERR_USAGE, EINVAL, "no lease has this name");
	r = names_from_uri(name + NAMES_TOKEN_SIZE, &wanted, err);
	if (r < 0)
		return r;
	memcpy(wanted.token, token, sizeof(token));
	*ret = wanted;
	return 0;
}

int names_to_uri(const char *text, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r = uri_parse(text, &uri, err);

	return r < 0 ? r : uri_to_name(&uri, ret, err);
}

int names_from_tree(const char *path, struct wanted *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r = uri_from_tree(path, &uri, err);

	return r < 0 ? r : wanted_from(&uri, ret, err);
}

int names_folder(const char *path, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	char *folder;
	int r;

	if (!strchr(path, '/')) {
		folder = str_printf("%s://%s", path, str_equal(path, "file") ? "/" : "");
	} else {
		r = uri_from_tree(path, &uri, err);
		if (r < 0)
			return r;
		folder = str_printf("%s%s", uri.text, str_has_suffix(uri.text, "/") ? "" : "/");
	}
	if (!folder)
		return err_oom(err);
	*ret = folder;
	return 0;
}

bool names_is_origin(const char *path)
{
	const char *slash = strchr(path, '/');

	return !slash || (!strchr(slash + 1, '/') && !str_has_prefix(path, "file/"));
}

bool names_is_local(const char *path)
{
	return str_equal(path, "file") || str_has_prefix(path, "file/");
}

bool names_has_suffix(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t len = 0;

	if (strchr(name, '?'))
		return true;
	if (!dot || !isascii(dot[1]) || !isalpha((unsigned char)dot[1]))
		return false;
	while (isascii(dot[1 + len]) && isalnum((unsigned char)dot[1 + len]))
		len++;
	return !dot[1 + len] && len <= SUFFIX_MAX;
}

bool names_is_page(const char *name)
{
	const char *dot = strrchr(name, '.');

	return strchr(name, '?') ||
	       (dot && (strcasecmp(dot, ".html") == 0 || strcasecmp(dot, ".htm") == 0));
}

uint64_t names_hash(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325U;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
	return hash ? hash : 1;
}
