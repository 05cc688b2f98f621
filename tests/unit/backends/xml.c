/* XML: what is found in it, and what of it is not borne. */
#include "backends/xml.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "path=text;" of each element. */
struct found {
	char text[4096];
	int fail;
};

static int on_element(const char *path, const char *text, void *arg, struct err *err)
{
	struct found *found = arg;
	size_t len = strlen(found->text);

	snprintf(found->text + len, sizeof(found->text) - len, "%s=%s;", path, text);
	return found->fail ? err_set(err, ERR_REMOTE, found->fail, "enough") : 0;
}

/* In pieces of @step bytes. */
static int read_by(const char *text, size_t step, struct found *found, struct err *err)
{
	CLEANUP(xml_freep) struct xml *xml = NULL;
	int r = 0;

	cr_assert_eq(xml_new(on_element, found, &xml, err), 0);
	for (size_t at = 0, len = strlen(text); r == 0 && at < len; at += step)
		r = xml_feed(xml, text + at, step < len - at ? step : len - at, err);
	return r < 0 ? r : xml_feed(xml, "", 0, err);
}

static int read_all(const char *text, struct err *err)
{
	struct found found = {.fail = 0};

	return read_by(text, 4096, &found, err);
}

Test(xml, elements_are_told_by_their_paths)
{
	static const char text[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a xmlns='x'><b>1 &lt; "
		"2</b><c><b/>x<![CDATA[<y>]]></c></a>\n";
	struct err err = ERR_INIT;

	for (size_t step = 1; step < sizeof(text); step++) {
		struct found found = {.fail = 0};

		cr_assert_eq(read_by(text, step, &found, &err), 0, "%s", err.msg);
		cr_assert_str_eq(found.text, "a/b=1 < 2;a/c/b=;a/c=x<y>;a=;");
	}
}

Test(xml, what_the_visitor_answers_ends_it)
{
	struct found found = {.fail = EFBIG};
	struct err err = ERR_INIT;

	cr_assert_eq(read_by("<a><b/><c/></a>", 3, &found, &err), -EFBIG);
	cr_assert_str_eq(err.msg, "enough");
	cr_assert_str_eq(found.text, "a/b=;");
}

Test(xml, entities_cannot_be_made)
{
	static const char *const texts[] = {
		"<!DOCTYPE a><a/>",
		"<!DOCTYPE a [<!ENTITY x \"yyyyyyyyyy\"><!ENTITY z \"&x;&x;&x;&x;&x;&x;\">]>"
		"<a>&z;</a>",
		"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
		"<a>&x;</a>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct err err = ERR_INIT;

		cr_assert_eq(read_all(texts[i], &err), -EBADMSG, "%s", texts[i]);
		cr_assert_eq(err.kind, ERR_REMOTE);
	}
}

Test(xml, what_is_none_is_refused)
{
	static const char *const texts[] = {"", "no", "<a>", "<a></b>", "<a/><b/>", "<a>\x01</a>",
		"<a>\xff</a>", "<html><br></html>"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_assert_eq(read_all(texts[i], NULL), -EBADMSG, "%s", texts[i]);
}

Test(xml, it_is_neither_deep_nor_long)
{
	static char deep[XML_PATH_MAX * 4];
	static char text[XML_TEXT_MAX + 64] = "<a>";
	struct err err = ERR_INIT;

	for (size_t i = 0; i + 4 < sizeof(deep); i += 3)
		memcpy(deep + i, "<a>", 4);
	cr_assert_eq(read_all(deep, &err), -EFBIG);
	memset(text + 3, 'x', XML_TEXT_MAX);
	memcpy(text + 3 + XML_TEXT_MAX, "</a>", 5);
	cr_assert_eq(
		read_by(text, sizeof(text), &(struct found){.fail = 0}, &err), 0, "%s", err.msg);
	memcpy(text + 3 + XML_TEXT_MAX, "x</a>", 6);
	cr_assert_eq(read_all(text, &err), -EFBIG);
}
