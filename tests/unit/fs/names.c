/* Names in the mount, and what they stand for. */
#include "fs/names.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static char *uri_of(const char *name)
{
	struct wanted wanted = {0};

	return names_from_uri(name, &wanted, NULL) == 0 ? wanted.uri : NULL;
}

static char *folder_of(const char *path)
{
	char *folder = NULL;

	return names_folder(path, &folder, NULL) == 0 ? folder : NULL;
}

Test(names, only_a_dot_and_a_short_word_is_a_suffix)
{
	cr_assert(names_has_suffix("x.tar.gz"));
	cr_assert(names_has_suffix("x.h"));
	cr_assert(names_has_suffix("x.a1234567"));
	cr_assert(names_has_suffix("x?y"));
	cr_assert_not(names_has_suffix("x"));
	cr_assert_not(names_has_suffix("v1.2"));
	cr_assert_not(names_has_suffix("x."));
	cr_assert_not(names_has_suffix("x.a12345678"));
	cr_assert_not(names_has_suffix("x.y-z"));
	cr_assert_not(names_has_suffix("x.\xc3\xa4"));
}

Test(names, schemes_and_hosts_are_always_folders)
{
	cr_assert(names_is_origin("https"));
	cr_assert(names_is_origin("https/example.org"));
	cr_assert_not(names_is_origin("https/example.org/x"));
	cr_assert(names_is_origin("file"));
	cr_assert_not(names_is_origin("file/etc"));
}

Test(names, folders_are_prefixes_of_uris)
{
	CLEANUP(str_freep) char *scheme = folder_of("https");
	CLEANUP(str_freep) char *file = folder_of("file");
	CLEANUP(str_freep) char *host = folder_of("https/Example.org");
	CLEANUP(str_freep) char *deep = folder_of("https/example.org/a/b");

	cr_assert_str_eq(scheme, "https://");
	cr_assert_str_eq(file, "file:///");
	cr_assert_str_eq(host, "https://example.org/");
	cr_assert_str_eq(deep, "https://example.org/a/b/");
}

Test(names, userinfo_is_handed_on)
{
	CLEANUP(str_freep) char *both = uri_of("https:%2F%2Fme:p%2540w%2F@example.org%2Fx");
	CLEANUP(str_freep) char *user = uri_of("ftp:%2F%2Fme@example.org%2Fx");
	CLEANUP(str_freep) char *none = uri_of("https:%2F%2Fexample.org%2Fx?q=1");

	cr_assert_null(both); /* an unescaped '/' ends the authority: "p@w" is not a port */
	cr_assert_str_eq(user, "ftp://me@example.org/x");
	cr_assert_str_eq(none, "https://example.org/x?q=1");
	both = uri_of("https:%2F%2Fme:p%2540w@example.org%2Fx");
	cr_assert_str_eq(both, "https://me:p%40w@example.org/x");
}

Test(names, a_digest_in_the_fragment_is_asked_for)
{
	static const char hex[] =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	CLEANUP(str_freep)
	char *name = str_printf("https:%%2F%%2Fexample.org%%2Fx#sha256=%s", hex);
	CLEANUP(str_freep) char *digest = str_printf("sha256:%s", hex);
	CLEANUP(names_wanted_release) struct wanted wanted = {0};

	cr_assert_eq(names_from_uri(name, &wanted, NULL), 0);
	cr_assert_str_eq(wanted.uri, "https://example.org/x");
	cr_assert_str_eq(wanted.digest, digest);
}

Test(names, what_is_no_uri_is_refused)
{
	struct wanted wanted = {0};

	cr_assert_eq(names_from_uri("nonsense", &wanted, NULL), -EINVAL);
	cr_assert_eq(names_from_uri("", &wanted, NULL), -EINVAL);
	cr_assert_null(wanted.uri);
}
