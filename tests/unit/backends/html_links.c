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

#define PIECE 4096 /* that the library is given: about there pages are cut */

Test(html_links, are_the_same_however_the_page_is_cut)
{
	static char page[PIECE + sizeof(PAGE)];

	for (size_t before = PIECE - sizeof(PAGE); before <= PIECE; before++) {
		struct seen seen = {.text = ""};

		memset(page, ' ', before);
		strcpy(page + before, PAGE);
		cr_assert_eq(feed(page, strlen(page), 1000, &seen, NULL), 0);
		cr_assert_str_eq(seen.text, "=/base/ one.txt a&b\"c %C3%84 plain",
			"after %zu blanks: %s", before, seen.text);
	}
}

Test(html_links, are_the_same_however_the_page_comes_in)
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

/* @times @unit after @begin. */
static int feed_many(const char *begin, const char *unit, size_t times)
{
	size_t step = strlen(unit);
	size_t len = strlen(begin) + step * times;
	CLEANUP(str_freep) char *page = malloc(len + 1);
	struct seen seen = {.text = ""};
	char *end;

	cr_assert_not_null(page);
	end = stpcpy(page, begin);
	for (size_t i = 0; i < times; i++)
		end = stpcpy(end, unit);
	return feed(page, len, 65536, &seen, NULL);
}

/* What the library would take days for. */
Test(html_links, of_hostile_pages_are_given_up)
{
	cr_assert_eq(feed_many("", "<a><div>", 1000000), -EFBIG);
	cr_assert_eq(feed_many("", "<i>", 1000000), -EFBIG);
	cr_assert_eq(feed_many("<a href=\"", "x", 8000000), -EFBIG);
	cr_assert_eq(feed_many("<a ", "a1 a2 b c=d ", 1000000), -EFBIG);
	cr_assert_eq(feed_many("<!-- ", "no link ", 1000000), -EFBIG);
	cr_assert_eq(feed_many("<i><i><i><i>", "</b>", 1000000), 0);
}

/* Nobody closes what HTML closes by itself. */
Test(html_links, of_long_pages_are_not)
{
	cr_assert_eq(feed_many("<table>", "<tr><td><a name=x>y</a><td>z\n", 100000), 0);
	cr_assert_eq(feed_many("<ul>", "<li><a name=x>y</a>", 100000), 0);
	cr_assert_eq(feed_many("", "<p>a paragraph<br><hr><img src=x>", 100000), 0);
	cr_assert_eq(feed_many("<pre>", "<a name=x>y</a> 2026 5\n", 100000), 0);
}

static int count(const char *href, bool is_base, void *arg, struct err *err)
{
	size_t *links = arg;

	(void)href;
	(void)is_base;
	(void)err;
	(*links)++;
	return 0;
}

/* As nginx writes them, after @before blanks, brought in pieces of @step: which are cut inside of
 * tags, of quotes, of comments and between them. */
static void find_all(size_t before, size_t step)
{
	static const char line[] = "<a href=\"name<1>.txt\" title='it\"s'>na</a> 5 <!-- it's -->\n";
	size_t links = 0;
	size_t len = before + 1500 * (sizeof(line) - 1);
	CLEANUP(str_freep) char *page = malloc(len + 1);
	struct html_links *parser;
	struct err err = ERR_INIT;

	cr_assert_not_null(page);
	memset(page, ' ', before);
	for (char *at = page + before; at < page + len;)
		at = stpcpy(at, line);
	cr_assert_eq(html_links_new(count, &links, &parser, &err), 0);
	for (size_t at = 0; at < len; at += step)
		cr_assert_eq(
			html_links_feed(parser, page + at, len - at < step ? len - at : step, &err),
			0, "%zu blanks, steps of %zu: %s", before, step, err.msg);
	cr_assert_eq(html_links_feed(parser, "", 0, &err), 0);
	html_links_free(parser);
	cr_assert_eq(links, 1500, "%zu blanks, steps of %zu: %zu", before, step, links);
}

Test(html_links, of_a_large_listing_are_all_found_wherever_it_is_cut)
{
	for (size_t before = 0; before < 64; before++)
		find_all(before, 16384);
	for (size_t step = 1; step < 10000; step = 2 * step + 1)
		find_all(0, step);
}
