#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct uri parsed(const char *text)
{
	struct err err = ERR_INIT;
	struct uri uri = {0};

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s: %s", text, err.msg);
	return uri;
}

/* What @get makes of @text; NULL when it is refused, by @code. */
static char *got(int (*get)(const struct uri *, char **, struct err *), const char *text, int code)
{
	CLEANUP(uri_release) struct uri uri = parsed(text);
	char *ret = NULL;

	cr_assert_eq(get(&uri, &ret, NULL), -code, "%s", text);
	return ret;
}

static void check(int (*get)(const struct uri *, char **, struct err *), const char *text,
	const char *expected)
{
	CLEANUP(str_freep) char *name = got(get, text, 0);

	cr_assert_str_eq(name, expected);
}

static void check_back(int (*from)(const char *, struct uri *, struct err *), const char *name,
	const char *expected)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(from(name, &uri, &err), 0, "%s: %s", name, err.msg);
	cr_assert_str_eq(uri.text, expected);
}

Test(uri_name, a_shown_uri_has_no_query)
{
	CLEANUP(uri_release) struct uri secret = parsed("https://u:p@h/a?X-Amz-Signature=1#f");
	CLEANUP(uri_release) struct uri plain = parsed("https://h/a");
	CLEANUP(uri_release) struct uri empty = parsed("https://h/a?");
	CLEANUP(str_freep) char *shown = uri_display(&secret);
	CLEANUP(str_freep) char *shown_plain = uri_display(&plain);
	CLEANUP(str_freep) char *shown_empty = uri_display(&empty);

	cr_assert_str_eq(shown, "https://h/a?…");
	cr_assert_str_eq(shown_plain, "https://h/a");
	cr_assert_str_eq(shown_empty, "https://h/a?…");
}

Test(uri_name, a_file_path_is_decoded)
{
	check(uri_file_path, "file:///a%20b/gr%C3%BC", "/a b/gr\xc3\xbc");
	check(uri_file_path, "file:///50%", "/50%");
	cr_assert_null(got(uri_file_path, "file:///a%00b", EINVAL));
	cr_assert_null(got(uri_file_path, "file:///pub%2F..%2Fetc", EINVAL));
}

Test(uri_name, the_basename_is_one_safe_name)
{
	check(uri_basename, "http://h/a/tool%20x.tgz?q=/z", "tool x.tgz");
	cr_assert_null(got(uri_basename, "http://h/a/", EINVAL));
	cr_assert_null(got(uri_basename, "http://h/", EINVAL));
	cr_assert_null(got(uri_basename, "http://h/a%2Fb", EINVAL));
	cr_assert_null(got(uri_basename, "http://h/..%2F..", EINVAL));
	cr_assert_null(got(uri_basename, "http://h/a%00", EINVAL));
}

Test(uri_name, a_name_is_exact)
{
	check(uri_to_name, "https://h/a%20b?x=%2F", "https:%2F%2Fh%2Fa%2520b?x=%252F");
	check_back(uri_from_name, "https:%2F%2Fh%2Fa%2520b?x=%252F", "https://h/a%20b?x=%2F");
}

Test(uri_name, equivalent_names_are_one_uri)
{
	check_back(uri_from_name, "https%3A%2f%2fH%3A443%2Fa%20b", "https://h/a%20b");
	check_back(uri_from_name, "https:%2F%2Fh%2fa%2520b", "https://h/a%20b");
	check_back(uri_from_name, "http:%2F%2Fh%2F100%", "http://h/100%25");
}

Test(uri_name, a_name_that_is_no_uri_is_refused)
{
	CLEANUP(uri_release) struct uri uri = {0};

	cr_assert_eq(uri_from_name("README", &uri, NULL), -EINVAL);
	cr_assert_eq(uri_from_name("http:%2F%2Fh%2Fa%00b", &uri, NULL), -EINVAL);
}

Test(uri_name, a_name_fits_into_a_directory)
{
	char text[512] = "http://h/"; /* as a name: 15 bytes */
	CLEANUP(str_freep) char *longest = NULL;

	memset(text + 9, 'a', 240);
	longest = got(uri_to_name, text, 0);
	cr_assert_eq(strlen(longest), URI_NAME_MAX);
	memset(text + 9, 'a', 241);
	cr_assert_null(got(uri_to_name, text, ENAMETOOLONG));
}

