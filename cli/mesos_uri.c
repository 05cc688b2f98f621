#include "cli/mesos_uri.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOCALHOST "localhost"

/* No name of a file in a folder. */
static bool is_no_name(const char *name)
{
	return !*name || str_equal(name, ".") || str_equal(name, "..");
}

/* As basename(1) has it: slashes at the end do not count. */
static char *path_name(const char *path)
{
	size_t len = strlen(path);
	size_t start;

	while (len > 0 && path[len - 1] == '/')
		len--;
	for (start = len; start > 0 && path[start - 1] != '/';)
		start--;
	return str_printf("%.*s", (int)(len - start), path + start);
}

int mesos_uri_name(const char *uri, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	const char *scheme_end = strstr(uri, "://");
	const char *slash;

	if (strpbrk(uri, "\\'"))
		return err_set(err, ERR_USAGE, EINVAL, "Illegal characters in URI");
	if (scheme_end && scheme_end - uri > 1) {
		slash = strchr(scheme_end + 3, '/');
		if (!slash || !slash[1])
			return err_set(err, ERR_USAGE, EINVAL, "Malformed URI (missing path)");
		name = str_copy(strrchr(slash, '/') + 1);
	} else {
		name = path_name(uri);
	}
	if (!name)
		return err_oom(err);
	if (is_no_name(name))
		return err_set(err, ERR_USAGE, EINVAL, "Malformed URI (no name at its end)");
	*ret = str_steal(&name);
	return 0;
}

int mesos_uri_output(const char *output_file, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *rest = str_copy(output_file);
	CLEANUP(str_freep) char *name = str_copy("");
	char *p = rest;
	const char *segment;

	if (!rest || !name)
		return err_oom(err);
	if (*rest == '/')
		return err_set(err, ERR_USAGE, EINVAL, "output_file: must be a relative path");
	while ((segment = strsep(&p, "/"))) {
		char *longer;

		if (str_equal(segment, ".."))
			return err_set(err, ERR_USAGE, EINVAL,
				"output_file: must not lead out of the sandbox by '..'");
		if (!p && is_no_name(segment))
			return err_set(err, ERR_USAGE, EINVAL, "output_file: names no file");
		if (is_no_name(segment))
			continue;
		longer = str_printf("%s%s%s", name, *name ? "/" : "", segment);
		if (!longer)
			return err_oom(err);
		free(name);
		name = longer;
	}
	*ret = str_steal(&name);
	return 0;
}

int mesos_uri_path(const char *uri, const char *frameworks_home, char **ret, bool *ret_prepended,
	struct err *err)
{
	bool has_scheme = str_has_prefix(uri, "file://");
	const char *path = has_scheme ? uri + strlen("file://") : uri;

	*ret = NULL;
	*ret_prepended = false;
	if (!has_scheme && strstr(uri, "://"))
		return 0;
	if (str_has_prefix(path, LOCALHOST))
		path += strlen(LOCALHOST);
	if (*path != '/' && has_scheme)
		return err_set(err, ERR_USAGE, EINVAL, "File URI only supports absolute paths");
	*ret_prepended = *path != '/';
	if (*ret_prepended && (!frameworks_home || !*frameworks_home))
		return err_set(err, ERR_USAGE, EINVAL,
			"A relative path was passed for the resource but the Mesos framework home "
			"was not specified. Please either provide this config option or avoid "
			"using a relative path");
	*ret = *ret_prepended ? str_printf("%s/%s", frameworks_home, path) : str_copy(path);
	return *ret ? 0 : err_oom(err);
}

bool mesos_uri_is_net(const char *uri)
{
	static const char *const schemes[] = {"http://", "https://", "ftp://", "ftps://"};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_has_prefix(uri, schemes[i]))
			return true;
	return false;
}

char *mesos_uri_shown(const char *uri)
{
	/* a bare path has no secrets, and what it has instead of an authority is no user */
	return strstr(uri, "://") ? cli_shown(uri) : str_copy(uri);
}

/* Of a query nothing is left, wherever the name begins. */
char *mesos_uri_shown_name(const char *uri, const char *name)
{
	const char *query = strstr(uri, "://") ? strchr(uri, '?') : NULL;
	size_t len = strlen(name);
	size_t uri_len = strlen(uri);

	if (!query || uri_len < len || !str_equal(uri + uri_len - len, name))
		return str_copy(name);
	if (uri + uri_len - len > query)
		return str_copy("…");
	return str_printf("%.*s?…", (int)strcspn(name, "?"), name);
}

char *mesos_uri_shown_file(const char *uri, const char *file)
{
	const char *dash = strchr(file, '-');

	if (!strstr(uri, "://") || !strchr(uri, '?'))
		return str_copy(file);
	return str_printf("%.*s…", dash ? (int)(dash + 1 - file) : 0, file);
}
