/* What URIs of a registry name. */
#include "backends/oci_name.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#define HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX2 HEX HEX

/* "repo reference file", '-' for no file; or the code of what went wrong. */
static void check(const char *text, const char *want)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(oci_name_release) struct oci_name name;
	struct err err = ERR_INIT;
	char is[512];
	int r;

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s: %s", text, err.msg);
	r = oci_name_init(&name, &uri, &err);
	if (r < 0)
		snprintf(is, sizeof(is), "%s", strerrorname_np(-r));
	else
		snprintf(is, sizeof(is), "%s %s %s%s", name.repo, name.reference,
			name.file ? name.file : "-", name.is_named ? "" : " unnamed");
	cr_assert_str_eq(is, want, "%s: %s (%s)", text, is, err.msg);
}

Test(oci_name, the_segment_with_a_mark_ends_the_repository)
{
	check("oci://r/a:v1", "a v1 -");
	check("oci://r:5000/a/b/c:v1.2-x_Y/d/e.bin", "a/b/c v1.2-x_Y d/e.bin");
	check("oci://r/a/b", "a/b latest - unnamed");
	check("oci://r/", " latest - unnamed");
	check("oci://r/a:v1/", "a v1 -");
	check("oci://r/a:v1/d/", "a v1 d");
	check("oci://r/a@sha256:" HEX, "a sha256:" HEX " -");
	check("oci://r/a@sha512:" HEX2 "/x", "a sha512:" HEX2 " x");
	check("oci://r/a:v1@sha256:" HEX "/x", "a sha256:" HEX " x");
	check("oci://r/a:v1/b:c@d", "a v1 b:c@d");
	check("oci://r/a%3Av1/b%2Fc%3F%23%25d%20+", "a v1 b/c?#%d +");
}

Test(oci_name, what_nothing_can_be_called_is_not_asked_for)
{
	check("oci://r/A:v1", "ENOENT");
	check("oci://r/a//b:v1", "ENOENT");
	check("oci://r/.git", "ENOENT");
	check("oci://r/a__b.c-d--e:v1", "a__b.c-d--e v1 -");
	check("oci://r/a..b:v1", "ENOENT");
	check("oci://r/a_:v1", "ENOENT");
	check("oci://r/a b:v1", "ENOENT");
	check("oci://r/a:", "ENOENT");
	check("oci://r/a:.x", "ENOENT");
	check("oci://r/a:x%20y", "ENOENT");
	check("oci://r/:v1", "ENOENT");
	check("oci://r/@sha256:" HEX, "ENOENT");
}

Test(oci_name, a_digest_is_one_to_the_letter)
{
	check("oci://r/a@sha256:e3", "EINVAL");
	check("oci://r/a@sha256:" HEX "0", "EINVAL");
	check("oci://r/a@sha256=" HEX, "EINVAL");
	check("oci://r/a@" HEX, "EINVAL");
	check("oci://r/a@sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "EINVAL");
	check("oci://r/a@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
		"EINVAL");
	check("oci://r/a@", "EINVAL");
	check("oci://r/a:v1@", "EINVAL");
	check("oci://r/a@v1", "EINVAL");
}

Test(oci_name, there_is_no_query)
{
	check("oci://r/a:v1/x?y", "EINVAL");
}
