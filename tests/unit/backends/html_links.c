/* Links of HTML pages, whole, in pieces, and of what is none. */
#include "backends/html_links.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE                                                                                       \
	"<!DOCTYPE html><html><head><base href=\"/base/\"><title>A title</title></head>"           \
	"<body><!-- <a href=\"comment\"> --><pre><a href=\"one.txt\">One</a> 2026\n"               \
	"<A HREF='a&amp;b&quot;c'>x</A><a name=none>y</a><a href=\"%C3%84\">z</a>"                 \
	"<script>document.write('<a href=script>')</script><a href=plain>p"

struct seen {
	char text[512];
	int answer; /* of the second link */
	int count;
};

static int note(const char *href, bool is_base, void *arg, struct err *err)
{
	struct seen *seen = arg;

	strcat(seen->text, is_base ? "=" : " ");
	strncat(seen->text, href, 100);
	seen->count++;
	return seen->answer && seen->count == 2 ? err_set(err, ERR_REMOTE, seen->answer, "enough")
						: 0;
}

static int feed(const char *page, size_t len, size_t step, struct seen *seen, struct err *err)
{
	struct html_links *links;
	int r = html_links_new(note, seen, &links, err);

	cr_assert_eq(r, 0);
	for (size_t at = 0; r == 0 && at < len; at += step)
		r = html_links_feed(links, page + at, len - at < step ? len - at : step, err);
	if (r == 0)
		r = html_links_feed(links, "", 0, err);
	html_links_free(links);
	return r;
}

Test(html_links, are_the_same_however_the_page_is_cut)
{
	for (size_t step = 1; step <= sizeof(PAGE); step += step < 20 ? 1 : 50) {
		struct seen seen = {.text = ""};

		cr_assert_eq(feed(PAGE, strlen(PAGE), step, &seen, NULL), 0);
		cr_assert_str_eq(seen.text, "=/base/ one.txt a&b\"c %C3%84 plain",
			"in steps of %zu: %s", step, seen.text);
	}
}

Test(html_links, end_with_the_answer_of_the_visitor)
{
	struct seen seen = {.answer = EFBIG};
	struct err err = ERR_INIT;

	cr_assert_eq(feed(PAGE, strlen(PAGE), 7, &seen, &err), -EFBIG);
	cr_assert_eq(seen.count, 2);
	cr_assert_str_eq(err.msg, "enough");
}

Test(html_links, of_no_page_are_none)
{
	static const char zeros[4096];
	struct seen seen = {.text = ""};

	cr_assert_eq(feed("", 0, 1, &seen, NULL), 0);
	cr_assert_eq(feed(zeros, sizeof(zeros), 1000, &seen, NULL), 0);
	cr_assert_eq(feed("\xff\xfe<\0a\0", 6, 2, &seen, NULL), 0);
	cr_assert_eq(feed("<a href", 7, 7, &seen, NULL), 0);
	cr_assert_eq(seen.count, 0);
}

/* A million open elements, and a name that never ends. */
Test(html_links, of_hostile_pages_cost_what_the_page_is_long)
{
	size_t len = (size_t)8 * 1024 * 1024;
	CLEANUP(str_freep) char *page = malloc(len);
	struct seen seen = {.text = ""};

	cr_assert_not_null(page);
	for (size_t i = 0; i < len; i++)
		page[i] = "<a><div>"[i % 8];
	cr_assert_eq(feed(page, len, 65536, &seen, NULL), 0);
	memset(page, 'x', len);
	memcpy(page, "<a href=\"", 9);
	cr_assert_eq(feed(page, len, 65536, &seen, NULL), 0);
	cr_assert_leq(seen.count, 1);
}
