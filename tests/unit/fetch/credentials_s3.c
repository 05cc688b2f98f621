/* Whose requests to S3 are: by section, environment and files, and for whom. */
#include "fetch/credentials_s3.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OWNER = 500, USER = 1000 };

#define VARIABLES 12

static const uint8_t secret[DIGEST_SIZE] = {1, 2, 3};

/* A home, and a configuration in which DIR stands for it. */
struct home {
	char *dir;
	char *environment[VARIABLES + 2];
	size_t count;
	struct config config;
};

static void home_release(struct home *home)
{
	config_release(&home->config);
	for (size_t i = 0; i < home->count; i++)
		free(home->environment[i]);
	tmpdir_removep(&home->dir);
}

static void put(const struct home *home, const char *name, const char *text)
{
	CLEANUP(str_freep) char *path = str_printf("%s/%s", home->dir, name);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static void set(struct home *home, const char *name, const char *value)
{
	cr_assert_lt(home->count, VARIABLES);
	home->environment[home->count++] = str_printf("%s=%s", name, value);
}

static struct home home_of(void)
{
	struct home home = {.dir = tmpdir_make()};
	CLEANUP(str_freep) char *aws = str_printf("%s/.aws", home.dir);

	cr_assert_eq(mkdir(aws, 0700), 0);
	set(&home, "HOME", home.dir);
	return home;
}

static void configure(struct home *home, const char *text)
{
	CLEANUP(str_freep) char *path = str_printf("%s/test.conf", home->dir);
	CLEANUP(str_freep) char *full = strdup(text);
	struct err err = ERR_INIT;

	for (char *at; (at = strstr(full, "DIR"));) {
		char *longer = str_printf("%.*s%s%s", (int)(at - full), full, home->dir, at + 3);

		free(full);
		full = longer;
	}
	put(home, "test.conf", full);
	config_release(&home->config);
	cr_assert_eq(config_load(path, (const char *const *)home->environment, false, &home->config,
			     &err),
		0, "%s", err.msg);
}

static int load_for(const struct home *home, const char *text, uid_t uid, struct credentials *ret,
	struct decision *decision, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r;

	cr_assert_eq(uri_parse(text, &uri, NULL), 0);
	*ret = CREDENTIALS_INIT;
	r = policy_decide(&home->config, &uri, uid, OWNER, false, secret, decision, err);
	return r < 0 ? r : credentials_load(&home->config, decision, &uri, ret, err);
}

static int load(const struct home *home, const char *text, struct credentials *ret, struct err *err)
{
	struct decision decision;

	return load_for(home, text, OWNER, ret, &decision, err);
}

#define PLAIN_KEYS "[default]\naws_access_key_id = DID\naws_secret_access_key = DSECRET\n"
#define MY_KEYS                                                                                    \
	"[me]\naws_access_key_id = MID\naws_secret_access_key = MSECRET\naws_session_token = "     \
	"MTOKEN\n"

#define WITH_HOME(name) CLEANUP(home_release) struct home name = home_of()
#define WITH_CREDENTIALS(name)                                                                     \
	CLEANUP(credentials_release) struct credentials name = CREDENTIALS_INIT

static const struct access_s3 *s3_of(const struct credentials *credentials)
{
	const struct access *access = credentials_access(credentials);

	cr_assert_not_null(access);
	cr_assert_not_null(access->s3);
	return access->s3;
}

Test(credentials_s3, without_any_nothing_is_signed)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	struct err err = ERR_INIT;

	configure(&home, "");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_null(s3_of(&is)->key_id);
	cr_assert_null(s3_of(&is)->endpoint);
	cr_assert_null(s3_of(&is)->region);
}

