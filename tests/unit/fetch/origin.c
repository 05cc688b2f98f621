/* What a section [origin "…"] means for policy, scopes and freshness. */
#include "fetch/freshness.h"
#include "fetch/members.h"
#include "fetch/policy.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

enum { OWNER = 500, USER = 1000, OTHER = 1001 };

static const uint8_t secret[DIGEST_SIZE] = {1, 2, 3};

static struct config loaded(const char *text)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = str_printf("%s/test.conf", dir);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(config_load(path, NULL, false, &config, &err), 0, "%s", err.msg);
	return config;
}

static int decide(const struct config *config, const char *text, uid_t uid, struct decision *ret,
	struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};

	cr_assert_eq(uri_parse(text, &uri, err), 0, "%s", text);
	return policy_decide(config, &uri, uid, OWNER, true, secret, ret, err);
}

static bool may(const struct config *config, const char *text, uid_t uid)
{
	struct decision decision;

	return decide(config, text, uid, &decision, NULL) == 0;
}

/* The scope of @text for @uid; valid until the second next call. */
static const char *scope(const struct config *config, const char *text, uid_t uid)
{
	static struct decision decisions[2];
	static unsigned int turn;
	struct decision *decision = &decisions[turn++ % 2];
	struct err err = ERR_INIT;

	cr_assert_eq(decide(config, text, uid, decision, &err), 0, "%s", err.msg);
	return decision->scope;
}

static bool may_go(const struct decision *decision, const char *text, const char *address)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct sockaddr_in in4 = {.sin_family = AF_INET};

	cr_assert_eq(uri_parse(text, &uri, NULL), 0);
	cr_assert_eq(inet_pton(AF_INET, address, &in4.sin_addr), 1);
	return decision->guard.uri(&decision->guard, &uri, NULL) == 0 &&
	       decision->guard.address(&decision->guard, &uri, (struct sockaddr *)&in4, NULL) == 0;
}

#define PRIVATE "[origin \"https://h/private/\"]\nbearer_file = /t\n"

Test(origin, credentials_serve_the_owner_only_unless_users_are_named)
{
	CLEANUP(config_release) struct config config = loaded(PRIVATE);
	struct decision decision;
	struct err err = ERR_INIT;

	cr_assert(may(&config, "https://h/private/a", OWNER));
	cr_assert(may(&config, "https://h/private/a", 0));
	cr_assert_eq(decide(&config, "https://h/private/a", USER, &decision, &err), -EACCES);
	cr_assert_str_eq(err.msg, "forbidden by policy: 'users = …' in [origin "
				  "\"https://h/private/\"] does not name uid 1000");
	cr_assert(may(&config, "https://h/public/a", USER));
	cr_assert(may(&config, "https://me@h/private/a", USER));
}

Test(origin, users_are_named_by_number_name_group_or_all_together)
{
	static const struct {
		const char *users;
		bool named; /* nobody, and not an unknown user */
	} cases[] = {{"65534", true}, {"nobody", true}, {"@nogroup", true}, {"x 65534", true},
		{"6553", false}, {"65534x", false}, {"@nobody", false}, {"@", false},
		{"daemon", false}, {"@daemon", false}, {"nobod", false}};
	struct passwd *nobody = getpwnam("nobody");
	CLEANUP(config_release) struct config all = loaded(PRIVATE "users = *\n");

	if (!nobody || nobody->pw_uid != 65534 || !getgrnam("nogroup") || getgrnam("nobody"))
		cr_skip("this system has other users");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_list users = {0};
		char *copy = strdup(cases[i].users);
		char *rest = copy;

		for (char *item; (item = strsep(&rest, " "));) {
			users.items =
				reallocarray(users.items, users.count + 1, sizeof(*users.items));
			users.items[users.count++] = item;
		}
		cr_assert_eq(
			members_has(NULL, &users, 65534), cases[i].named, "%s", cases[i].users);
		cr_assert_not(members_has(NULL, &users, 4000000001), "%s", cases[i].users);
		free(users.items);
		free(copy);
	}
	cr_assert(may(&all, "https://h/private/a", USER));
	cr_assert(may(&all, "https://h/private/a", 4000000001));
}

Test(origin, an_answer_about_users_is_kept_for_these_users)
{
	CLEANUP(config_release)
	struct config config =
		loaded(PRIVATE "users = 1000\n"
			       "[origin \"https://g/\"]\nnetrc = /n\nusers = 1001\n");

	for (int i = 0; i < 3; i++) {
		cr_assert(may(&config, "https://h/private/a", USER));
		cr_assert_not(may(&config, "https://h/private/a", OTHER));
		cr_assert(may(&config, "https://g/a", OTHER));
		cr_assert_not(may(&config, "https://g/a", USER));
	}
}

