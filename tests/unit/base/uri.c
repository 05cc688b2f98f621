#include "base/uri.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX_ABD "aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX_MD5 "900150983cd24fb0d6963f7d28e17f72"

static struct uri parsed(const char *text)
{
	struct err err = ERR_INIT;
	struct uri uri = {0};

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s: %s", text, err.msg);
	return uri;
}

static void check_canonical(const char *text, const char *expected)
{
	CLEANUP(uri_release) struct uri uri = parsed(text);
	CLEANUP(uri_release) struct uri again = parsed(uri.text);

	cr_assert_str_eq(uri.text, expected, "%s gave %s", text, uri.text);
	cr_assert_str_eq(again.text, expected, "%s is not stable: %s", expected, again.text);
}

static void check_refused(const char *text, int code)
{
	struct err err = ERR_INIT;
	struct uri uri = {0};

	cr_assert_eq(uri_parse(text, &uri, &err), -code, "%s: %s", text, uri.text);
	cr_assert(err.msg[0]);
	cr_assert_null(uri.text);
}

Test(uri, a_copy_is_equal_and_its_own)
{
	struct uri uri = {.text = NULL};
	struct uri copy = {.text = NULL};

	cr_assert_eq(uri_parse("https://u:p@h:8/a/b?q", &uri, NULL), 0);
	cr_assert_eq(uri_copy(&uri, &copy, NULL), 0);
	uri_release(&uri);
	cr_assert_str_eq(copy.text, "https://h:8/a/b?q");
	cr_assert_str_eq(copy.scheme, "https");
	cr_assert_str_eq(copy.host, "h");
	cr_assert_str_eq(copy.port, "8");
	cr_assert_str_eq(copy.path, "/a/b");
	cr_assert_str_eq(copy.query, "q");
	cr_assert_str_eq(copy.user, "u");
	cr_assert_str_eq(copy.password, "p");
	uri_release(&copy);
}

Test(uri, scheme_and_host_are_lower_case)
{
	check_canonical("HTTPS://Example.ORG/Dist/A", "https://example.org/Dist/A");
	check_canonical("FILE:///A", "file:///A");
	check_canonical("S3://Bucket/Key", "s3://bucket/Key");
}

Test(uri, default_ports_are_dropped)
{
	check_canonical("http://h:80/a", "http://h/a");
	check_canonical("https://h:443/a", "https://h/a");
	check_canonical("ftp://h:21/a", "ftp://h/a");
	check_canonical("ftps://h:990/a", "ftps://h/a");
	check_canonical("http://h:443/a", "http://h:443/a");
	check_canonical("http://h:0080/a", "http://h/a");
	check_canonical("http://h:/a", "http://h/a");
	check_canonical("xyz://h:8020/a", "xyz://h:8020/a");
}

Test(uri, dot_segments_are_removed)
{
	check_canonical("http://h/a/./b/../c", "http://h/a/c");
	check_canonical("http://h/../../a", "http://h/a");
	check_canonical("http://h/a/%2e%2e/b", "http://h/b");
	check_canonical("http://h/a/%2E%2e%2Fb", "http://h/a/..%2Fb");
	check_canonical("http://h/a/b/..", "http://h/a/");
	check_canonical("http://h/a/.", "http://h/a/");
	check_canonical("http://h/..", "http://h/");
	check_canonical("http://h/a//../b", "http://h/a/b");
	check_canonical("http://h/...a/..b/.c", "http://h/...a/..b/.c");
	check_canonical("foo://h/a/../b", "foo://h/b");
	check_canonical("file:///a/../../etc", "file:///etc");
	check_canonical("http://h/a?x=/../y", "http://h/a?x=/../y");
}

Test(uri, an_empty_path_is_a_slash)
{
	check_canonical("http://h", "http://h/");
	check_canonical("http://h?q", "http://h/?q");
	check_canonical("http://h#f", "http://h/");
	check_canonical("oci://registry", "oci://registry/");
	check_canonical("file://", "file:///");
}

Test(uri, forbidden_bytes_are_percent_encoded)
{
	check_canonical("http://h/a b", "http://h/a%20b");
	check_canonical("http://h/gr\xc3\xbc\xc3\x9f", "http://h/gr%C3%BC%C3%9F");
	check_canonical("http://h/a?q=x y|z", "http://h/a?q=x%20y%7Cz");
	check_canonical("http://h/\"<>[]^`{|}\\", "http://h/%22%3C%3E%5B%5D%5E%60%7B%7C%7D%5C");
	check_canonical("http://h/100%", "http://h/100%25");
	check_canonical("http://h/%%41%4", "http://h/%25A%254");
}

