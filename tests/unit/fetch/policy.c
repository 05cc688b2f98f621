#include "fetch/policy.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWNER = 0, USER = 1000 };

static const uint8_t secret[DIGEST_SIZE] = {1, 2, 3};

static char *roots[] = {(char[]){"/srv/pub"}};

/* A list of one, as config_load() would make it; lives as long as the test's process. */
static struct config_list list_of(const char *prefix)
{
	static char *items[16];
	static size_t used;

	if (!prefix)
		return (struct config_list){0};
	cr_assert_lt(used, ARRAY_SIZE(items));
	items[used] = (char *)(uintptr_t)prefix; /* nobody writes to it */
	return (struct config_list){&items[used++], 1};
}

static struct config config_of(const char *allow, const char *deny)
{
	return (struct config){
		.allow = list_of(allow), .deny = list_of(deny), .file_roots = {roots, 1}};
}

static int decide(const struct config *config, const char *text, uid_t uid, bool through_mount,
	struct decision *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};

	cr_assert_eq(uri_parse(text, &uri, err), 0, "%s", text);
	return policy_decide(config, &uri, uid, OWNER, through_mount, secret, ret, err);
}

static bool may(const struct config *config, const char *text, uid_t uid)
{
	struct decision decision;
	struct err err = ERR_INIT;
	int r = decide(config, text, uid, true, &decision, &err);

	cr_assert(r == 0 || (r == -EACCES && err.kind == ERR_POLICY), "%s", text);
	return r == 0;
}

/* Whether @text, decided for @uid, may lead to @address. */
static bool may_lead(const struct config *config, const char *text, uid_t uid, const char *address)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	const struct sockaddr *target = (const struct sockaddr *)&in4;
	struct decision decision;

	cr_assert_eq(uri_parse(text, &uri, NULL), 0);
	cr_assert_eq(decide(config, text, uid, true, &decision, NULL), 0, "%s", text);
	if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
		target = (const struct sockaddr *)&in6;
	else
		cr_assert_eq(inet_pton(AF_INET, address, &in4.sin_addr), 1, "%s", address);
	return decision.guard.address(&decision.guard, &uri, target, NULL) == 0;
}

Test(policy, a_plain_uri_is_public)
{
	struct config config = config_of(NULL, NULL);
	struct decision decision;

	cr_assert_eq(decide(&config, "https://h/a", USER, true, &decision, NULL), 0);
	cr_assert_str_eq(decision.scope, "");
}

Test(policy, a_query_belongs_to_who_asks)
{
	struct config config = config_of(NULL, NULL);
	struct decision decision;

	cr_assert_eq(decide(&config, "https://h/a?token=1", USER, true, &decision, NULL), 0);
	cr_assert_str_eq(decision.scope, "uid:1000");
	cr_assert(policy_may_see(&config, decision.scope, USER, OWNER));
	cr_assert(policy_may_see(&config, decision.scope, 0, OWNER));
	cr_assert_not(policy_may_see(&config, decision.scope, 100, OWNER));
	cr_assert(policy_may_see(&config, "", 100, OWNER));
}

Test(policy, credentials_have_a_scope_that_hides_them)
{
	struct config config = config_of(NULL, NULL);
	struct decision one, same, other, shifted;

	cr_assert_eq(decide(&config, "https://u:p@h/a", USER, true, &one, NULL), 0);
	cr_assert_eq(decide(&config, "https://u:p@h/b?q", 7, true, &same, NULL), 0);
	cr_assert_eq(decide(&config, "https://u:q@h/a", USER, true, &other, NULL), 0);
	cr_assert_eq(decide(&config, "https://up@h/a", USER, true, &shifted, NULL), 0);
	cr_assert_eq(strlen(one.scope), strlen("user:") + 64);
	cr_assert(str_has_prefix(one.scope, "user:"));
	cr_assert_str_eq(one.scope, same.scope);
	cr_assert_str_neq(one.scope, other.scope);
	cr_assert_str_neq(one.scope, shifted.scope);
	cr_assert_not(policy_may_see(&config, one.scope, USER, OWNER));
}

Test(policy, users_have_the_open_schemes_only)
{
	struct config config = config_of("s3://bucket/pub", NULL);

	cr_assert(may(&config, "ftps://h/a", USER));
	cr_assert_not(may(&config, "s3://bucket/key", USER));
	cr_assert_not(may(&config, "hdfs://nn1/key", USER));
	cr_assert(may(&config, "s3://bucket/pub/key", USER));
	cr_assert(may(&config, "s3://bucket/key", OWNER));
}

Test(policy, a_prefix_ends_between_segments)
{
	struct config config = config_of(NULL, "http://h/dist");

	cr_assert_not(may(&config, "http://h/dist", USER));
	cr_assert_not(may(&config, "http://h/dist/a", USER));
	cr_assert_not(may(&config, "http://h/dist?a", USER));
	cr_assert(may(&config, "http://h/dist2", USER));
	cr_assert(may(&config, "http://h:8080/dist", USER));
	cr_assert(may(&config, "https://h/dist", USER));
	cr_assert(may(&config, "http://h.evil/dist", USER));
}

