#include "fetch/proxies.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config.h"
#include "fetch/config_values.h"
#include "fetch/noproxy.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

void proxies_release(struct proxies *proxies)
{
	for (size_t i = 0; i < proxies->count; i++)
		free(proxies->items[i]);
	proxies->count = 0;
}

static int add(struct proxies *proxies, const char *url, struct err *err)
{
	char *copy;

	if (proxies->count == PROXIES_MAX)
		return err_set(err, ERR_USAGE, EINVAL, "proxy: more than %d", PROXIES_MAX);
	copy = str_copy(url);
	if (!copy)
		return err_oom(err);
	proxies->items[proxies->count++] = copy;
	return 0;
}

/* ---- from the configuration ---- */

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	for (len = strlen(text); len > 0 && strchr(BLANKS, text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

static void rotate(char **items, size_t count, unsigned int turn)
{
	for (size_t n = count ? turn % count : 0; n > 0; n--) {
		char *first = items[0];

		memmove(items, items + 1, (count - 1) * sizeof(*items));
		items[count - 1] = first;
	}
}

static int add_group(struct proxies *proxies, char *group, unsigned int turn, struct err *err)
{
	size_t first = proxies->count;
	char *member;

	while ((member = strsep(&group, "|"))) {
		int r;

		member = trim(member);
		if (!*member)
			continue;
		r = add(proxies, str_equal(member, "direct") ? "" : member, err);
		if (r < 0)
			return r;
	}
	rotate(proxies->items + first, proxies->count - first, turn);
	return 0;
}

static int from_text(const char *text, unsigned int turn, struct proxies *proxies, struct err *err)
{
	CLEANUP(str_freep) char *copy = str_copy(text);
	char *rest = copy;
	char *group;

	if (!copy)
		return err_oom(err);
	while ((group = strsep(&rest, ";"))) {
		int r = add_group(proxies, group, turn, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- from the environment ---- */

static const char *if_any(const char *value)
{
	return value && *value ? value : NULL;
}

/* The variable in lower or upper case; but HTTP_PROXY is what a web client told a CGI program. An
 * empty one is as good as none. */
static const char *variable(const char *const *environment, const char *name)
{
	char upper[32];
	const char *value = if_any(config_env(environment, name));
	size_t i;

	if (value || str_equal(name, "http_proxy"))
		return value;
	for (i = 0; name[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	upper[i] = '\0';
	return if_any(config_env(environment, upper));
}

/* A URL that curl would not take is refused here: it would call the network guilty. */
static bool is_proxy(const char *url)
{
	static const char *const schemes[] = {
		"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
	CLEANUP(uri_release) struct uri uri = {0};

	if (strpbrk(url, BLANKS) || uri_parse(url, &uri, NULL) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_equal(uri.scheme, schemes[i]))
			return true;
	return false;
}

static int from_environment(const char *const *environment, const struct uri *uri,
	struct proxies *proxies, struct err *err)
{
	CLEANUP(config_free_secretp) char *url = NULL;
	char name[32];
	const char *value;

	snprintf(name, sizeof(name), "%.16s_proxy", uri->scheme);
	value = variable(environment, name);
	if (!value)
		value = variable(environment, "all_proxy");
	if (!value || noproxy_covers(variable(environment, "no_proxy"), uri))
		return 0;
	value += strspn(value, BLANKS);
	/* without a scheme it speaks HTTP */
	url = str_printf("%s%s", strstr(value, "://") ? "" : "http://", value);
	if (!url)
		return err_oom(err);
	if (!is_proxy(trim(url)))
		return err_set(err, ERR_USAGE, EINVAL,
			"the proxy that the environment has for %s is no URL such as "
			"http://host:3128",
			uri->scheme);
	return add(proxies, trim(url), err);
}

int proxies_for(const char *text, const char *const *environment, const struct uri *uri,
	unsigned int turn, struct proxies *ret, struct err *err)
{
	CLEANUP(proxies_release) struct proxies proxies = {.count = 0};
	int r;

	if (str_equal(uri->scheme, "file"))
		r = 0;
	else if (text && !str_equal(text, "environment"))
		r = from_text(text, turn, &proxies, err);
	else
		r = from_environment(environment, uri, &proxies, err);
	if (r == 0 && proxies.count == 0)
		r = add(&proxies, "", err);
	if (r < 0)
		return r;
	*ret = proxies;
	proxies.count = 0;
	return 0;
}