Test(credentials_s3, the_environment_comes_first)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	struct err err = ERR_INIT;

	put(&home, ".aws/credentials", PLAIN_KEYS "region = eu-west-1\n");
	set(&home, "AWS_ACCESS_KEY_ID", "EID");
	set(&home, "AWS_SECRET_ACCESS_KEY", "ESECRET");
	set(&home, "AWS_SESSION_TOKEN", "ETOKEN");
	set(&home, "AWS_DEFAULT_REGION", "us-west-1");
	set(&home, "AWS_REGION", "us-west-2");
	set(&home, "AWS_ENDPOINT_URL", "http://H:9000");
	configure(&home, "");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(s3_of(&is)->key_id, "EID");
	cr_assert_str_eq(s3_of(&is)->secret, "ESECRET");
	cr_assert_str_eq(s3_of(&is)->token, "ETOKEN");
	cr_assert_str_eq(s3_of(&is)->region, "us-west-2");
	cr_assert_str_eq(s3_of(&is)->endpoint, "http://h:9000/");
}

Test(credentials_s3, then_the_files_of_the_user)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(keys);
	WITH_CREDENTIALS(settings);
	struct err err = ERR_INIT;

	set(&home, "AWS_ACCESS_KEY_ID", "alone");
	put(&home, ".aws/credentials", PLAIN_KEYS MY_KEYS);
	put(&home, ".aws/config",
		"[default]\nregion = eu-west-1\n[profile you]\naws_access_key_id = YID\n"
		"aws_secret_access_key = YSECRET\nendpoint_url = https://h/\n");
	configure(&home, "[s3 \"s3://y/\"]\nprofile = you\n");
	cr_assert_eq(load(&home, "s3://b/a", &keys, &err), 0, "%s", err.msg);
	cr_assert_str_eq(s3_of(&keys)->key_id, "DID");
	cr_assert_str_eq(s3_of(&keys)->secret, "DSECRET");
	cr_assert_null(s3_of(&keys)->token);
	cr_assert_str_eq(s3_of(&keys)->region, "eu-west-1");
	cr_assert_eq(load(&home, "s3://y/a", &settings, &err), 0, "%s", err.msg);
	cr_assert_str_eq(s3_of(&settings)->key_id, "YID");
	cr_assert_str_eq(s3_of(&settings)->endpoint, "https://h/");
}

Test(credentials_s3, files_and_profile_are_where_variables_say)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	CLEANUP(str_freep) char *keys = str_printf("%s/keys", home.dir);
	CLEANUP(str_freep) char *settings = str_printf("%s/settings", home.dir);
	struct err err = ERR_INIT;

	put(&home, ".aws/credentials", PLAIN_KEYS);
	put(&home, "keys", MY_KEYS);
	put(&home, "settings", "[profile me]\nregion = eu-north-1\n");
	set(&home, "AWS_SHARED_CREDENTIALS_FILE", keys);
	set(&home, "AWS_CONFIG_FILE", settings);
	set(&home, "AWS_PROFILE", "me");
	configure(&home, "");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(s3_of(&is)->key_id, "MID");
	cr_assert_str_eq(s3_of(&is)->token, "MTOKEN");
	cr_assert_str_eq(s3_of(&is)->region, "eu-north-1");
}