Test(policy, a_denied_place_has_no_other_spelling)
{
	struct config config = config_of(NULL, "http://h/a+b/secret");

	cr_assert_not(may(&config, "http://h/a%2Bb/secret/x", USER));
	cr_assert_not(may(&config, "http://h/a+b%2Fsecret", USER));
	cr_assert_not(may(&config, "http://h//a+b///secret", USER));
	cr_assert_not(may(&config, "http://h/a+b/secret%2Fx", OWNER));
	cr_assert(may(&config, "http://h/a+b/secrets", USER));
}

Test(policy, an_allowed_place_has_no_other_spelling_either)
{
	struct config config = config_of("http://10.0.0.1/pub/", NULL);

	cr_assert(may(&config, "http://10.0.0.1/pub/x", USER));
	cr_assert_not(may(&config, "http://10.0.0.1/pub%2F..%2Fx", USER));
	cr_assert_not(may(&config, "http://10.0.0.1/pub", USER));
}

Test(policy, the_longest_prefix_wins_and_deny_before_allow)
{
	struct config inside = config_of("http://h/a/b", "http://h/a");
	struct config outside = config_of("http://h/", "http://h/a");
	struct config both = config_of("http://h/a", "http://h/a");

	cr_assert(may(&inside, "http://h/a/b/c", USER));
	cr_assert_not(may(&inside, "http://h/a/c", USER));
	cr_assert_not(may(&outside, "http://h/a/c", OWNER));
	cr_assert_not(may(&both, "http://h/a", OWNER));
}

Test(policy, files_through_the_mount_lie_below_the_roots)
{
	struct config config = config_of(NULL, NULL);
	struct decision decision;

	cr_assert(may(&config, "file:///srv/pub/a", USER));
	cr_assert(may(&config, "file:///srv/%70ub", USER));
	cr_assert_not(may(&config, "file:///srv/public", USER));
	cr_assert_not(may(&config, "file:///srv/pub/../etc/passwd", USER));
	cr_assert_not(may(&config, "file:///srv/pub/%2e%2e/etc", USER));
	cr_assert_not(may(&config, "file:///etc/passwd", OWNER));
	cr_assert_eq(decide(&config, "file:///srv/pub%2F..%2Fetc", OWNER, true, &decision, NULL),
		-EINVAL);
	cr_assert_eq(decide(&config, "file:///etc/passwd", OWNER, false, &decision, NULL), 0);
	cr_assert_not(decision.as_user);
}

/* Where a root leads is asked of what was opened only: before that no file system is. */
Test(policy, a_root_may_be_a_link)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *folder = realpath(dir, NULL);
	CLEANUP(str_freep) char *link = NULL;
	CLEANUP(str_freep) char *asked = NULL;
	CLEANUP(str_freep) char *found = NULL;
	CLEANUP(uri_release) struct uri uri = {0};
	struct config config = config_of(NULL, NULL);
	struct decision decision;

	link = str_printf("%s/link", folder);
	asked = str_printf("file://%s/a", link);
	found = str_printf("file://%s/a", folder);
	cr_assert_eq(symlink(folder, link), 0);
	config.file_roots = list_of(link);

	cr_assert_eq(decide(&config, asked, USER, true, &decision, NULL), 0);
	cr_assert_eq(uri_parse(found, &uri, NULL), 0);
	cr_assert_eq(decision.guard.uri(&decision.guard, &uri, NULL), 0);
	cr_assert_not(may(&config, found, USER));
	cr_assert_eq(unlink(link), 0);
	cr_assert_eq(decision.guard.uri(&decision.guard, &uri, NULL), -EACCES);
}

Test(policy, files_are_opened_with_the_rights_of_whom_root_asks_for_and_lie_anywhere)
{
	struct config config = config_of(NULL, NULL);
	struct config denying = config_of(NULL, "file:///etc");
	struct decision decision;

	cr_assert_eq(decide(&config, "file:///etc/passwd", USER, false, &decision, NULL), 0);
	cr_assert(decision.as_user);
	cr_assert_eq(decide(&denying, "file:///etc/passwd", USER, false, &decision, NULL), -EACCES);
	cr_assert_eq(decide(&config, "file:///srv/pub/a", USER, true, &decision, NULL), 0);
	cr_assert_not(decision.as_user, "whoever comes by a mount may have given up rights");
}