Test(origin, whom_the_credentials_serve_share_a_scope)
{
	CLEANUP(config_release) struct config config = loaded(PRIVATE "users = 1000, 1001\n");
	CLEANUP(config_release)
	struct config rotated =
		loaded("[origin \"https://h/private/\"]\nbearer = new\nusers = 1001 1000\n");
	CLEANUP(config_release) struct config fewer = loaded(PRIVATE "users = 1000\n");
	const char *uri = "https://h/private/a";
	char is[SCOPE_MAX];

	snprintf(is, sizeof(is), "%s", scope(&config, uri, USER));
	cr_assert(str_has_prefix(is, "origin:"));
	cr_assert_eq(strlen(is), strlen("origin:") + 32);
	cr_assert_str_eq(is, scope(&config, uri, OTHER));
	cr_assert_str_eq(is, scope(&config, uri, OWNER));
	cr_assert_str_eq(is, scope(&rotated, uri, OWNER));
	cr_assert_str_neq(is, scope(&fewer, uri, OWNER));
	cr_assert_str_eq(scope(&config, "https://h/public", USER), "");

	cr_assert(policy_may_see(&config, is, USER, OWNER));
	cr_assert(policy_may_see(&config, is, OWNER, OWNER));
	cr_assert(policy_may_see(&config, is, 0, OWNER));
	cr_assert_not(policy_may_see(&config, is, 1002, OWNER));
	cr_assert_not(policy_may_see(&fewer, is, USER, OWNER));
}

Test(origin, a_query_stays_the_users_own)
{
	CLEANUP(config_release) struct config config = loaded(PRIVATE "users = *\n");
	CLEANUP(config_release)
	struct config open = loaded(PRIVATE "users = *\npublic_query = yes\n"
					    "[origin \"https://g/\"]\npublic_query = yes\n");
	const char *uri = "https://h/private/a?q";
	struct decision decision;
	char mine[SCOPE_MAX];

	snprintf(mine, sizeof(mine), "%s", scope(&config, uri, USER));
	cr_assert(str_has_prefix(mine, scope(&config, "https://h/private/a", USER)));
	cr_assert(str_has_suffix(mine, ":1000"));
	cr_assert_str_neq(mine, scope(&config, uri, OTHER));
	cr_assert(policy_may_see(&config, mine, USER, OWNER));
	cr_assert_not(policy_may_see(&config, mine, OTHER, OWNER));

	cr_assert_str_eq(scope(&open, uri, USER), scope(&open, uri, OTHER));
	cr_assert_str_eq(scope(&open, "https://g/a?q", USER), "");
	cr_assert_eq(decide(&open, "https://g/a?q", USER, &decision, NULL), 0);
	cr_assert_not(decision.secret_query);
	cr_assert_eq(decide(&open, "https://f/a?q", USER, &decision, NULL), 0);
	cr_assert(decision.secret_query);
	cr_assert_str_eq(decision.scope, "uid:1000");
}

Test(origin, a_user_in_the_uri_has_a_scope_of_its_own)
{
	CLEANUP(config_release) struct config config = loaded(PRIVATE);
	struct decision decision;

	cr_assert_eq(decide(&config, "https://u:p@h/private/a", USER, &decision, NULL), 0);
	cr_assert(str_has_prefix(decision.scope, "user:"));
	cr_assert(decision.own_credentials);
	cr_assert_eq(decision.origin, &config.origins[0]);
}

Test(origin, the_scopes_of_a_user_are_listed)
{
	CLEANUP(config_release)
	struct config config = loaded(PRIVATE "users = 1000\n"
					      "[origin \"https://g/\"]\nnetrc = /n\nusers = 1001\n"
					      "[origin \"https://f/\"]\nttl = 1s\n");
	CLEANUP(str_freep) char *is = NULL;
	CLEANUP(str_freep)
	char *want = str_printf(
		"uid:1000 origin:%s origin:%s:1000", config.origins[0].id, config.origins[0].id);

	cr_assert_eq(policy_scopes(&config, USER, OWNER, &is, NULL), 0);
	cr_assert_str_eq(is, want);
}

Test(origin, a_section_opens_its_prefix_and_its_mirrors)
{
	CLEANUP(config_release)
	struct config config =
		loaded("[origin \"http://h.lan/a/\"]\nmirrors = http://m.lan/b/\n"
		       "[origin \"http://10.0.0.1/c/\"]\n[s3 \"s3://bucket/\"]\nanonymous = yes\n"
		       "[policy]\ndeny = http://h.lan/a/no/, http://m.lan/\n");
	struct decision below, beside;

	cr_assert_eq(decide(&config, "http://h.lan/a/x", USER, &below, NULL), 0);
	cr_assert_eq(decide(&config, "http://h.lan/x", USER, &beside, NULL), 0);
	cr_assert(may_go(&below, "http://h.lan/a/x", "10.1.1.1"));
	cr_assert_not(may_go(&below, "http://h.lan/x", "10.1.1.1"));
	cr_assert(may_go(&below, "http://m.lan/b/x", "10.1.1.1"));
	cr_assert_not(may_go(&below, "http://m.lan/x", "10.1.1.1"));
	cr_assert_not(may_go(&beside, "http://m.lan/b/x", "10.1.1.1"));
	cr_assert(may_go(&beside, "http://10.0.0.1/c/x", "10.0.0.1"));
	cr_assert_not(may_go(&below, "http://h.lan/a/x", "169.254.169.254"));
	cr_assert_not(may(&config, "http://10.0.0.1/x", USER));
	cr_assert_not(may(&config, "http://10.0.0.1/c/..%2Fx", USER));
	cr_assert_not(may(&config, "http://h.lan/a/no/x", USER));
	cr_assert(may(&config, "s3://bucket/x", USER));
}