Test(credentials_s3, who_has_none_may_be_lent_some)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	CLEANUP(str_freep) char *token = str_printf("%s/token", home.dir);
	struct err err = ERR_INIT;

	put(&home, "token", "abc.def-_\n");
	set(&home, "AWS_WEB_IDENTITY_TOKEN_FILE", token);
	set(&home, "AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
	set(&home, "AWS_REGION", "eu-west-1");
	set(&home, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");
	configure(&home, "");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_eq(s3_of(&is)->source, S3_SOURCE_WEB_IDENTITY);
	cr_assert_str_eq(s3_of(&is)->source_uri,
		"https://sts.eu-west-1.amazonaws.com/?Action=AssumeRoleWithWebIdentity&Version="
		"2011-06-15&RoleArn=arn:aws:iam::1:role/x&RoleSessionName=fetchfs&WebIdentityToken="
		"abc.def-_");
	cr_assert_null(s3_of(&is)->key_id);
}

Test(credentials_s3, a_container_lends_to_who_has_nothing_else)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	WITH_CREDENTIALS(keys);
	WITH_CREDENTIALS(anonymous);
	struct err err = ERR_INIT;

	set(&home, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x");
	set(&home, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer t");
	configure(&home, "[s3 \"s3://open/\"]\nanonymous = yes\n");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_eq(s3_of(&is)->source, S3_SOURCE_CONTAINER);
	cr_assert_str_eq(s3_of(&is)->source_uri, "http://127.0.0.1:1/x");
	cr_assert_str_eq(s3_of(&is)->source_token, "Bearer t");
	cr_assert_eq(load(&home, "s3://open/a", &anonymous, &err), 0, "%s", err.msg);
	cr_assert_eq(s3_of(&anonymous)->source, S3_SOURCE_GIVEN);
	put(&home, ".aws/credentials", PLAIN_KEYS);
	cr_assert_eq(load(&home, "s3://b/a", &keys, &err), 0, "%s", err.msg);
	cr_assert_eq(s3_of(&keys)->source, S3_SOURCE_GIVEN);
	cr_assert_str_eq(s3_of(&keys)->key_id, "DID");
}

Test(credentials_s3, who_lends_is_asked_without_tls_on_this_machine_only)
{
	static const struct {
		const char *uri;
		int r;
	} cases[] = {
		{"http://[::1]:8000/x", 0},
		{"http://localhost/x", 0},
		{"http://169.254.170.23/v1/credentials", 0},
		{"http://[fd00:ec2::23]/v1/credentials", 0},
		{"https://keys.example.org/x", 0},
		{"http://keys.example.org/x", -EACCES},
		{"http://203.0.113.9/x", -EACCES},
		{"http://127.0.0.1.example.org/x", -EACCES},
		{"ftp://127.0.0.1/x", -EINVAL},
		{"keys", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		WITH_HOME(home);
		WITH_CREDENTIALS(is);
		WITH_CREDENTIALS(service);
		WITH_CREDENTIALS(machine);
		CLEANUP(str_freep) char *token = str_printf("%s/token", home.dir);
		struct err err = ERR_INIT;

		set(&home, "AWS_CONTAINER_CREDENTIALS_FULL_URI", cases[i].uri);
		configure(&home, "");
		cr_assert_eq(load(&home, "s3://b/a", &is, &err), cases[i].r, "%s: %s", cases[i].uri,
			err.msg);
		set(&home, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "");
		set(&home, "AWS_EC2_METADATA_SERVICE_ENDPOINT", cases[i].uri);
		configure(&home, "");
		cr_assert_eq(load(&home, "s3://b/a", &machine, &err), cases[i].r, "%s: %s",
			cases[i].uri, err.msg);
		put(&home, "token", "abc\n");
		set(&home, "AWS_WEB_IDENTITY_TOKEN_FILE", token);
		set(&home, "AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
		set(&home, "AWS_ENDPOINT_URL_STS", cases[i].uri);
		configure(&home, "");
		cr_assert_eq(load(&home, "s3://b/a", &service, &err), cases[i].r, "%s: %s",
			cases[i].uri, err.msg);
	}
}

Test(credentials_s3, an_instance_lends_unless_that_is_off)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	WITH_CREDENTIALS(off);
	struct err err = ERR_INIT;

	set(&home, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
	configure(&home, "");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_eq(s3_of(&is)->source, S3_SOURCE_INSTANCE);
	cr_assert_str_eq(s3_of(&is)->source_uri, "http://127.0.0.1:1/");
	set(&home, "AWS_EC2_METADATA_DISABLED", "true");
	configure(&home, "");
	cr_assert_eq(load(&home, "s3://b/a", &off, &err), 0, "%s", err.msg);
	cr_assert_eq(s3_of(&off)->source, S3_SOURCE_GIVEN);
}

Test(credentials_s3, a_section_has_its_own_file)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	WITH_CREDENTIALS(again);
	struct err err = ERR_INIT;

	set(&home, "AWS_ACCESS_KEY_ID", "EID");
	set(&home, "AWS_SECRET_ACCESS_KEY", "ESECRET");
	set(&home, "AWS_REGION", "us-west-2");
	put(&home, "keys", MY_KEYS "region = eu-west-1\n");
	configure(&home, "[s3 \"s3://b/\"]\ncredentials = DIR/keys\nprofile = me\n"
			 "endpoint = http://h\nstyle = path\n");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(s3_of(&is)->key_id, "MID");
	cr_assert_str_eq(s3_of(&is)->region, "eu-west-1");
	cr_assert_str_eq(s3_of(&is)->endpoint, "http://h/");
	cr_assert_eq(s3_of(&is)->style, S3_STYLE_PATH);
	cr_assert_str_eq(credentials_access(&is)->prefix, "s3://b/");
	/* read for each request */
	put(&home, "keys", "[me]\naws_access_key_id = N\naws_secret_access_key = NS\n");
	cr_assert_eq(load(&home, "s3://b/a", &again, &err), 0, "%s", err.msg);
	cr_assert_str_eq(s3_of(&again)->key_id, "N");
	cr_assert_null(s3_of(&again)->token);
}

Test(credentials_s3, who_is_anonymous_signs_nothing)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	struct decision decision;
	struct err err = ERR_INIT;

	put(&home, ".aws/credentials", PLAIN_KEYS);
	configure(&home, "[s3 \"s3://b/\"]\nanonymous = yes\nregion = eu-west-1\n");
	cr_assert_eq(load_for(&home, "s3://b/a", USER, &is, &decision, &err), 0, "%s", err.msg);
	cr_assert_null(s3_of(&is)->key_id);
	cr_assert_str_eq(s3_of(&is)->region, "eu-west-1");
	cr_assert_str_eq(decision.scope, "");
}

Test(credentials_s3, keys_of_the_owner_serve_nobody_else)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(owners);
	WITH_CREDENTIALS(users);
	struct decision decision;
	struct err err = ERR_INIT;

	put(&home, ".aws/credentials", PLAIN_KEYS);
	configure(&home, "[s3 \"s3://named/\"]\nusers = 1000\n[s3 \"s3://mine/\"]\nregion = x\n"
			 "[policy]\nallow = s3://open/\n");
	cr_assert_eq(load_for(&home, "s3://b/a", OWNER, &owners, &decision, &err), 0);
	cr_assert_str_eq(s3_of(&owners)->key_id, "DID");
	cr_assert_str_eq(decision.scope, "uid:500");
	cr_assert_eq(load_for(&home, "s3://b/a", USER, &users, &decision, &err), -EACCES);
	cr_assert_str_eq(
		err.msg, "forbidden by policy: add a section [s3 \"s3://b/\"] with 'users = …'");
	cr_assert_eq(load_for(&home, "s3://mine/a", USER, &users, &decision, &err), -EACCES);
	cr_assert_str_eq(err.msg,
		"forbidden by policy: 'users = …' in [s3 \"s3://mine/\"] does not "
		"name uid 1000");
	/* what is open to all is asked for as anybody */
	cr_assert_eq(load_for(&home, "s3://open/a", USER, &users, &decision, &err), 0);
	cr_assert_null(s3_of(&users)->key_id);
	cr_assert_str_eq(decision.scope, "");
	cr_assert_eq(load_for(&home, "s3://named/a", USER, &users, &decision, &err), 0);
	cr_assert_str_eq(s3_of(&users)->key_id, "DID");
	cr_assert(str_has_prefix(decision.scope, "origin:"));
}

Test(credentials_s3, a_mirror_does_not_make_the_owners_keys_everybodys)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(uri_release) struct uri mirror = {0};
	struct decision decision;

	put(&home, ".aws/credentials", PLAIN_KEYS);
	configure(&home, "[origin \"https://h/\"]\nmirrors = s3://m/\n");
	cr_assert_eq(uri_parse("https://h/a", &uri, NULL), 0);
	cr_assert_eq(uri_parse("s3://m/a", &mirror, NULL), 0);
	cr_assert_eq(
		policy_decide(&home.config, &uri, OWNER, OWNER, false, secret, &decision, NULL), 0);
	cr_assert_str_eq(decision.scope, "");
	cr_assert_eq(credentials_load(&home.config, &decision, &mirror, &is, NULL), 0);
	cr_assert_null(s3_of(&is)->key_id);
}