Test(uri, escapes_have_one_spelling)
{
	check_canonical("http://h/%7euser/%41%2d%5f", "http://h/~user/A-_");
	check_canonical("http://h/a%2fb%3f%c3", "http://h/a%2Fb%3F%C3");
	check_canonical("http://h/a+b%2Bc;d=e,f:g@h!$&'()*", "http://h/a+b%2Bc;d=e,f:g@h!$&'()*");
}

Test(uri, an_empty_query_is_kept)
{
	CLEANUP(uri_release) struct uri uri = parsed("http://h/a?");

	cr_assert_str_eq(uri.text, "http://h/a?");
	cr_assert_str_eq(uri.query, "");
	cr_assert_str_eq(uri.path, "/a");
	check_canonical("http://h/a??b?", "http://h/a??b?");
}

Test(uri, userinfo_is_taken_off_and_decoded)
{
	CLEANUP(uri_release) struct uri uri = parsed("ftp://us%40er:p%3aw%2F@h:2121/a");
	CLEANUP(uri_release) struct uri empty = parsed("http://@h/a");

	cr_assert_str_eq(uri.text, "ftp://h:2121/a");
	cr_assert_str_eq(uri.user, "us@er");
	cr_assert_str_eq(uri.password, "p:w/");
	cr_assert_str_eq(uri.port, "2121");
	cr_assert_null(empty.user);
	check_refused("http://us%00er@h/", EINVAL);
	check_refused("http://us%0aer@h/", EINVAL);
}

Test(uri, addresses_have_one_spelling)
{
	check_canonical("http://[2001:DB8:0::1]:8080/a", "http://[2001:db8::1]:8080/a");
	check_canonical("http://[::1]", "http://[::1]/");
	check_canonical("http://2130706433/", "http://127.0.0.1/");
	check_canonical("http://0x7f.1/", "http://127.0.0.1/");
	check_refused("http://[::1/", EINVAL);
	check_refused("http://[zz::1]/", EINVAL);
	check_refused("http://[fe80::1%25eth0]/", EINVAL);
}

Test(uri, a_file_is_on_this_host)
{
	CLEANUP(uri_release) struct uri uri = parsed("file://LOCALHOST/a");

	cr_assert_str_eq(uri.text, "file:///a");
	cr_assert_str_eq(uri.host, "");
	check_canonical("file:///a", "file:///a");
	check_refused("file://other/a", EINVAL);
	check_refused("file://localhost:80/a", EINVAL);
}

Test(uri, nonsense_is_refused)
{
	check_refused("", EINVAL);
	check_refused("/a/b", EINVAL);
	check_refused("h/a", EINVAL);
	check_refused("http:/h/a", EINVAL);
	check_refused("http:h", EINVAL);
	check_refused("1http://h/", EINVAL);
	check_refused("http://", EINVAL);
	check_refused("http:///a", EINVAL);
	check_refused("http://:80/a", EINVAL);
	check_refused("http://user@/a", EINVAL);
	check_refused("http://h:99999/", EINVAL);
	check_refused("http://h:8o/", EINVAL);
	check_refused("http://h\\@evil/", EINVAL);
	check_refused("http://h h/", EINVAL);
	check_refused("http://b\xc3\xbc.de/", EINVAL);
	check_refused("http://a%2fb/", EINVAL);
	check_refused("http://a%00b/", EINVAL);
	check_refused("http://h/a\nb", EINVAL);
	check_refused("http://h/a\x7f", EINVAL);
	check_refused("http://h/a#\t", EINVAL);
}

Test(uri, an_overlong_uri_is_refused)
{
	static char text[URI_MAX + 2];

	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "http://h/", 9);
	check_refused(text, ENAMETOOLONG);

	text[URI_MAX] = '\0';
	check_canonical(text, text);

	text[URI_MAX - 1] = ' '; /* becomes %20 */
	check_refused(text, ENAMETOOLONG);
}

