#include "backends/ftp_folder.h"

#include "backends/builtin.h"
#include "backends/ftp_ask.h"
#include "backends/ftp_list.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define LISTING_MAX ((uint64_t)32 * 1024 * 1024)
#define LIMIT_MS    60000 /* however slowly it drips */

struct listing {
	const struct backend_request *request;
	struct ftp_list list;
	uint64_t size;
	int64_t until; /* milliseconds on the monotonic clock */
	backend_visit *visit;
	void *arg;
};

/* The name in its URI, where ";type=" would be a word to libcurl. What no URI can name there is
 * no file either. */
static int on_name(const char *name, bool is_folder, void *arg, struct err *err)
{
	struct listing *listing = arg;
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(str_freep) char *escaped = NULL;
	const char *segment;
	const char *type;
	int r = uri_child(listing->request->uri, name, &uri, NULL);

	if (r < 0)
		return r == -ENOMEM ? err_oom(err) : 0;
	segment = strrchr(uri.path, '/') + 1;
	type = strstr(segment, ";type=");
	if (!type)
		return listing->visit(segment, is_folder, listing->arg, err);
	escaped = str_printf("%.*s%%3B%s", (int)(type - segment), segment, type + 1);
	return escaped ? listing->visit(escaped, is_folder, listing->arg, err) : err_oom(err);
}

static int on_listing(const void *buf, size_t len, void *arg, struct err *err)
{
	struct listing *listing = arg;

	listing->size += len;
	if (listing->size > LISTING_MAX)
		return err_set(err, ERR_REMOTE, EFBIG, "a listing of more than 32 MiB");
	return ftp_list_feed(&listing->list, buf, len, err);
}

static int on_listing_poll(void *arg, struct err *err)
{
	const struct listing *listing = arg;
	const struct backend_request *request = listing->request;

	if (clock_monotonic_ms() >= listing->until)
		return err_set(err, ERR_NETWORK, ETIMEDOUT, "the listing takes more than %d s",
			LIMIT_MS / 1000);
	return request->poll ? request->poll(request->poll_arg, err) : 0;
}

int ftp_folder_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	struct transfer_request transfer = ftp_ask_transfer(env, request);
	struct listing listing = {
		.request = request,
		.list = {.visit = on_name},
		.until = clock_monotonic_ms() + LIMIT_MS,
		.visit = visit,
		.arg = arg,
	};
	int r = ftp_ask_check(request, true, err);

	if (r == 0)
		r = uri_plain_path(request->uri, &path, err);
	if (r < 0)
		return r;
	if (transfer_is_proxied_ftp(request->uri, request->proxy))
		return http_backend.list(env, request, ret, visit, arg, err);
	listing.list.arg = &listing;
	listing.list.folder = path;
	transfer.ftp = TRANSFER_LIST;
	transfer.on_answer = ftp_ask_ignore;
	transfer.on_body = on_listing;
	transfer.on_poll = on_listing_poll;
	transfer.arg = &listing;
	r = transfer_run(env->transfers, &transfer, err);
	if (r == 0)
		r = ftp_list_end(&listing.list, err);
	*ret = (struct remote){
		.size = SIZE_UNKNOWN,
		.validators.modified = TIME_UNKNOWN,
		.max_age = TIME_UNKNOWN,
	};
	return r;
}