Test(credentials_s3, a_user_in_the_uri_needs_none_of_it)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	struct decision decision;
	struct err err = ERR_INIT;

	put(&home, ".aws/credentials", PLAIN_KEYS);
	configure(&home, "[s3 \"s3://b/\"]\nendpoint = http://h\n");
	cr_assert_eq(
		load_for(&home, "s3://id:pw@b/a", USER, &is, &decision, &err), 0, "%s", err.msg);
	cr_assert_null(s3_of(&is)->key_id);
	cr_assert_str_eq(s3_of(&is)->endpoint, "http://h/");
	cr_assert(str_has_prefix(decision.scope, "user:"));
}

Test(credentials_s3, the_version_of_an_object_is_no_secret)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	struct decision decision;

	configure(&home, "[s3 \"s3://b/\"]\nanonymous = yes\n");
	cr_assert_eq(load_for(&home, "s3://b/a?versionId=1", OWNER, &is, &decision, NULL), 0);
	cr_assert_not(decision.secret_query);
	cr_assert_str_eq(decision.scope, "");
	cr_assert_eq(load_for(&home, "s3://b/a?versionId=1&x", OWNER, &is, &decision, NULL), 0);
	cr_assert(decision.secret_query);
	cr_assert_eq(load_for(&home, "s3://b/a?x", OWNER, &is, &decision, NULL), 0);
	cr_assert(decision.secret_query);
}