Test(uri, a_fragment_may_be_a_digest)
{
	CLEANUP(uri_release) struct uri pip = parsed("https://h/x.whl#sha256=" HEX_ABC);
	CLEANUP(uri_release) struct uri colon = parsed("https://h/x#sha256:" HEX_ABC);
	CLEANUP(uri_release) struct uri among = parsed("https://h/x#egg=x&sha256=" HEX_ABC);
	CLEANUP(uri_release) struct uri other = parsed("https://h/x#top");
	CLEANUP(uri_release) struct uri long_one = parsed("https://h/x#sha512=" HEX_ABC HEX_ABC);
	CLEANUP(uri_release) struct uri old = parsed("https://h/x#md5=" HEX_MD5);
	CLEANUP(uri_release)
	struct uri several = parsed("https://h/x#sha256=" HEX_ABC "&md5=" HEX_MD5 "&sha384=00");
	char text[CHECKSUM_TEXT_SIZE];

	checksum_format(&pip.expected, text);
	cr_assert_str_eq(text, "sha256:" HEX_ABC);
	cr_assert(checksum_equal(&pip.expected, &among.expected));
	cr_assert(checksum_equal(&pip.expected, &colon.expected));
	cr_assert(checksum_equal(&pip.expected, &several.expected), "the best counts");
	cr_assert_eq(other.expected.kind, CHECKSUM_NONE);
	checksum_format(&long_one.expected, text);
	cr_assert_str_eq(text, "sha512:" HEX_ABC HEX_ABC);
	checksum_format(&old.expected, text);
	cr_assert_str_eq(text, "md5:" HEX_MD5);
	cr_assert_str_eq(pip.text, "https://h/x.whl");
	cr_assert_str_eq(other.text, "https://h/x");
	check_refused("https://h/x#sha256=abc", EINVAL);
	check_refused("https://h/x#sha256=" HEX_ABC "00", EINVAL);
	check_refused("https://h/x#sha256:", EINVAL);
	check_refused("https://h/x#sha512=" HEX_ABC, EINVAL);
	check_refused("https://h/x#sha256=" HEX_ABC "&md5=0", EINVAL);
	check_refused("https://h/x#sha256=" HEX_ABC "&sha256=" HEX_ABD, EINVAL);
	check_refused("https://h/x#sha384=" HEX_ABC, EINVAL);
	check_refused("https://h/x#egg=x&blake2b=00", EINVAL);
}

Test(uri, references_resolve_as_rfc_3986_says)
{
	static const struct {
		const char *reference;
		const char *expected;
	} cases[] = {
		{"g", "http://a/b/c/g"},
		{"./g/", "http://a/b/c/g/"},
		{"/g", "http://a/g"},
		{"//g", "http://g/"},
		{"?y", "http://a/b/c/d;p?y"},
		{"g?y#s", "http://a/b/c/g?y"},
		{"#s", "http://a/b/c/d;p?q"},
		{"", "http://a/b/c/d;p?q"},
		{"..", "http://a/b/"},
		{"../../../g", "http://a/g"},
		{"g/../h", "http://a/b/c/h"},
		{"https://x:443/y", "https://x/y"},
		{"/with space", "http://a/with%20space"},
	};
	CLEANUP(uri_release) struct uri base = parsed("http://a/b/c/d;p?q");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(uri_release) struct uri uri = {0};
		struct err err = ERR_INIT;

		cr_assert_eq(uri_resolve(&base, cases[i].reference, &uri, &err), 0, "%s: %s",
			cases[i].reference, err.msg);
		cr_assert_str_eq(uri.text, cases[i].expected);
	}
}

Test(uri, a_password_stays_with_its_origin)
{
	CLEANUP(uri_release) struct uri base = parsed("http://u:p@h/a");
	CLEANUP(uri_release) struct uri here = {0};
	CLEANUP(uri_release) struct uri elsewhere = {0};
	CLEANUP(uri_release) struct uri other_port = {0};

	cr_assert_eq(uri_resolve(&base, "b", &here, NULL), 0);
	cr_assert_eq(uri_resolve(&base, "//i/b", &elsewhere, NULL), 0);
	cr_assert_eq(uri_resolve(&base, "http://h:81/b", &other_port, NULL), 0);
	cr_assert_str_eq(here.user, "u");
	cr_assert_str_eq(here.password, "p");
	cr_assert_null(elsewhere.user);
	cr_assert_null(other_port.password);
}

/* A small generator of our own, so that a failure can be repeated: Marsaglia's xorshift64. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Pieces that mean something to a parser, and single bytes, in any order. */
static void random_text(uint64_t *state, char *buf, size_t size)
{
	static const char *const pieces[] = {"http", "file", "s3", "://", ":/", "/", "//", "?", "#",
		"@", ":", "[::1]", "[", "]", "%", "%2e", "%2F", "%00", "%zz", "..", ".", " ", "\\",
		"h", "H.x", "80", "127.1", "sha256=", "&", "\xc3\xbc", "\x01"};
	size_t len = 0;
	uint64_t count = next_random(state) % 12;

	if (next_random(state) % 4 != 0) /* most begin well, to get beyond the first check */
		len = (size_t)snprintf(
			buf, size, "%s://", next_random(state) % 4 ? "http" : "file");
	while (count-- > 0 && len + 12 < size) {
		uint64_t pick = next_random(state) % (ARRAY_SIZE(pieces) + 8);

		if (pick < ARRAY_SIZE(pieces))
			len += (size_t)snprintf(buf + len, size - len, "%s", pieces[pick]);
		else
			buf[len++] = (char)(next_random(state) % 255 + 1);
	}
	buf[len] = '\0';
}

