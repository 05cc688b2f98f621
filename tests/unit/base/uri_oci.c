/* URIs of registries: one name, one spelling; and what lies below a repository. */
#include "base/uri.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>

static void check(const char *text, const char *canonical)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s: %s", text, err.msg);
	cr_assert_str_eq(uri.text, canonical, "%s: %s", text, uri.text);
}

Test(uri_oci, a_name_is_what_the_path_decodes_to)
{
	check("OCI://R.Example/a/b:v1/c d", "oci://r.example/a/b:v1/c%20d");
	check("oci://r/a%3Av1%2Fb%40c", "oci://r/a:v1/b@c");
	check("oci://r/a:v1/%3f%23%25%2b", "oci://r/a:v1/%3F%23%25+");
	check("oci://r/a:v1/x%2F..%2Fy", "oci://r/a:v1/y");
	check("oci://r/a:v1/\xc3\xbc", "oci://r/a:v1/%C3%BC");
	check("oci://r", "oci://r/");
}

Test(uri_oci, the_usual_port_is_none)
{
	check("oci://r:443/a", "oci://r/a");
	check("oci://r:5000/a", "oci://r:5000/a");
}

Test(uri_oci, tags_and_digests_are_below_their_repository)
{
	cr_assert(uri_is_below("oci://r/a/b", "oci://r/a/b:v1"));
	cr_assert(uri_is_below("oci://r/a/b", "oci://r/a/b:v1/x"));
	cr_assert(uri_is_below("oci://r/a/b", "oci://r/a/b@sha256:00"));
	cr_assert(uri_is_below("oci://r/a", "oci://r/a/b:v1"));
	cr_assert_not(uri_is_below("oci://r/a/b", "oci://r/a/bc:v1"));
	cr_assert_not(uri_is_below("oci://r", "oci://r:5000/a"));
	cr_assert_not(uri_is_below("https://r/a/b", "https://r/a/b:v1"));
}

Test(uri_oci, it_has_a_place_in_the_tree)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(str_freep) char *path = NULL;

	cr_assert_eq(uri_from_tree("oci/r:5000/a/b:v1/c d%3F", &uri, NULL), 0);
	cr_assert_str_eq(uri.text, "oci://r:5000/a/b:v1/c%20d%3F");
	cr_assert_eq(uri_to_tree(&uri, &path, NULL), 0);
	cr_assert_str_eq(path, "oci/r:5000/a/b:v1/c%20d%3F");
}
