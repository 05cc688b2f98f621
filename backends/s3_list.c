#include "backends/s3_list.h"

#include "backends/s3_question.h"
#include "backends/s3_sign.h"
#include "backends/xml.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES_MAX ((uint64_t)16 * 1024 * 1024)
#define PAGE_NAMES_MAX 10000 /* more than any server puts on one */
#define PAGES_MAX      10000
#define LIMIT_MS       60000

#define ROOT "ListBucketResult"

/* A key, or the part of keys that they have in common, as it stands in the answer. */
struct item {
	char *key;
	bool is_folder;
};

/* One page on its way. */
struct page {
	struct sink sink; /* first, so that it is the page */
	const struct backend_request *request;
	int64_t until; /* milliseconds on the monotonic clock */
	struct xml *xml;
	struct remote remote;
	uint64_t size;
	bool is_listing; /* it has the root that one has */
	bool encoded;    /* names are encoded as in a URL */
	bool truncated;  /* there are more pages */
	char *token;     /* which leads to the next one */
	struct item *items;
	size_t count;
	size_t room;
};

static void page_release(struct page *page)
{
	xml_free(page->xml);
	free(page->token);
	for (size_t i = 0; i < page->count; i++)
		free(page->items[i].key);
	free(page->items);
}

static int add(struct page *page, const char *key, bool is_folder, struct err *err)
{
	size_t room = page->room ? 2 * page->room : 64;

	if (page->count == PAGE_NAMES_MAX)
		return err_set(
			err, ERR_REMOTE, EFBIG, "more than %d names on one page", PAGE_NAMES_MAX);
	if (page->count == page->room) {
		struct item *bigger = reallocarray(page->items, room, sizeof(*bigger));

		if (!bigger)
			return err_oom(err);
		page->items = bigger;
		page->room = room;
	}
	page->items[page->count].key = str_copy(key);
	if (!page->items[page->count].key)
		return err_oom(err);
	page->items[page->count++].is_folder = is_folder;
	return 0;
}

static int on_text(const char *path, const char *text, void *arg, struct err *err)
{
	struct page *page = arg;

	if (str_equal(path, ROOT))
		page->is_listing = true;
	else if (str_equal(path, ROOT "/Contents/Key"))
		return add(page, text, false, err);
	else if (str_equal(path, ROOT "/CommonPrefixes/Prefix"))
		return add(page, text, true, err);
	else if (str_equal(path, ROOT "/EncodingType"))
		page->encoded = str_equal(text, "url");
	else if (str_equal(path, ROOT "/IsTruncated"))
		page->truncated = str_equal(text, "true");
	else if (str_equal(path, ROOT "/NextContinuationToken")) {
		free(page->token);
		page->token = str_copy(text);
		return page->token ? 0 : err_oom(err);
	}
	return 0;
}

/* However slowly it drips. */
static int check_time(const struct page *page, struct err *err)
{
	if (clock_monotonic_ms() < page->until)
		return 0;
	return err_set(
		err, ERR_NETWORK, ETIMEDOUT, "the listing takes more than %d s", LIMIT_MS / 1000);
}

static int on_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	struct page *page = (struct page *)sink;

	page->remote = *remote;
	return xml_new(on_text, page, &page->xml, err);
}

static int on_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct page *page = (struct page *)sink;
	int r;

	page->size += len;
	if (page->size > PAGE_BYTES_MAX)
		return err_set(err, ERR_REMOTE, EFBIG, "a page of more than 16 MiB in the listing");
	r = check_time(page, err);
	return r < 0 || len == 0 ? r : xml_feed(page->xml, buf, len, err);
}

static int on_poll(struct sink *sink, struct err *err)
{
	const struct page *page = (struct page *)sink;
	const struct backend_request *request = page->request;
	int r = request->poll ? request->poll(request->poll_arg, err) : 0;

	return r < 0 ? r : check_time(page, err);
}

/* ---- names ---- */

/* @text with its escapes undone, in place. false: there would be a NUL in it. */
static bool decode(char *text, bool plus)
{
	char *out = text;

	for (; *text; text++) {
		unsigned char value;
		char pair[3] = "";

		if (*text == '%' && text[1] && text[2]) {
			memcpy(pair, text + 1, 2);
			if (str_from_hex(pair, 1, &value)) {
				if (value == 0)
					return false;
				*out++ = (char)value;
				text += 2;
				continue;
			}
		}
		*out++ = plus && *text == '+' ? ' ' : *text;
	}
	*out = '\0';
	return true;
}

/* A listing on its way. */
struct listing {
	const struct uri *folder;
	char *prefix; /* what the keys in it begin with */
	backend_visit *visit;
	void *arg;
	bool found; /* something, be it the folder itself */
};

/* The name of @key in the folder, without the slash of one that is a folder; NULL: it has none that
 * could be in a tree. */