static void check_round_trips(const struct uri *uri)
{
	CLEANUP(str_freep) char *name = NULL;
	CLEANUP(str_freep) char *tree = NULL;
	CLEANUP(uri_release) struct uri from_name = {0};
	CLEANUP(uri_release) struct uri from_tree = {0};

	if (uri_to_name(uri, &name, NULL) == 0) {
		cr_assert_eq(uri_from_name(name, &from_name, NULL), 0, "%s", name);
		cr_assert_str_eq(from_name.text, uri->text);
	}
	if (uri_to_tree(uri, &tree, NULL) == 0) {
		cr_assert_eq(uri_from_tree(tree, &from_tree, NULL), 0, "%s", tree);
		cr_assert_str_eq(from_tree.text, uri->text);
	}
}

Test(uri, any_bytes_are_refused_or_have_one_canonical_form)
{
	uint64_t state = 88172645463325252;
	unsigned int accepted = 0;
	char text[256];

	for (int i = 0; i < 50000; i++) {
		CLEANUP(uri_release) struct uri uri = {0};
		CLEANUP(uri_release) struct uri again = {0};

		random_text(&state, text, sizeof(text));
		if (uri_parse(text, &uri, NULL) < 0)
			continue;
		accepted++;
		cr_assert_eq(
			uri_parse(uri.text, &again, NULL), 0, "'%s' from '%s'", uri.text, text);
		cr_assert_str_eq(again.text, uri.text, "from '%s'", text);
		cr_assert_eq(uri.path[0], '/');
		check_round_trips(&uri);
	}
	cr_assert_gt(accepted, 2000, "only %u were URIs: the generator is too wild", accepted);
}

Test(uri, a_prefix_covers_what_lies_below_it)
{
	cr_assert(uri_is_below("http://h/a", "http://h/a"));
	cr_assert(uri_is_below("http://h/a", "http://h/a/b"));
	cr_assert(uri_is_below("http://h/a", "http://h/a?b"));
	cr_assert(uri_is_below("http://h/", "http://h/a"));
	cr_assert_not(uri_is_below("http://h/a", "http://h/ab"));
	cr_assert_not(uri_is_below("http://h/a/", "http://h/a"));
	cr_assert_not(uri_is_below("http://h/", "http://h:81/"));
	cr_assert_not(uri_is_below("http://h/a", "http://h/"));
	cr_assert_not(uri_is_below("", "http://h/"));
}

Test(uri, no_spelling_climbs_out_of_a_prefix)
{
	cr_assert_not(uri_is_below("http://h/a/", "http://h/a/..%2Fb"));
	cr_assert_not(uri_is_below("http://h/a/", "http://h/a/x%2F..%2F..%2Fb"));
	cr_assert_not(uri_is_below("http://h/a/", "http://h/a/..%5Cb"));
	cr_assert(uri_is_below("http://h/a/", "http://h/a/b?c=..%2Fd"));
	cr_assert(uri_is_below("http://h/a/", "http://h/a/b%2Fd"));
}

Test(uri, s3_has_one_spelling_of_each_key)
{
	check_canonical("s3a://bucket/k", "s3://bucket/k");
	check_canonical("S3N://Bucket/k", "s3://bucket/k");
	check_canonical("s3://bucket", "s3://bucket/");
	check_canonical("s3://b/a%2Fb", "s3://b/a/b");
	check_canonical("s3://b/a%2bb+c%3A%40%21", "s3://b/a+b+c:@!");
	check_canonical("s3://b/a%3fb%23c%25d e", "s3://b/a%3Fb%23c%25d%20e");
	check_canonical("s3://b/a%2F..%2F..%2Fc", "s3://b/c");
	check_canonical("s3://b/a//b", "s3://b/a//b");
	check_canonical("s3://b/%00", "s3://b/%00");
	check_canonical("s3://b/a?versionId=x%2By", "s3://b/a?versionId=x%2By");
	check_canonical("http://b/a%2Fb", "http://b/a%2Fb");
}

Test(uri, a_bucket_is_no_address)
{
	check_canonical("s3://2130706433/a", "s3://2130706433/a");
	check_canonical("s3://127.1/a", "s3://127.1/a");
	check_canonical("s3://a_b.c-d/a", "s3://a_b.c-d/a");
	check_canonical("s3://id:se%2Fcret@b/a", "s3://b/a");
	check_refused("s3://b:80/a", EINVAL);
	check_refused("s3://b:/a", EINVAL);
	check_refused("s3:///a", EINVAL);
	check_refused("s3://@/a", EINVAL);
	check_refused("s3://a%2Fb/a", EINVAL);
	check_refused("s3://[::1]:80/a", EINVAL);
}

Test(uri, any_bytes_are_escaped)
{
	CLEANUP(str_freep) char *is = uri_escape("%41/=+\xc3\xa4 ", "");

	cr_assert_str_eq(is, "%2541%2F%3D%2B%C3%A4%20");
}
