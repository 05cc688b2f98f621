/* WWW-Authenticate, as registries and others write it. */
#include "backends/oci_challenge.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* Header lines, NULL-terminated. */
static struct oci_challenge read_lines(const char *const *lines)
{
	struct headers headers = {.text = NULL};
	struct oci_challenge ret;

	for (; *lines; lines++)
		cr_assert_eq(headers_add(&headers, *lines, strlen(*lines), NULL), 0);
	oci_challenge_read(&headers, &ret);
	headers_release(&headers);
	return ret;
}

#define READ(...) read_lines((const char *const[]){__VA_ARGS__, NULL})

Test(oci_challenge, a_bearer_says_where_its_tokens_are)
{
	struct oci_challenge got = READ("WWW-Authenticate: Bearer realm=\"https://a.example/t\","
					"service=\"r.example\",scope=\"repository:a/b:pull\"");

	cr_assert(got.bearer);
	cr_assert_not(got.basic);
	cr_assert_str_eq(got.realm, "https://a.example/t");
	cr_assert_str_eq(got.service, "r.example");
	cr_assert_str_eq(got.scope, "repository:a/b:pull");
}

Test(oci_challenge, it_is_read_as_it_is_written)
{
	struct oci_challenge got =
		READ("www-authenticate: bEaReR  REALM = \"https://a/t?x=1,2\" , error=\"no\", "
		     "scope=\"a \\\"b\\\" c\",service=r.example:5000/x");

	cr_assert(got.bearer);
	cr_assert_str_eq(got.realm, "https://a/t?x=1,2");
	cr_assert_str_eq(got.scope, "a \"b\" c");
	cr_assert_str_eq(got.service, "r.example:5000/x");
}

Test(oci_challenge, of_several_each_is_seen)
{
	struct oci_challenge got = READ("WWW-Authenticate: Negotiate, Basic realm=\"x\", "
					"Bearer realm=\"https://a/t\"",
		"WWW-Authenticate: Bearer realm=\"https://b/t\"");

	cr_assert(got.basic);
	cr_assert(got.bearer);
	cr_assert_str_eq(got.realm, "https://a/t");
	got = READ("WWW-Authenticate: Bearer realm=\"https://b/t\"", "WWW-Authenticate: Basic");
	cr_assert(got.basic && got.bearer);
	cr_assert_str_eq(got.realm, "https://b/t");
}

Test(oci_challenge, rubbish_is_none)
{
	static const char *const lines[] = {"", "Bearer", "Bearer realm",
		"Bearer realm=", "Bearer realm=\"\"", "\"Bearer realm=x\"", "= , = \"",
		"Digest realm=\"x\"", "Bearer service=\"x\"", "{}", "Bearer=\"x\""};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char line[200];
		struct oci_challenge got;

		snprintf(line, sizeof(line), "WWW-Authenticate: %s", lines[i]);
		got = READ(line);
		cr_assert_not(got.bearer, "%s", line);
		cr_assert_not(got.basic, "%s", line);
	}
	cr_assert_not(READ("Content-Type: Basic").basic);
}

Test(oci_challenge, what_has_no_end_ends)
{
	struct oci_challenge got;
	char line[OCI_PARAMETER_MAX + 200];

	got = READ("WWW-Authenticate: Bearer realm=\"https://a/t");
	cr_assert_str_eq(got.realm, "https://a/t");
	snprintf(line, sizeof(line), "WWW-Authenticate: Bearer realm=\"");
	memset(line + strlen(line), 'x', OCI_PARAMETER_MAX);
	snprintf(line + strlen("WWW-Authenticate: Bearer realm=\"") + OCI_PARAMETER_MAX, 20,
		"\",service=\"s\"");
	got = READ(line);
	cr_assert_not(got.bearer);
}