static char *name_of(const struct listing *listing, struct item *item, bool encoded)
{
	char *name;
	size_t len;

	if ((encoded && !decode(item->key, true)) || !str_has_prefix(item->key, listing->prefix))
		return NULL;
	name = item->key + strlen(listing->prefix);
	len = strlen(name);
	if (item->is_folder && len > 0 && name[len - 1] == '/')
		name[--len] = '\0';
	return strchr(name, '/') ? NULL : name;
}

static int visit_item(struct listing *listing, struct item *item, bool encoded, struct err *err)
{
	CLEANUP(uri_release) struct uri child = {.text = NULL};
	const char *name = name_of(listing, item, encoded);
	int r;

	if (!name)
		return 0;
	listing->found = true;
	/* one that no URI can have is no name of the tree */
	r = uri_child(listing->folder, name, &child, err);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return listing->visit(strrchr(child.path, '/') + 1, item->is_folder, listing->arg, err);
}

static int visit_page(struct listing *listing, struct page *page, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < page->count; i++)
		r = visit_item(listing, &page->items[i], page->encoded, err);
	return r;
}

/* ---- pages ---- */

/* @token: where the page begins; NULL: it is the first. */
static char *query_of(const struct uri *folder, const char *token)
{
	CLEANUP(str_freep) char *prefix = s3_sign_encode(folder->path + 1, false);
	CLEANUP(str_freep) char *from = token ? uri_escape(token, "") : NULL;

	if (!prefix || (token && !from))
		return NULL;
	return str_printf("%s%s%sdelimiter=%%2F&encoding-type=url&list-type=2&prefix=%s",
		token ? "continuation-token=" : "", token ? from : "", token ? "&" : "", prefix);
}

/* What @query answers; NULL: out of memory. */
static int ask(const struct backend_env *env, const struct backend_request *request,
	const char *query, struct page *page, struct err *err)
{
	CLEANUP(s3_question_release) struct s3_question question = {.path = NULL};
	int r;

	if (!query)
		return err_oom(err);
	r = s3_question_init(&question, env, request, query, true, err);
	if (r == 0)
		r = http_fetch(env, &question.request, &question.dialect, &page->sink, err);
	if (r == 0)
		r = xml_feed(page->xml, "", 0, err);
	if (r < 0)
		return r;
	if (!page->is_listing)
		return err_set(err, ERR_REMOTE, EBADMSG, "what answers is no listing of S3");
	return 0;
}

static int ask_page(const struct backend_env *env, const struct backend_request *request,
	const char *token, struct page *page, struct err *err)
{
	CLEANUP(str_freep) char *query = query_of(request->uri, token);
	int r = ask(env, request, query, page, err);

	if (r < 0)
		return r;
	if (page->truncated && (!page->token || !*page->token || str_equal(page->token, token)))
		return err_set(err, ERR_REMOTE, EBADMSG, "the listing does not go on");
	return 0;
}

static struct page page_of(const struct backend_request *request, int64_t until)
{
	return (struct page){
		.sink = {.begin = on_begin, .write = on_write, .poll = on_poll},
		.request = request,
		.until = until,
	};
}

int s3_list_is_folder(
	const struct backend_env *env, const struct backend_request *request, struct err *err)
{
	CLEANUP(page_release)
	struct page page = page_of(request, clock_monotonic_ms() + LIMIT_MS);
	CLEANUP(str_freep) char *prefix = s3_sign_encode(request->uri->path + 1, false);
	CLEANUP(str_freep)
	char *query = prefix ? str_printf("list-type=2&max-keys=1&prefix=%s%%2F", prefix) : NULL;
	int r = ask(env, request, query, &page, err);

	return r < 0 ? r : page.count > 0;
}

static int list_pages(const struct backend_env *env, const struct backend_request *request,
	struct listing *listing, struct remote *ret, struct err *err)
{
	CLEANUP(str_freep) char *token = NULL;
	int64_t until = clock_monotonic_ms() + LIMIT_MS;

	for (int i = 0; i < PAGES_MAX; i++) {
		CLEANUP(page_release)
		struct page page = page_of(request, until);
		int r = ask_page(env, request, token, &page, err);

		if (r == 0)
			r = visit_page(listing, &page, err);
		if (r < 0)
			return r;
		*ret = page.remote;
		if (!page.truncated)
			return 0;
		free(token);
		token = str_steal(&page.token);
	}
	return err_set(err, ERR_REMOTE, EFBIG, "a listing of more than %d pages", PAGES_MAX);
}

int s3_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(str_freep) char *prefix = str_copy(request->uri->path + 1);
	struct listing listing = {
		.folder = request->uri, .prefix = prefix, .visit = visit, .arg = arg};
	int r;

	if (!prefix)
		return err_oom(err);
	if (!decode(prefix, false))
		return err_set(err, ERR_USAGE, EINVAL, "no key can hold %%00");
	r = list_pages(env, request, &listing, ret, err);
	/* a bucket may be empty; a folder is there by what is in it */
	if (r == 0 && !listing.found && *prefix)
		return err_set(err, ERR_REMOTE, ENOENT, "nothing there has such a name");
	return r;
}