Test(policy, users_reach_public_addresses_only)
{
	static const char *const closed[] = {"127.0.0.1", "0.1.2.3", "10.1.2.3", "100.64.0.1",
		"100.127.255.255", "169.254.1.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"198.19.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
		"::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1",
		"2002:a00:1::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "ff02::1"};
	static const char *const open[] = {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.128.0.1", "172.15.0.1", "172.32.0.1", "223.255.255.255", "::ffff:1.1.1.1",
		"64:ff9b::1.1.1.1", "2606:4700::1111", "2002:101:101::1"};
	struct config config = config_of(NULL, NULL);
	struct config private = {.private_allowed = true};

	for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
		cr_assert_not(may_lead(&config, "http://h/", USER, closed[i]), "%s", closed[i]);
		cr_assert(may_lead(&config, "http://h/", OWNER, closed[i]), "%s", closed[i]);
		cr_assert(may_lead(&private, "http://h/", USER, closed[i]), "%s", closed[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		cr_assert(may_lead(&config, "http://h/", USER, open[i]), "%s", open[i]);
}

Test(policy, an_allowed_prefix_opens_private_addresses_for_itself)
{
	struct config config = config_of("http://intern/", NULL);

	cr_assert(may_lead(&config, "http://intern/a", USER, "10.0.0.1"));
	cr_assert_not(may_lead(&config, "http://other/a", USER, "10.0.0.1"));
}

Test(policy, private_literals_are_refused_before_any_request)
{
	struct config config = config_of(NULL, NULL);

	cr_assert_not(may(&config, "http://127.0.0.1:8080/a", USER));
	cr_assert_not(may(&config, "http://2130706433/a", USER));
	cr_assert_not(may(&config, "http://[::1]/a", USER));
	cr_assert_not(may(&config, "http://localhost/a", USER));
	cr_assert_not(may(&config, "http://x.localhost/a", USER));
	cr_assert(may(&config, "http://127.0.0.1:8080/a", OWNER));
}

Test(policy, metadata_addresses_must_be_named_exactly)
{
	struct config config = config_of(NULL, NULL);
	struct config private = {.private_allowed = true};
	struct config named = config_of("http://169.254.169.254/latest/", NULL);
	struct config alias;

	cr_assert_not(may_lead(&config, "http://h/", OWNER, "169.254.169.254"));
	cr_assert_not(may_lead(&config, "http://h/", OWNER, "::ffff:169.254.169.254"));
	cr_assert_not(may_lead(&config, "http://h/", OWNER, "169.254.170.2"));
	cr_assert_not(may_lead(&config, "http://h/", OWNER, "169.254.170.23"));
	cr_assert_not(may_lead(&config, "http://h/", OWNER, "fd00:ec2::254"));
	cr_assert_not(may_lead(&config, "http://h/", OWNER, "fd00:ec2::23"));
	cr_assert_not(may_lead(&config, "http://h/", OWNER, "fd00:ec2::254"));
	cr_assert_not(may_lead(&private, "http://h/", USER, "169.254.169.254"));
	cr_assert_not(may(&config, "http://169.254.169.254/latest/x", OWNER));
	cr_assert(may_lead(&named, "http://169.254.169.254/latest/x", OWNER, "169.254.169.254"));
	cr_assert_not(may(&named, "http://169.254.169.254/other", OWNER));
	cr_assert_not(may_lead(&named, "http://h/", OWNER, "169.254.169.254"));

	alias = config_of("http://h/", NULL);
	cr_assert_not(may_lead(&alias, "http://h/", OWNER, "169.254.169.254"));
}

Test(policy, a_refusal_names_the_line_and_nothing_else)
{
	struct config config = config_of(NULL, NULL);
	CLEANUP(uri_release) struct uri uri = {0};
	struct err early = ERR_INIT;
	struct err late = ERR_INIT;
	struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr = {htonl(0x0a000001)}};
	struct decision decision;

	cr_assert_lt(decide(&config, "http://10.0.0.1:81/a", USER, true, &decision, &early), 0);
	cr_assert_str_eq(
		early.msg, "forbidden by policy: add 'allow = http://10.0.0.1:81/' to [policy]");

	cr_assert_eq(decide(&config, "http://h/a", USER, true, &decision, NULL), 0);
	cr_assert_eq(uri_parse("http://h/a", &uri, NULL), 0);
	cr_assert_eq(decision.guard.address(
			     &decision.guard, &uri, (const struct sockaddr *)&target, &late),
		-EACCES);
	cr_assert_str_eq(late.msg, "forbidden by policy: add 'allow = http://h/' to [policy]");

	cr_assert_lt(decide(&config, "file:///etc/a", USER, true, &decision, &early), 0);
	cr_assert_str_eq(early.msg, "forbidden by policy: add 'file = /etc' to [policy]");
}

Test(policy, each_hop_is_judged)
{
	struct config config = config_of(NULL, "http://evil/");
	CLEANUP(uri_release) struct uri evil = {0};
	CLEANUP(uri_release) struct uri local = {0};
	CLEANUP(uri_release) struct uri file = {0};
	struct decision decision;

	cr_assert_eq(decide(&config, "http://h/a", USER, true, &decision, NULL), 0);
	cr_assert_eq(uri_parse("http://evil/a", &evil, NULL), 0);
	cr_assert_eq(uri_parse("http://localhost/a", &local, NULL), 0);
	cr_assert_eq(uri_parse("file:///etc/passwd", &file, NULL), 0);
	cr_assert_eq(decision.guard.uri(&decision.guard, &evil, NULL), -EACCES);
	cr_assert_eq(decision.guard.uri(&decision.guard, &local, NULL), -EACCES);
	cr_assert_eq(decision.guard.uri(&decision.guard, &file, NULL), -EACCES);
}