Test(origin, who_is_not_served_is_not_led_there_either)
{
	CLEANUP(config_release) struct config config = loaded(PRIVATE "users = 1000\n");
	struct decision user, other;

	cr_assert_eq(decide(&config, "https://g/a", USER, &user, NULL), 0);
	cr_assert_eq(decide(&config, "https://g/a", OTHER, &other, NULL), 0);
	cr_assert(may_go(&user, "https://h/private/a", "8.8.8.8"));
	cr_assert_not(may_go(&other, "https://h/private/a", "8.8.8.8"));
}

Test(origin, the_ttl_of_a_section_counts_where_the_origin_is_silent)
{
	CLEANUP(config_release)
	struct config config =
		loaded("[fetch]\nttl = 5s\n[origin \"https://h/a/\"]\nttl = 1h\n"
		       "[origin \"https://h/b/\"]\n[origin \"https://h/c/\"]\nttl = 0\n");
	struct remote silent = {.max_age = TIME_UNKNOWN};
	struct remote tells = {.max_age = 7};
	struct decision decision;

	cr_assert_eq(decide(&config, "https://h/a/x", USER, &decision, NULL), 0);
	cr_assert_eq(freshness_until(&decision, &silent, 100), 3700);
	cr_assert_eq(freshness_until(&decision, &tells, 100), 107);
	cr_assert_eq(decide(&config, "https://h/b/x", USER, &decision, NULL), 0);
	cr_assert_eq(freshness_until(&decision, &silent, 100), 105);
	cr_assert_eq(decide(&config, "https://h/c/x", USER, &decision, NULL), 0);
	cr_assert_eq(freshness_until(&decision, &silent, 100), 100);
}

Test(origin, no_time_is_less_than_a_second_but_none)
{
	CLEANUP(config_release)
	struct config config = loaded("[fetch]\nttl = 1ms\nnegative_ttl = 1001ms\n");
	CLEANUP(config_release) struct config never = loaded("[fetch]\nnegative_ttl = 0\n");
	CLEANUP(uri_release) struct uri remote = {0};
	CLEANUP(uri_release) struct uri local = {0};
	struct remote silent = {.max_age = TIME_UNKNOWN};
	struct decision decision;

	cr_assert_eq(uri_parse("https://h/x", &remote, NULL), 0);
	cr_assert_eq(uri_parse("file:///x", &local, NULL), 0);
	cr_assert_eq(decide(&config, "https://h/x", USER, &decision, NULL), 0);
	cr_assert_eq(freshness_until(&decision, &silent, 100), 101);
	cr_assert_eq(freshness_absent_until(&decision, &remote, 100), 102);
	cr_assert_eq(freshness_absent_until(&decision, &local, 100), 100);
	cr_assert_eq(decide(&never, "https://h/x", USER, &decision, NULL), 0);
	cr_assert_eq(freshness_absent_until(&decision, &remote, 100), 100);
}

Test(origin, a_confirmation_without_a_word_of_it_leaves_what_must_be_asked_as_it_was)
{
	CLEANUP(config_release) struct config config = loaded("");
	struct entry old = {.must_ask = true, .verified = 50, .expires = 57};
	struct remote silent = {.max_age = TIME_UNKNOWN};
	struct remote tells = {.max_age = 9};
	struct decision decision;

	cr_assert_eq(decide(&config, "https://h/x", USER, &decision, NULL), 0);
	cr_assert_eq(freshness_confirmed(&decision, &silent, &old, 100), 107);
	cr_assert_eq(freshness_confirmed(&decision, &tells, &old, 100), 109);
	old.must_ask = false;
	cr_assert_eq(freshness_confirmed(&decision, &silent, &old, 100), 400);
}

Test(origin, a_clock_that_was_set_back_makes_nothing_fresh)
{
	struct entry entry = {.verified = 100, .expires = 200};

	cr_assert_not(freshness_holds(&entry, 99));
	cr_assert(freshness_holds(&entry, 100));
	cr_assert(freshness_holds(&entry, 199));
	cr_assert_not(freshness_holds(&entry, 200));
}
