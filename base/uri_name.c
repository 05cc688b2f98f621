/* What a URI is called elsewhere: on screen, in a file system, in the mount. */
#include "base/uri.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *uri_display(const struct uri *uri)
{
	size_t hidden = uri->query ? strlen(uri->query) : 0;

	return str_printf(
		"%.*s%s", (int)(strlen(uri->text) - hidden), uri->text, uri->query ? "…" : "");
}

/* The byte that "%XX" at @s stands for, -1: it is not such an escape. */
static int escape_at(const char *s)
{
	unsigned char value;
	char pair[3] = "";

	if (s[0] != '%' || !s[1] || !s[2])
		return -1;
	memcpy(pair, s + 1, 2);
	return str_from_hex(pair, 1, &value) ? value : -1;
}

/* @text with its escapes undone. NUL is refused, and so is '/' unless @slash. */
static int unescape(const char *text, bool slash, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *plain = malloc(strlen(text) + 1);
	char *out = plain;

	if (!plain)
		return err_oom(err);
	while (*text) {
		int value = escape_at(text);

		if (value == 0 || (value == '/' && !slash))
			return err_set(err, ERR_USAGE, EINVAL, "no file name can hold %.3s", text);
		*out++ = value > 0 ? (char)value : *text;
		text += value > 0 ? 3 : 1;
	}
	*out = '\0';
	*ret = str_steal(&plain);
	return 0;
}

int uri_file_path(const struct uri *uri, char **ret, struct err *err)
{
	return unescape(uri->path, false, ret, err);
}

int uri_plain_path(const struct uri *uri, char **ret, struct err *err)
{
	return unescape(uri->path, true, ret, err);
}

int uri_basename(const struct uri *uri, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	int r = unescape(strrchr(uri->path, '/') + 1, false, &name, err);

	if (r < 0)
		return r;
	if (!*name || str_equal(name, ".") || str_equal(name, ".."))
		return err_set(err, ERR_USAGE, EINVAL, "the URI's path ends without a file name");
	*ret = str_steal(&name);
	return 0;
}

/* @text with the bytes of @set and control characters as %XX; NULL: out of memory. */
static char *escape(const char *text, const char *set)
{
	char *ret = malloc(3 * strlen(text) + 1);
	char *out = ret;

	if (!ret)
		return NULL;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f || strchr(set, c))
			out += sprintf(out, "%%%02X", c);
		else
			*out++ = (char)c;
	}
	*out = '\0';
	return ret;
}

char *uri_escape(const char *text, const char *keep)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";
	char *ret = malloc(3 * strlen(text) + 1);
	char *out = ret;

	if (!ret)
		return NULL;
	for (; *text; text++) {
		if (strchr(unreserved, *text) || strchr(keep, *text))
			*out++ = *text;
		else
			out += sprintf(out, "%%%02X", (unsigned char)*text);
	}
	*out = '\0';
	return ret;
}

int uri_child(const struct uri *folder, const char *name, struct uri *ret, struct err *err)
{
	CLEANUP(str_freep) char *segment = escape(name, "%?#/\\");
	CLEANUP(str_freep) char *text = NULL;

	if (!segment)
		return err_oom(err);
	if (!*name || str_equal(name, ".") || str_equal(name, ".."))
		return err_set(err, ERR_USAGE, EINVAL, "'%s' is no name of a file", name);
	text = str_printf("%.*s%s", (int)strcspn(folder->text, "?"), folder->text, segment);
	return text ? uri_parse(text, ret, err) : err_oom(err);
}

int uri_of_file(const char *path, struct uri *ret, struct err *err)
{
	CLEANUP(str_freep) char *escaped = escape(path, "%?#\\");
	CLEANUP(str_freep) char *text = escaped ? str_printf("file://%s", escaped) : NULL;

	return text ? uri_parse(text, ret, err) : err_oom(err);
}

int uri_of_text(const char *text, struct uri *ret, struct err *err)
{
	if (*text == '/')
		return uri_of_file(text, ret, err);
	if (!strstr(text, "://"))
		return uri_malformed(
			err, "it does not begin with SCHEME:// (of a file, say its absolute path)");
	return uri_parse(text, ret, err);
}

int uri_to_name(const struct uri *uri, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *name = escape(uri->text, "%/");

	if (!name)
		return err_oom(err);
	if (strlen(name) > URI_NAME_MAX)
		return err_set(err, ERR_USAGE, ENAMETOOLONG,
			"the URI as a file name is longer than %d bytes", URI_NAME_MAX);
	*ret = str_steal(&name);
	return 0;
}

int uri_from_name(const char *name, struct uri *ret, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	int r = unescape(name, true, &text, err);

	return r < 0 ? r : uri_parse(text, ret, err);
}

/* Whether each segment of @path (no slash in front) can be the name of a directory entry. */
static bool segments_fit(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (len == 0 || len > URI_NAME_MAX || (len == 1 && path[0] == '.') ||
			(len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

int uri_to_tree(const struct uri *uri, char **ret, struct err *err)
{
	const char *rest = uri->text + strlen(uri->scheme) + strlen("://");
	CLEANUP(str_freep) char *path = NULL;

	if (!*uri->host) /* file:///a is file/a */
		rest++;
	if (!segments_fit(rest))
		return err_set(err, ERR_USAGE, ENOENT,
			"the URI cannot be a path in a tree: see its name below uri/");
	path = str_printf("%s/%s", uri->scheme, rest);
	if (!path)
		return err_oom(err);
	*ret = str_steal(&path);
	return 0;
}

int uri_from_tree(const char *tree_path, struct uri *ret, struct err *err)
{
	const char *slash = strchr(tree_path, '/');
	CLEANUP(str_freep) char *rest = NULL;
	CLEANUP(str_freep) char *text = NULL;
	int scheme = slash ? (int)(slash - tree_path) : 0;
	bool file = scheme == 4 && str_has_prefix(tree_path, "file");

	if (!slash)
		return err_set(err, ERR_USAGE, EINVAL, "a path in the tree is SCHEME/HOST/…");
	if (!file && memchr(slash + 1, '@', strcspn(slash + 1, "/")))
		return err_set(err, ERR_USAGE, EINVAL, "a path in the tree has no user");

	rest = escape(slash + 1, "#");
	if (!rest)
		return err_oom(err);
	text = str_printf("%.*s://%s%s", scheme, tree_path, file ? "/" : "", rest);
	if (!text)
		return err_oom(err);
	return uri_parse(text, ret, err);
}
