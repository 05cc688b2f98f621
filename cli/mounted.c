#include "cli/mounted.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define STATUS_MAX (1 << 20) /* bytes of .fetchfs/status that are read */

const char *mounted_directory(const struct cli *cli, const char *option)
{
	const char *named = getenv("FETCHFS_MOUNT");

	if (option)
		return option;
	return !cli->cache && named && *named ? named : NULL;
}

/* Only a mount of ours has this file; without it "no such file" would blame the URI. */
static int check(const char *mount, struct err *err)
{
	CLEANUP(str_freep) char *status = str_printf("%s/.fetchfs/status", mount);

	if (!status)
		return err_oom(err);
	if (faccessat(AT_FDCWD, status, F_OK, 0) == 0)
		return 0;
	if (errno == ENOTCONN)
		return err_set(err, ERR_SYSTEM, ENOTCONN, "the daemon behind %s is dead", mount);
	return err_set(err, ERR_USAGE, errno, "%s is no mount of fetchfs: %m", mount);
}

static int file_of(const char *mount, const char *text, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *name = NULL;
	CLEANUP(str_freep) char *tree = NULL;
	struct err why = ERR_INIT;
	int r;

	r = uri_of_text(text, &uri, err);
	if (r < 0)
		return r;
	if (uri.user || uri.expected.kind != CHECKSUM_NONE)
		return err_set(err, ERR_USAGE, EINVAL,
			"credentials and digests cannot be given to a mount: use --cache");
	r = uri_to_name(&uri, &name, &why);
	if (r == -ENAMETOOLONG)
		r = uri_to_tree(&uri, &tree, &why);
	if (r < 0) {
		*err = why;
		return r;
	}
	*ret = tree ? str_printf("%s/%s", mount, tree) : str_printf("%s/uri/%s", mount, name);
	return *ret ? 0 : err_oom(err);
}

/* @why: what the daemon says, empty when it says nothing. */
static int failure(const char *mount, int code, const char *what, const char *why, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;

	errno = code;
	text = *why ? str_copy(why) : str_printf("%s by way of %s: %m", what, mount);
	if (!text)
		return err_oom(err);
	switch (code) {
	case EAGAIN:
	case ETIMEDOUT:
	case EHOSTUNREACH:
		return err_set_retry(err, ERR_NETWORK, code, 0, "%s", text);
	default:
		return err_set(err, ERR_REMOTE, code, "%s", text);
	}
}

int mounted_error(const char *mount, int fd, int code, const char *what, struct err *err)
{
	char why[ERR_TEXT_MAX] = "";

	mounted_attribute(fd, "error", why, sizeof(why));
	return failure(mount, code, what, why, err);
}

/* The same for @path, which could not be opened. */
static int path_error(
	const char *mount, const char *path, int code, const char *what, struct err *err)
{
	char why[ERR_TEXT_MAX] = "";
	ssize_t n = lgetxattr(path, "user.fetchfs.error", why, sizeof(why) - 1);

	why[n > 0 ? n : 0] = '\0';
	return failure(mount, code, what, why, err);
}

int mounted_open(const char *mount, const char *uri, int *ret, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	int fd, r;

	r = check(mount, err);
	if (r == 0)
		r = file_of(mount, uri, &path, err);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return path_error(mount, path, errno, "open", err);
	*ret = fd;
	return 0;
}

int mounted_know(const char *mount, const char *uri, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	struct stat st;
	int r;

	r = check(mount, err);
	if (r == 0)
		r = file_of(mount, uri, &path, err);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return path_error(mount, path, errno, "stat", err);
	return 0;
}

int mounted_attribute(int fd, const char *name, char *ret, size_t size)
{
	CLEANUP(str_freep) char *full = str_printf("user.fetchfs.%s", name);
	ssize_t n;

	if (!full)
		return -ENOMEM;
	n = fgetxattr(fd, full, ret, size - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return 0;
}

/* .fetchfs/status; *ret is for json_decref(). */
static int read_status(const char *mount, json_t **ret, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	CLEANUP(str_freep) char *text = NULL;
	size_t len = 0;
	int r = check(mount, err);

	if (r < 0)
		return r;
	path = str_printf("%s/.fetchfs/status", mount);
	if (!path)
		return err_oom(err);
	r = fd_read_file(AT_FDCWD, path, STATUS_MAX, &text, &len);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "read %s: %m", path);
	*ret = json_loadb(text, len, 0, NULL);
	return *ret ? 0 : err_set(err, ERR_SYSTEM, EPROTO, "%s is not JSON", path);
}

int mounted_use_cache(struct cli *cli, const char *mount, char **ret_path, struct err *err)
{
	const char *cache = NULL;
	json_t *status;
	int r;

	if (!mount)
		return 0;
	r = read_status(mount, &status, err);
	if (r < 0)
		return r;
	if (json_unpack(status, "{s:s}", "cache", &cache) == 0)
		*ret_path = str_copy(cache);
	json_decref(status);
	if (!cache)
		return err_set(err, ERR_SYSTEM, EPROTO, "%s does not name its cache", mount);
	if (!*ret_path)
		return err_oom(err);
	cli->cache = *ret_path;
	return 0;
}

int mounted_check_fetches(const char *mount, struct err *err)
{
	json_t *status;
	bool known;
	int r = read_status(mount, &status, err);

	if (r < 0)
		return r;
	known = json_is_true(json_object_get(status, "known"));
	json_decref(status);
	return known ? err_set(err, ERR_USAGE, EACCES,
			       "%s is mounted with -o known, and fetches nothing", mount)
		     : 0;
}

int mounted_passthrough(const char *mount, struct mounted_passthrough *ret, struct err *err)
{
	struct mounted_passthrough found = {.on = false};
	json_int_t opens = 0, fallbacks = 0, files = 0;
	json_t *status, *why = NULL;
	int on = 0;
	int r = read_status(mount, &status, err);

	if (r < 0)
		return r;
	if (json_unpack(status, "{s:{s:b, s:o, s:I, s:I, s:I}}", "passthrough", "on", &on, "why",
		    &why, "opens", &opens, "fallbacks", &fallbacks, "files", &files) < 0)
		r = err_set(err, ERR_SYSTEM, EPROTO, "%s does not tell of passthrough", mount);
	found.on = on;
	found.opens = opens;
	found.fallbacks = fallbacks;
	found.files = files;
	if (json_is_string(why))
		str_fit(found.why, sizeof(found.why), json_string_value(why));
	json_decref(status);
	if (r == 0)
		*ret = found;
	return r;
}

int mounted_served(const char *mount, struct mounted_served *ret, struct err *err)
{
	json_int_t seconds = 0, hits = 0, misses = 0, bytes = 0;
	json_t *status;
	int r = read_status(mount, &status, err);

	if (r < 0)
		return r;
	if (json_unpack(status, "{s:I, s:I, s:I, s:I}", "uptime", &seconds, "hits", &hits, "misses",
		    &misses, "fetched_bytes", &bytes) < 0)
		r = err_set(err, ERR_SYSTEM, EPROTO, "%s does not tell what it served", mount);
	else
		*ret = (struct mounted_served){seconds, hits, misses, bytes};
	json_decref(status);
	return r;
}
