/* Which proxies lead where: by the configuration, and by the environment as curl reads it. */
#include "fetch/proxies.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/noproxy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

/* All of them, with a blank between; "direct" for none. Valid until the next call. */
static const char *in_turn(
	const char *text, const char *const *environment, const char *at, unsigned int turn)
{
	static char all[1024];
	CLEANUP(proxies_release) struct proxies is = {.count = 0};
	CLEANUP(uri_release) struct uri uri = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse(at, &uri, &err), 0, "%s", err.msg);
	cr_assert_eq(proxies_for(text, environment, &uri, turn, &is, &err), 0, "%s", err.msg);
	all[0] = '\0';
	for (size_t i = 0; i < is.count; i++) {
		strcat(all, i ? " " : "");
		strcat(all, *is.items[i] ? is.items[i] : "direct");
	}
	return all;
}

static const char *proxies(const char *text, const char *const *environment, const char *at)
{
	return in_turn(text, environment, at, 0);
}

Test(proxies, of_a_group_share_the_load_and_groups_keep_their_order)
{
	const char *text = "http://a:1|http://b:2|http://c:3;http://d:4|direct";

	cr_assert_str_eq(in_turn(text, NULL, "http://h/", 1),
		"http://b:2 http://c:3 http://a:1 direct http://d:4");
	cr_assert_str_eq(in_turn(text, NULL, "http://h/", 5),
		"http://c:3 http://a:1 http://b:2 direct http://d:4");
}

Test(proxies, are_tried_group_by_group)
{
	cr_assert_str_eq(proxies("http://a:1|http://b:2;direct", NULL, "http://h/"),
		"http://a:1 http://b:2 direct");
	cr_assert_str_eq(proxies("http://a:1", NULL, "file:///f"), "direct");
	cr_assert_str_eq(proxies("direct", NULL, "http://h/"), "direct");
}

Test(proxies, of_the_environment_are_those_of_the_scheme)
{
	static const char *const environment[] = {"http_proxy=http://p:1", "HTTPS_PROXY= q:2",
		"ftp_proxy= socks5h://r:3 ", "https_proxy=", "all_proxy=http://all:4", NULL};
	static const char *const upper[] = {"HTTP_PROXY=http://p:1", "ALL_PROXY=all", NULL};
	static const char *const empty[] = {"http_proxy=", "all_proxy=", NULL};

	cr_assert_str_eq(proxies(NULL, environment, "http://h/"), "http://p:1");
	cr_assert_str_eq(proxies(NULL, environment, "https://h/"), "http://q:2");
	cr_assert_str_eq(proxies(NULL, environment, "ftp://h/"), "socks5h://r:3");
	cr_assert_str_eq(proxies("environment", environment, "ftps://h/"), "http://all:4");
	cr_assert_str_eq(proxies(NULL, upper, "http://h/"), "http://all");
	cr_assert_str_eq(proxies(NULL, empty, "http://h/"), "direct");
	cr_assert_str_eq(proxies(NULL, NULL, "http://h/"), "direct");
	cr_assert_str_eq(proxies("http://a:1", environment, "http://h/"), "http://a:1");
}

Test(proxies, that_make_no_sense_are_named_and_not_repeated)
{
	static const char *const values[] = {"http_proxy=http://u:hunter2@",
		"http_proxy=::::", "http_proxy=http://u:hun ter2@x:1",
		"http_proxy=http://u:hunter2@x:99999", "http_proxy=ftp://u:hunter2@x:1",
		"all_proxy=hunter2/ x"};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const char *environment[] = {values[i], NULL};
		CLEANUP(proxies_release) struct proxies is = {.count = 0};
		CLEANUP(uri_release) struct uri uri = {0};
		struct err err = ERR_INIT;

		cr_assert_eq(uri_parse("http://h/", &uri, &err), 0);
		cr_expect_eq(proxies_for(NULL, environment, &uri, 0, &is, &err), -EINVAL, "%s",
			values[i]);
		cr_expect(strstr(err.msg, "environment has for http"), "%s", err.msg);
		cr_expect_null(strstr(err.msg, "hun"), "%s", err.msg);
	}
}

static bool exempt(const char *list, const char *at)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse(at, &uri, &err), 0, "%s", err.msg);
	return noproxy_covers(list, &uri);
}

Test(proxies, no_proxy_exempts_names_addresses_and_networks)
{
	static const struct {
		const char *list;
		const char *at;
		bool exempt;
	} cases[] = {
		{"", "http://h/", false},
		{" , ,", "http://h/", false},
		{"*", "http://h/", true},
		{"x, *", "http://[::1]/", true},
		{"example.org", "http://example.org/", true},
		{"Example.ORG", "http://a.example.org:81/", true},
		{".example.org", "http://example.org/", true},
		{"*.example.org", "http://a.example.org/", true},
		{"example.org.", "http://example.org/", true},
		{"example.org", "http://notexample.org/", false},
		{"example.org", "http://example.org.evil/", false},
		{".", "http://h/", false},
		{"a b\tc,h", "http://h/", true},
		{"example.org:81", "http://example.org:81/", true},
		{"example.org:81", "http://example.org/", false},
		{"example.org:80", "http://example.org/", true},
		{"example.org:443", "https://example.org/", true},
		{"10.1.2.3", "http://10.1.2.3/", true},
		{"10.1.2.3:80", "http://10.1.2.3/", true},
		{"2.3", "http://10.1.2.3/", false},
		{"10.0.0.0/8", "http://10.1.2.3/", true},
		{"10.1.2.0/23", "http://10.1.3.255/", true},
		{"10.1.2.0/23", "http://10.1.4.0/", false},
		{"10.1.2.3/32", "http://10.1.2.3/", true},
		{"0.0.0.0/0", "http://10.1.2.3/", true},
		{"10.0.0.0/33", "http://10.0.0.0/", false},
		{"10.0.0.0/", "http://10.0.0.0/", false},
		{"10.0.0.0/-1", "http://10.0.0.0/", false},
		{"10.0.0.0/8x", "http://10.0.0.0/", false},
		{"10.0.0.0/8", "http://ten.example.org/", false},
		{"::1", "http://[::1]/", true},
		{"[::1]", "http://[::1]/", true},
		{"[::1]:81", "http://[::1]:81/", true},
		{"[::1]:81", "http://[::1]/", false},
		{"fd00::/8", "http://[fd12:3::4]/", true},
		{"fd00::/8", "http://[fe80::1]/", false},
		{"0.0.0.0/0", "http://[::1]/", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(exempt(cases[i].list, cases[i].at), cases[i].exempt, "'%s': %s",
			cases[i].list, cases[i].at);
	cr_assert_not(exempt(NULL, "http://h/"));
}
