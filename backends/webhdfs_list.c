#include "backends/webhdfs_list.h"

#include "backends/webhdfs_ask.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 10000
#define PAGE_MAX  ((size_t)16 * 1024 * 1024) /* bytes; older ones have but one */
#define LIMIT_MS  60000

struct listing {
	const struct webhdfs *webhdfs;
	backend_visit *visit;
	void *arg;
	char *last;   /* the name that came last, where the next page begins */
	size_t count; /* of names on this page */
};

static void listing_release(struct listing *listing)
{
	free(listing->last);
}

/* One that no URI can have is no name of the tree. */
static int visit_name(
	const struct listing *listing, const char *name, bool is_folder, struct err *err)
{
	CLEANUP(uri_release) struct uri child = {.text = NULL};
	int r;

	if (!*name || strchr(name, '/'))
		return 0;
	r = uri_child(listing->webhdfs->request->uri, name, &child, NULL);
	if (r < 0)
		return r == -ENOMEM ? err_oom(err) : 0;
	return listing->visit(strrchr(child.path, '/') + 1, is_folder, listing->arg, err);
}

static int visit_status(struct listing *listing, const json_t *json, struct err *err)
{
	const char *name = json_string_value(json_object_get(json, "pathSuffix"));
	struct webhdfs_status status;
	int r = webhdfs_read_status(json, &status, err);

	if (r == 0 && !name)
		return err_set(err, ERR_REMOTE, EBADMSG, "what answers is no WebHDFS");
	if (r < 0)
		return r;
	/* a file is listed as itself */
	if (!*name && !status.is_folder)
		return err_set(err, ERR_REMOTE, ENOTDIR, "it is no folder, but a file");
	free(listing->last);
	listing->last = str_copy(name);
	if (!listing->last)
		return err_oom(err);
	return visit_name(listing, name, status.is_folder, err);
}

static int visit_page(struct listing *listing, const json_t *statuses, struct err *err)
{
	const json_t *list = json_object_get(statuses, "FileStatus");
	const json_t *item;
	size_t i;

	if (!json_is_array(list))
		return err_set(err, ERR_REMOTE, EBADMSG, "what answers is no WebHDFS");
	listing->count = json_array_size(list);
	json_array_foreach(list, i, item)
	{
		int r = visit_status(listing, item, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int list_whole(struct listing *listing, struct err *err)
{
	CLEANUP(webhdfs_json_freep) json_t *json = NULL;
	int r = webhdfs_ask_json(listing->webhdfs, "op=LISTSTATUS", PAGE_MAX, &json, err);

	return r < 0 ? r : visit_page(listing, json_object_get(json, "FileStatuses"), err);
}

/* Positive: there are more. */
static int list_page(struct listing *listing, struct err *err)
{
	CLEANUP(webhdfs_json_freep) json_t *json = NULL;
	CLEANUP(str_freep)
	char *after = listing->last ? uri_escape(listing->last, "") : NULL;
	CLEANUP(str_freep)
	char *query = str_printf(
		"op=LISTSTATUS_BATCH%s%s", after ? "&startAfter=" : "", after ? after : "");
	const json_t *page;
	int r;

	if (!query || (listing->last && !after))
		return err_oom(err);
	r = webhdfs_ask_json(listing->webhdfs, query, PAGE_MAX, &json, err);
	if (r < 0)
		return r;
	page = json_object_get(json, "DirectoryListing");
	r = visit_page(listing,
		json_object_get(json_object_get(page, "partialListing"), "FileStatuses"), err);
	if (r < 0)
		return r;
	return json_integer_value(json_object_get(page, "remainingEntries")) > 0;
}

static int list_pages(struct listing *listing, struct err *err)
{
	int64_t until = clock_monotonic_ms() + LIMIT_MS;

	for (int i = 0; i < PAGES_MAX; i++) {
		struct err why = ERR_INIT;
		int r = list_page(listing, &why);

		/* older ones say that there is no such operation */
		if (i == 0 && (r == -EINVAL || r == -EOPNOTSUPP) && why.kind == ERR_REMOTE)
			return list_whole(listing, err);
		if (r < 0 && err)
			*err = why;
		if (r <= 0)
			return r;
		if (listing->count == 0)
			return err_set(err, ERR_REMOTE, EBADMSG, "the listing does not go on");
		if (clock_monotonic_ms() >= until)
			return err_set(err, ERR_NETWORK, ETIMEDOUT,
				"the listing takes more than %d s", LIMIT_MS / 1000);
	}
	return err_set(err, ERR_REMOTE, EFBIG, "a listing of more than %d pages", PAGES_MAX);
}

int webhdfs_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(webhdfs_release) struct webhdfs webhdfs;
	CLEANUP(listing_release)
	struct listing listing = {.webhdfs = &webhdfs, .visit = visit, .arg = arg};
	int r = webhdfs_init(&webhdfs, env, request, NULL, err);

	if (r == 0)
		r = list_pages(&listing, err);
	if (r < 0)
		return r;
	*ret = (struct remote){
		.size = SIZE_UNKNOWN,
		.validators.modified = TIME_UNKNOWN,
		.max_age = TIME_UNKNOWN,
	};
	return 0;
}
