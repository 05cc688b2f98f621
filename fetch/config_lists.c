/* Values that are lists: URI prefixes, folders, mirrors, users, headers. */
#include "fetch/config_values.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"
#include "fetch/config_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LIST_MAX 4096 /* items of one list */
#define BLANKS   " \t"

/* Characters of the name of a header (RFC 9110, 5.6.2). */
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"

int config_list_add(struct config_list *list, char *item, struct err *err)
{
	char **bigger;

	if (!item)
		return err_oom(err);
	bigger = list->count < LIST_MAX
			 ? reallocarray(list->items, list->count + 1, sizeof(*bigger))
			 : NULL;
	if (!bigger) {
		config_free_secret(item);
		return err_oom(err);
	}
	list->items = bigger;
	list->items[list->count++] = item;
	return 0;
}

int config_add_items(const struct setting *setting, const char *value, const char *separators,
	config_canonical_item *canonical, struct err *err)
{
	CLEANUP(str_freep) char *copy = strdup(value);
	char *rest = copy;
	char *item;
	int r;

	if (!copy)
		return err_oom(err);
	while ((item = strsep(&rest, separators))) {
		char *good;

		item = config_trim(item);
		if (!*item)
			continue;
		if ((r = canonical(setting->key, item, &good, err)) < 0 ||
			(r = config_list_add(setting->field, good, err)) < 0)
			return r;
	}
	return 0;
}

int config_prefix(const char *what, const char *item, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r;

	if (strpbrk(item, "# \t"))
		return err_set(
			err, ERR_USAGE, EINVAL, "%s: a URI prefix has no blank or fragment", what);
	if ((r = uri_parse(item, &uri, err)) < 0) {
		err_context(err, "%s", what);
		return r;
	}
	if (uri.user || uri.password)
		return err_set(err, ERR_USAGE, EINVAL, "%s: a URI prefix has no user", what);
	*ret = str_steal(&uri.text);
	return 0;
}

static int canonical_prefix(
	const struct config_key *key, const char *item, char **ret, struct err *err)
{
	return config_prefix(key->name, item, ret, err);
}

int config_set_prefixes(const struct setting *setting, const char *value, struct err *err)
{
	return config_add_items(setting, value, ",", canonical_prefix, err);
}

/* An absolute path without "." and "..", empty segments and a slash at the end. */
static int canonical_root(
	const struct config_key *key, const char *item, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *root = strdup(item);
	CLEANUP(str_freep) char *framed = str_printf("%s/", item);
	size_t len;

	if (!root || !framed)
		return err_oom(err);
	if (item[0] != '/' || strstr(framed, "/../") || strstr(framed, "/./") || strstr(item, "//"))
		return config_bad_value(key, item, "an absolute path without '.' and '..'", err);
	len = strlen(root);
	if (len > 1 && root[len - 1] == '/')
		root[len - 1] = '\0';
	*ret = str_steal(&root);
	return 0;
}

int config_set_roots(const struct setting *setting, const char *value, struct err *err)
{
	return config_add_items(setting, value, ",", canonical_root, err);
}

/* "PREFIX + rest" becomes "mirror + rest": that needs a slash where they are put together. */
static int canonical_mirror(
	const struct config_key *key, const char *item, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *prefix = NULL;
	int r = config_prefix(key->name, item, &prefix, err);

	if (r < 0)
		return r;
	if (!str_has_suffix(prefix, "/") || strchr(prefix, '?'))
		return config_bad_value(key, item, "a URI that ends with '/'", err);
	*ret = str_steal(&prefix);
	return 0;
}

int config_set_mirrors(const struct setting *setting, const char *value, struct err *err)
{
	int r;

	if (!str_has_suffix(setting->origin->prefix, "/"))
		return err_set(err, ERR_USAGE, EINVAL,
			"%s: the section must be of a prefix that ends with '/'",
			setting->key->name);
	r = config_add_items(setting, value, ",", canonical_mirror, err);
	if (r == 0 && setting->origin->mirrors.count > CONFIG_MIRRORS_MAX)
		return err_set(err, ERR_USAGE, EINVAL, "%s: more than %d", setting->key->name,
			CONFIG_MIRRORS_MAX);
	return r;
}

/* A name, a number, "@group" or "*". Whether there is such a user is seen when one asks. */
static int canonical_user(
	const struct config_key *key, const char *item, char **ret, struct err *err)
{
	const char *name = item + (item[0] == '@');

	if (!*name || (strpbrk(name, "@*:/\"'") && !str_equal(item, "*")))
		return config_bad_value(key, item, "a user, a number, '@group' or '*'", err);
	*ret = strdup(item);
	return *ret ? 0 : err_oom(err);
}

int config_set_users(const struct setting *setting, const char *value, struct err *err)
{
	return config_add_items(setting, value, "," BLANKS, canonical_user, err);
}

/* What a request says of itself, and of its connection, is not the configuration's. */
static bool is_ours(const char *name, size_t len)
{
	static const char *const names[] = {"Host", "Range", "Content-Length", "Transfer-Encoding",
		"Connection", "Accept-Encoding", "Content-Encoding", "Keep-Alive", "TE", "Trailer",
		"Upgrade", "Expect", "Proxy-Connection", "Proxy-Authorization"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && strncasecmp(name, names[i], len) == 0)
			return true;
	return len > 3 && strncasecmp(name, "If-", 3) == 0;
}

/* "Name: value", one a line; the line's control characters are refused where it is read. */
int config_set_header(const struct setting *setting, const char *value, struct err *err)
{
	size_t len = strspn(value, NAME_CHARS);
	const char *text = value + len + 1;
	int name = (int)(len < 64 ? len : 64);

	if (len == 0 || value[len] != ':' || !text[strspn(text, BLANKS)])
		return config_bad_value(setting->key, value, "'Name: value'", err);
	if (is_ours(value, len))
		return err_set(err, ERR_USAGE, EINVAL,
			"%s: '%.*s' is for the program to send, not for the configuration",
			setting->key->name, name, value);
	return config_list_add(setting->field,
		str_printf("%.*s: %s", (int)len, value, text + strspn(text, BLANKS)), err);
}
