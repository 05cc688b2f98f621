#include "backends/hops.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

static bool same_origin(const struct uri *a, const struct uri *b)
{
	return str_equal(a->scheme, b->scheme) && str_equal(a->host, b->host) &&
	       str_equal(a->port, b->port);
}

/* "…/name" that leads to "…/name/": what servers answer for a folder. */
static bool is_folder(const struct uri *from, const struct uri *to)
{
	size_t len = strlen(from->path);

	return str_equal(from->host, to->host) && str_has_prefix(to->path, from->path) &&
	       str_equal(to->path + len, "/");
}

static int check_hop(const struct uri *from, const struct uri *to, struct err *err)
{
	if (!str_equal(to->scheme, "http") && !str_equal(to->scheme, "https"))
		return err_set(
			err, ERR_POLICY, EACCES, "redirect to %s is never followed", to->scheme);
	if (str_equal(from->scheme, "https") && str_equal(to->scheme, "http"))
		return err_set(
			err, ERR_POLICY, EACCES, "redirect from https to http is never followed");
	if (is_folder(from, to))
		return err_set(err, ERR_REMOTE, EISDIR, "the origin says that it is a folder");
	return 0;
}

/* Userinfo stays with the server it was meant for. */
static int keep_userinfo(const struct uri *from, struct uri *to, struct err *err)
{
	if (to->user || !from->user || !same_origin(from, to))
		return 0;
	to->user = str_copy(from->user);
	to->password = str_copy(from->password);
	if (!to->user || (from->password && !to->password))
		return err_oom(err);
	return 0;
}

int hops_next(const struct uri *from, const char *location, struct uri *ret, struct err *err)
{
	struct uri next = {.text = NULL};
	int r;

	if (uri_resolve(from, location, &next, NULL) < 0)
		return err_set(err, ERR_REMOTE, EBADMSG, "redirect to a malformed location");
	r = check_hop(from, &next, err);
	if (r == 0)
		r = keep_userinfo(from, &next, err);
	if (r < 0) {
		uri_release(&next);
		return r;
	}
	*ret = next;
	return 0;
}
