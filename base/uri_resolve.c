/* How one URI stands to another: below it, or where a redirect leads. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"

#include <stdlib.h>
#include <string.h>

/* The text that @reference stands for, seen from @base (RFC 3986, 5.2.2); dots are still in it. */
static char *absolute(const struct uri *base, const char *reference)
{
	int scheme = (int)strlen(base->scheme);
	int tail = (int)strlen(base->path) + (base->query ? 1 + (int)strlen(base->query) : 0);
	int origin = (int)strlen(base->text) - tail;
	int folder = (int)(strrchr(base->path, '/') + 1 - base->path);

	if (reference[strcspn(reference, ":/?#")] == ':')
		return strdup(reference);
	if (str_has_prefix(reference, "//"))
		return str_printf("%.*s:%s", scheme, base->text, reference);
	if (reference[0] == '/')
		return str_printf("%.*s%s", origin, base->text, reference);
	if (reference[0] == '?')
		return str_printf("%.*s%s%s", origin, base->text, base->path, reference);
	if (reference[0] == '\0' || reference[0] == '#')
		return str_printf("%s%s", base->text, reference);
	return str_printf("%.*s%.*s%s", origin, base->text, folder, base->path, reference);
}

static bool same_origin(const struct uri *a, const struct uri *b)
{
	return str_equal(a->scheme, b->scheme) && str_equal(a->host, b->host) &&
	       str_equal(a->port, b->port);
}

int uri_resolve(const struct uri *base, const char *reference, struct uri *ret, struct err *err)
{
	CLEANUP(str_freep) char *text = absolute(base, reference);
	CLEANUP(uri_release) struct uri uri = {0};
	int r;

	if (!text)
		return err_oom(err);
	if ((r = uri_parse(text, &uri, err)) < 0)
		return r;

	if (!uri.user && !uri.password && same_origin(base, &uri)) {
		uri.user = str_copy(base->user);
		uri.password = str_copy(base->password);
		if ((base->user && !uri.user) || (base->password && !uri.password))
			return err_oom(err);
	}
	*ret = uri;
	uri = (struct uri){0};
	return 0;
}

/* Whether a server that undoes escapes before it looks for segments would go up within @path. */
static bool climbs(const char *path)
{
	static const char *const spellings[] = {"..%2F", "%2F..", "..%5C", "%5C.."};
	const char *end = path + strcspn(path, "?");

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		const char *hit = strstr(path, spellings[i]);

		if (hit && hit < end)
			return true;
	}
	return false;
}

/* A repository of a registry ends where its tag or digest begins, too. */
static bool ends_segment(const char *prefix, char next)
{
	static const char oci[] = "oci://";

	if (strchr("/?", next)) /* and its NUL */
		return true;
	return strchr(":@", next) && str_has_prefix(prefix, oci) &&
	       strchr(prefix + strlen(oci), '/');
}

bool uri_is_below(const char *prefix, const char *text)
{
	size_t len = strlen(prefix);

	if (len == 0 || strncmp(text, prefix, len) != 0)
		return false;
	if (prefix[len - 1] != '/' && !ends_segment(prefix, text[len]))
		return false;
	return !climbs(text + len);
}
