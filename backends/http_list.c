#include "backends/http_list.h"

#include "backends/builtin.h"
#include "backends/html_links.h"
#include "backends/json_names.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX ((uint64_t)32 * 1024 * 1024) /* about two hundred thousand names */
#define LIMIT_MS 60000
#define BLANKS   " \t\r\n\f"

struct page {
	struct sink sink; /* first, so that it is the page */
	const struct backend_request *request;
	struct html_links *links; /* of HTML */
	struct json_names *names; /* of JSON */
	struct uri from;          /* who answered */
	struct uri base;          /* what links are relative to */
	bool has_base;
	struct remote remote;
	uint64_t size;
	int64_t until; /* milliseconds on the monotonic clock */
	backend_visit *visit;
	void *arg;
};

static void page_release(struct page *page)
{
	html_links_free(page->links);
	json_names_free(page->names);
	uri_release(&page->from);
	uri_release(&page->base);
}

/* What follows the folder of @page in @uri: "name", "name/", "" or NULL. */
static const char *below(const struct uri *page, const struct uri *uri)
{
	size_t len = (size_t)(strrchr(page->path, '/') + 1 - page->path);

	if (!str_equal(uri->scheme, page->scheme) || !str_equal(uri->host, page->host) ||
		!str_equal(uri->port ? uri->port : "", page->port ? page->port : ""))
		return NULL;
	return strncmp(uri->path, page->path, len) == 0 ? uri->path + len : NULL;
}

/* The first one counts; what is no URI is none. */
static int set_base(struct page *page, const char *href, struct err *err)
{
	struct uri base = {.text = NULL};
	int r = page->has_base ? 0 : uri_resolve(&page->from, href, &base, err);

	if (r < 0 || page->has_base)
		return r == -ENOMEM ? r : 0;
	uri_release(&page->base);
	page->base = base;
	page->has_base = true;
	return 0;
}

/* As HTML has it: without the blanks around it. */
static int resolve(const struct page *page, const char *href, struct uri *ret, struct err *err)
{
	CLEANUP(str_freep) char *trimmed = str_copy(href + strspn(href, BLANKS));
	size_t len;

	if (!trimmed)
		return err_oom(err);
	len = strlen(trimmed);
	while (len > 0 && strchr(BLANKS, trimmed[len - 1]))
		trimmed[--len] = '\0';
	return uri_resolve(&page->base, trimmed, ret, err);
}

/* However slowly it drips. */
static int check_time(const struct page *page, struct err *err)
{
	if (clock_monotonic_ms() < page->until)
		return 0;
	return err_set(
		err, ERR_NETWORK, ETIMEDOUT, "the listing takes more than %d s", LIMIT_MS / 1000);
}

static int on_link(const char *href, bool is_base, void *arg, struct err *err)
{
	struct page *page = arg;
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(str_freep) char *segment = NULL;
	const char *rest;
	size_t len;
	int r;

	if (is_base)
		return set_base(page, href, err);
	r = resolve(page, href, &uri, err);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	/* links that sort the page have a query */
	rest = uri.query ? NULL : below(&page->from, &uri);
	len = rest ? strcspn(rest, "/") : 0;
	if (len == 0 || (rest[len] && rest[len + 1]))
		return 0;
	segment = strndup(rest, len);
	return segment ? page->visit(segment, rest[len] == '/', page->arg, err) : err_oom(err);
}

/* One that no URI can have is no name of the tree. */
static int on_name(const char *name, bool is_folder, void *arg, struct err *err)
{
	struct page *page = arg;
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	int r;

	if (strchr(name, '/'))
		return 0;
	r = uri_child(page->request->uri, name, &uri, NULL);
	if (r < 0)
		return r == -ENOMEM ? err_oom(err) : 0;
	return page->visit(strrchr(uri.path, '/') + 1, is_folder, page->arg, err);
}

static int feed(struct page *page, const void *buf, size_t len, struct err *err)
{
	return page->names ? json_names_feed(page->names, buf, len, err)
			   : html_links_feed(page->links, buf, len, err);
}

static int on_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	struct page *page = (struct page *)sink;
	bool is_html = str_equal(remote->type, "text/html") ||
		       str_equal(remote->type, "application/xhtml+xml");
	int r;

	page->remote = *remote;
	if (str_equal(remote->type, "application/json"))
		return json_names_new(on_name, page, &page->names, err);
	if (!is_html)
		return err_set(err, ERR_REMOTE, ENOTDIR,
			"the origin shows no listing there, but %s",
			remote->type[0] ? remote->type : "a file");
	r = uri_copy(sink->from, &page->from, err);
	if (r == 0)
		r = uri_copy(sink->from, &page->base, err);
	return r < 0 ? r : html_links_new(on_link, page, &page->links, err);
}

static int on_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct page *page = (struct page *)sink;
	int r;

	page->size += len;
	if (page->size > PAGE_MAX)
		return err_set(err, ERR_REMOTE, EFBIG, "a listing of more than 32 MiB");
	r = check_time(page, err);
	return r < 0 ? r : feed(page, buf, len, err);
}

static int on_poll(struct sink *sink, struct err *err)
{
	const struct page *page = (struct page *)sink;
	const struct backend_request *request = page->request;
	int r = request->poll ? request->poll(request->poll_arg, err) : 0;

	return r < 0 ? r : check_time(page, err);
}

int http_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(page_release)
	struct page page = {
		.sink = {.begin = on_begin, .write = on_write, .poll = on_poll},
		.request = request,
		.until = clock_monotonic_ms() + LIMIT_MS,
		.visit = visit,
		.arg = arg,
	};
	int r = http_backend.fetch(env, request, &page.sink, err);

	if (r == 0)
		r = feed(&page, "", 0, err);
	*ret = page.remote;
	return r;
}