Test(uri_name, the_tree_holds_ordinary_uris)
{
	check(uri_to_tree, "https://example.org:8443/dist/a%20b.tgz",
		"https/example.org:8443/dist/a%20b.tgz");
	check(uri_to_tree, "http://h/a?b=c", "http/h/a?b=c");
	check(uri_to_tree, "file:///etc/x", "file/etc/x");
	check(uri_to_tree, "http://[::1]:80/a", "http/[::1]/a");
}

Test(uri_name, the_tree_cannot_hold_all)
{
	char text[512] = "http://h/";

	cr_assert_null(got(uri_to_tree, "http://h/", ENOENT));
	cr_assert_null(got(uri_to_tree, "http://h/a/", ENOENT));
	cr_assert_null(got(uri_to_tree, "http://h/a//b", ENOENT));
	cr_assert_null(got(uri_to_tree, "http://h/a?u=http://x", ENOENT));
	cr_assert_null(got(uri_to_tree, "http://h/a?b/../c", ENOENT));
	cr_assert_null(got(uri_to_tree, "file:///", ENOENT));
	memset(text + 9, 'a', URI_NAME_MAX + 1);
	cr_assert_null(got(uri_to_tree, text, ENOENT));
}

Test(uri_name, a_tree_path_is_a_uri)
{
	check_back(uri_from_tree, "https/example.org:8443/dist/a b#1.tgz",
		"https://example.org:8443/dist/a%20b%231.tgz");
	check_back(uri_from_tree, "http/h/a%20b?x=1", "http://h/a%20b?x=1");
	check_back(uri_from_tree, "http/h/new\nline", "http://h/new%0Aline");
	check_back(uri_from_tree, "http/h", "http://h/");
	check_back(uri_from_tree, "file/etc/x", "file:///etc/x");
	check_back(uri_from_tree, "file/user@home", "file:///user@home");
	check_back(uri_from_tree, "http/h/user@home", "http://h/user@home");
}

Test(uri_name, a_tree_path_needs_scheme_and_host)
{
	CLEANUP(uri_release) struct uri uri = {0};

	cr_assert_eq(uri_from_tree("http", &uri, NULL), -EINVAL);
	cr_assert_eq(uri_from_tree("http/", &uri, NULL), -EINVAL);
	cr_assert_eq(uri_from_tree("/h/a", &uri, NULL), -EINVAL);
	cr_assert_eq(uri_from_tree("http/u:p@h/a", &uri, NULL), -EINVAL);
	cr_assert_eq(uri_from_tree("http/h h/a", &uri, NULL), -EINVAL);
}

static void check_child(const char *name, const char *expected)
{
	CLEANUP(uri_release) struct uri folder = parsed("https://h/a%20b/?q");
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *back = NULL;

	cr_assert_eq(uri_child(&folder, name, &uri, NULL), 0, "%s", name);
	cr_assert_str_eq(uri.text, expected);
	cr_assert_eq(uri_basename(&uri, &back, NULL), 0);
	cr_assert_str_eq(back, name);
}

Test(uri_child, is_named_by_its_bytes)
{
	check_child("x.tgz", "https://h/a%20b/x.tgz");
	check_child("a b#c%41?", "https://h/a%20b/a%20b%23c%2541%3F");
	check_child("back\\slash\n", "https://h/a%20b/back%5Cslash%0A");
	check_child("\xc3\x84\xff", "https://h/a%20b/%C3%84%FF");
	check_child("...", "https://h/a%20b/...");
}

Test(uri_child, has_a_name)
{
	CLEANUP(uri_release) struct uri folder = parsed("file:///a/");
	struct uri uri;

	cr_assert_eq(uri_child(&folder, "", &uri, NULL), -EINVAL);
	cr_assert_eq(uri_child(&folder, ".", &uri, NULL), -EINVAL);
	cr_assert_eq(uri_child(&folder, "..", &uri, NULL), -EINVAL);
}
