#include "backends/ftp_ask.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

static bool has_control(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static bool has_parent(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at += 2)
		if ((at == path || at[-1] == '/') && (at[2] == '/' || !at[2]))
			return true;
	return false;
}

/*
 * What would be another command to the server, or lead where nobody allowed: a path can hold an
 * end of line, "..", and what libcurl would take for something else than a file to be read as it
 * is, by escapes. *ret_folder: it ends in a slash.
 */
static int check_path(const struct uri *uri, bool *ret_folder, struct err *err)
{
	CLEANUP(str_freep) char *plain = NULL;
	const char *type = strstr(uri->path, ";type=");
	int r = uri_plain_path(uri, &plain, err);

	if (r < 0)
		return r;
	if (uri->query)
		return err_set(err, ERR_USAGE, EINVAL,
			"ftp knows no queries: in a name '?' is written %%3F");
	if (has_control(plain))
		return err_set(err, ERR_USAGE, EINVAL, "the name holds a control character");
	if (has_parent(plain))
		return err_set(err, ERR_USAGE, EINVAL, "'..' in a path");
	if (type && !str_equal(type, ";type=i") && !str_equal(type, ";type=I"))
		return err_set(err, ERR_USAGE, EINVAL, "only files in binary form can be fetched");
	*ret_folder = str_has_suffix(plain, "/");
	return 0;
}

/* The commands USER and PASS have an end of line, too. */
static int check_login(const struct backend_request *request, struct err *err)
{
	const struct access *access = request->access;

	if (has_control(request->uri->user) || has_control(request->uri->password) ||
		(access && (has_control(access->user) || has_control(access->password))))
		return err_set(
			err, ERR_USAGE, EINVAL, "user or password holds a control character");
	return 0;
}

int ftp_ask_check(const struct backend_request *request, bool folder, struct err *err)
{
	const struct guard *guard = request->guard;
	bool is_folder;
	int r = check_path(request->uri, &is_folder, err);

	if (r == 0)
		r = check_login(request, err);
	if (r < 0)
		return r;
	if (is_folder != folder)
		return err_set(err, ERR_REMOTE, folder ? ENOTDIR : EISDIR, "it is %s folder",
			folder ? "no" : "a");
	return guard ? guard->uri(guard, request->uri, err) : 0;
}

struct transfer_request ftp_ask_transfer(
	const struct backend_env *env, const struct backend_request *request)
{
	return (struct transfer_request){
		.uri = request->uri,
		.env = env,
		.guard = request->guard,
		.proxy = request->proxy,
		.access = request->access,
		.ftp_active = request->ftp_active,
		.ftp_tls = request->ftp_tls,
	};
}

int ftp_ask_ignore(struct transfer *transfer, void *arg, struct err *err)
{
	(void)transfer;
	(void)arg;
	(void)err;
	return 0;
}
