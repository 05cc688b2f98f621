/* The proxies: groups between ';', members of a group between '|'. */
#include "fetch/config_values.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"
#include "fetch/config_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whether the authority of the URI @text names a port, be it the default one. */
static bool has_port(const char *text)
{
	const char *authority = strstr(text, "://") + strlen("://");
	size_t len = strcspn(authority, "/?#");
	size_t digits = 0;

	while (digits < len && strchr("0123456789", authority[len - digits - 1]))
		digits++;
	return digits > 0 && digits < len && authority[len - digits - 1] == ':';
}

static bool is_proxy(const char *member)
{
	CLEANUP(uri_release) struct uri uri = {0};

	if (str_equal(member, "direct"))
		return true;
	if (strpbrk(member, " \t#") || uri_parse(member, &uri, NULL) < 0)
		return false;
	if (!str_equal(uri.scheme, "http") && !str_equal(uri.scheme, "https") &&
		!str_equal(uri.scheme, "socks5h"))
		return false;
	return *uri.host && (str_equal(uri.path, "/") || !*uri.path) && !uri.query &&
	       has_port(member);
}

/* Append @member, and what separates it from those before. */
static int append(char **list, char separator, const char *member, struct err *err)
{
	char mark[2] = {separator, '\0'};
	char *longer = str_printf("%s%s%s", *list ? *list : "", *list ? mark : "", member);

	if (!longer)
		return err_oom(err);
	config_free_secret(*list);
	*list = longer;
	return 0;
}

int config_set_proxy(const struct setting *setting, const char *value, struct err *err)
{
	CLEANUP(config_free_secretp) char *copy = strdup(value);
	CLEANUP(config_free_secretp) char *list = NULL;
	char *rest = copy;
	char separator = ';';
	int count = 0;

	if (!copy)
		return err_oom(err);
	if (str_equal(value, "environment"))
		return config_replace(setting->field, value, err);
	while (rest) {
		char *end = rest + strcspn(rest, "|;");
		char next = *end;
		char *member;
		int r;

		*end = '\0';
		member = config_trim(rest);
		if (!is_proxy(member))
			return config_bad_value(setting->key, value,
				"'environment', or 'direct' and URLs such as http://host:3128 "
				"between '|' (same group) and ';' (next group)",
				err);
		if (++count > CONFIG_PROXIES_MAX)
			return err_set(err, ERR_USAGE, EINVAL, "%s: more than %d",
				setting->key->name, CONFIG_PROXIES_MAX);
		r = append(&list, separator, member, err);
		if (r < 0)
			return r;
		separator = next;
		rest = next ? end + 1 : NULL;
	}
	return config_replace(setting->field, list, err);
}