Test(credentials_s3, what_is_wrong_with_them_is_told_and_not_what_they_are)
{
	static const struct {
		const char *keys;
		const char *config;
		const char *error;
	} cases[] = {
		{MY_KEYS, "[s3 \"s3://b/\"]\nprofile = you\n", "s3: there is no profile 'you'"},
		{MY_KEYS, "[s3 \"s3://b/\"]\ncredentials = DIR/none\n",
			"No such file or directory"},
		{MY_KEYS, "[s3 \"s3://b/\"]\ncredentials = DIR/.aws\n", "it is no regular file"},
		{MY_KEYS, "[s3 \"s3://b/\"]\ncredentials = DIR/.aws/credentials\n",
			"it has no keys of the profile 'default'"},
		{"[default]\naws_access_key_id = hunter2\n",
			"[s3 \"s3://b/\"]\ncredentials = DIR/.aws/credentials\n",
			"it has no keys of the profile 'default'"},
		{"[default]\nrole_arn = hunter2\n", "",
			"profile default: a role (role_arn) is not supported: take the keys that"},
		{"[default]\nsource_profile = hunter2\n", "", "a role (source_profile)"},
		{"[default]\ncredential_source = hunter2\n", "", "a role (credential_source)"},
		{PLAIN_KEYS "role_arn = hunter2\n", "", "a role (role_arn) is not supported"},
		{"[default]\ncredential_process = hunter2\n", "",
			"a program that prints keys (credential_process) is not supported"},
		{"[default]\nsso_session = hunter2\n", "",
			"single sign-on (sso_session) is not supported"},
		{"[default]\nsso_start_url = hunter2\n", "", "single sign-on (sso_start_url)"},
		{"[default]\nsso_account_id = hunter2\n", "", "single sign-on (sso_account_id)"},
		{"[default]\nlogin_session = hunter2\n", "", "a login (login_session)"},
		{"[me]\nregion = hunter2\n", "[s3 \"s3://b/\"]\nprofile = me\n",
			"s3: the profile 'me' has no keys"},
		{"[default]\naws_access_key_id = hunter2\naws_secret_access_key = hunter 2\n", "",
			"s3: the keys that were found are none"},
		{PLAIN_KEYS "endpoint_url = hunter2\n", "", "is no URI such as"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		WITH_HOME(home);
		WITH_CREDENTIALS(is);
		struct err err = ERR_INIT;

		put(&home, ".aws/credentials", cases[i].keys);
		configure(&home, cases[i].config);
		cr_assert_lt(load(&home, "s3://b/a", &is, &err), 0, "%zu", i);
		cr_assert(strstr(err.msg, cases[i].error), "%zu: %s", i, err.msg);
		cr_assert_null(strstr(err.msg, "hunter2"), "%zu: %s", i, err.msg);
		cr_assert_null(credentials_access(&is), "%zu", i);
	}
}

Test(credentials_s3, a_role_wins_over_keys_of_its_profile_and_single_sign_on_does_not)
{
	static const struct {
		const char *profile;
		const char *error; /* or NULL */
	} cases[] = {
		{"default", "profile default: a role (role_arn) is not supported"},
		{"sso", "profile sso: single sign-on (sso_session) is not supported"},
		{"me", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		WITH_HOME(home);
		WITH_CREDENTIALS(is);
		struct err err = ERR_INIT;

		put(&home, ".aws/credentials", PLAIN_KEYS MY_KEYS);
		put(&home, ".aws/config",
			"[default]\nrole_arn = hunter2\nsource_profile = me\n"
			"[profile sso]\nsso_session = x\n[profile me]\nsso_session = x\n");
		set(&home, "AWS_PROFILE", cases[i].profile);
		configure(&home, "");
		cr_assert_eq(load(&home, "s3://b/a", &is, &err), cases[i].error ? -EACCES : 0, "%s",
			err.msg);
		if (cases[i].error)
			cr_assert(strstr(err.msg, cases[i].error), "%s", err.msg);
		else
			cr_assert_str_eq(s3_of(&is)->key_id, "MID");
	}
}

Test(credentials_s3, keys_of_the_environment_need_no_profile)
{
	WITH_HOME(home);
	WITH_CREDENTIALS(is);
	struct err err = ERR_INIT;

	put(&home, ".aws/config", "[default]\nrole_arn = hunter2\nregion = eu-west-1\n");
	set(&home, "AWS_ACCESS_KEY_ID", "EID");
	set(&home, "AWS_SECRET_ACCESS_KEY", "ESECRET");
	configure(&home, "");
	cr_assert_eq(load(&home, "s3://b/a", &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(s3_of(&is)->key_id, "EID");
	cr_assert_str_eq(s3_of(&is)->region, "eu-west-1");
}

Test(credentials_s3, a_proxy_is_chosen_by_the_server_that_is_asked)
{
	WITH_HOME(home);
	static const struct {
		const char *uri;
		const char *where;
	} cases[] = {{"s3://b/a", "http://h:9000/"}, {"s3://c/a", "https://c.s3.amazonaws.com/"}};

	configure(&home, "[s3 \"s3://b/\"]\nendpoint = http://h:9000\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(uri_release) struct uri uri = {0};
		CLEANUP(uri_release) struct uri where = {0};

		cr_assert_eq(uri_parse(cases[i].uri, &uri, NULL), 0);
		cr_assert_eq(credentials_s3_where(&home.config, &uri, &where, NULL), 0);
		cr_assert_str_eq(where.text, cases[i].where);
	}
}
