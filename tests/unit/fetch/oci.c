/* What sections [oci "…"] mean, and what Docker's configuration does: whom they serve, and where
 * they lead. */
#include "fetch/credentials.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/credentials_oci.h"
#include "fetch/policy.h"
#include "tests/support/tmpdir.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER = 500, USER = 1000, OTHER = 1001 };

static const uint8_t secret[DIGEST_SIZE] = {1, 2, 3};

static void put(const char *dir, const char *name, const char *text)
{
	CLEANUP(str_freep) char *path = str_printf("%s/%s", dir, name);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static int load_config(
	const char *text, const char *const *environment, struct config *ret, struct err *err)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = str_printf("%s/test.conf", dir);

	put(dir, "test.conf", text);
	return config_load(path, environment, false, ret, err);
}

static struct config loaded(const char *text, const char *const *environment)
{
	struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(load_config(text, environment, &config, &err), 0, "%s", err.msg);
	return config;
}

#define WITH_CONFIG(name, text) CLEANUP(config_release) struct config name = loaded(text, NULL)

static void check_refused(const char *text, const char *why)
{
	CLEANUP(config_release) struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(load_config(text, NULL, &config, &err), -EINVAL, "%s", text);
	cr_assert(strstr(err.msg, why), "%s: %s", text, err.msg);
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

static bool may_go(const struct decision *decision, const char *text, const char *address)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct sockaddr_in in4 = {.sin_family = AF_INET};

	cr_assert_eq(uri_parse(text, &uri, NULL), 0);
	cr_assert_eq(inet_pton(AF_INET, address, &in4.sin_addr), 1);
	return decision->guard.uri(&decision->guard, &uri, NULL) == 0 &&
	       decision->guard.address(&decision->guard, &uri, (struct sockaddr *)&in4, NULL) == 0;
}

/* What a request of @uid to @text gets; @uri lives as long as that. */
static int load(const struct config *config, struct uri *uri, const char *text, uid_t uid,
	struct credentials *ret, struct err *err)
{
	struct decision decision;
	int r;

	cr_assert_eq(uri_parse(text, uri, NULL), 0);
	*ret = CREDENTIALS_INIT;
	r = policy_decide(config, uri, uid, OWNER, false, secret, &decision, err);
	return r < 0 ? r : credentials_load(config, &decision, uri, ret, err);
}

#define WITH_CREDENTIALS(name)                                                                     \
	CLEANUP(uri_release) struct uri name##_uri = {0};                                          \
	CLEANUP(credentials_release) struct credentials name = CREDENTIALS_INIT

/* A home with Docker's configuration, and a configuration of ours. */
struct home {
	char *dir;
	char *variable;
	struct config config;
};

static void home_release(struct home *home)
{
	config_release(&home->config);
	tmpdir_removep(&home->dir);
	free(home->variable);
}

static void home_make(struct home *home, const char *docker, const char *text)
{
	CLEANUP(str_freep) char *folder = NULL;
	const char *environment[] = {NULL, NULL};

	home->dir = tmpdir_make();
	folder = str_printf("%s/.docker", home->dir);
	cr_assert_eq(mkdir(folder, 0700), 0);
	put(folder, "config.json", docker);
	home->variable = str_printf("HOME=%s", home->dir);
	environment[0] = home->variable;
	home->config = loaded(text, environment);
}

#define WITH_HOME(name, docker, text)                                                              \
	CLEANUP(home_release) struct home name = {.dir = NULL};                                    \
	home_make(&name, docker, text)

/* me:pass:word, you:secret */
#define DOCKER                                                                                     \
	"{\"auths\":{\"r.example\":{\"auth\":\"bWU6cGFzczp3b3Jk\"},"                               \
	"\"https://old.example/v1/\":{\"auth\":\"eW91OnNlY3JldA==\"},"                             \
	"\"t.example:5000\":{\"auth\":\"eW91OnNlY3JldA==\",\"identitytoken\":\"idtok\"},"          \
	"\"plain.example\":{\"username\":\"u\",\"password\":\"p\"}},"                              \
	"\"credHelpers\":{\"h.example\":\"vault\"}}"

static const struct access_oci *check_load(
	struct home *home, struct uri *uri, struct credentials *ret, const char *text)
{
	struct err err = ERR_INIT;

	cr_assert_eq(load(&home->config, uri, text, OWNER, ret, &err), 0, "%s: %s", text, err.msg);
	cr_assert_not_null(credentials_access(ret));
	return credentials_access(ret)->oci;
}

Test(oci_sections, only_the_owner_needs_one)
{
	WITH_CONFIG(config, "[oci \"oci://r.example/team\"]\nusers = 1000\n"
			    "[oci \"oci://open.example/\"]\nanonymous = yes\n");
	struct decision decision;
	struct err err = ERR_INIT;

	cr_assert(may(&config, "oci://other.example/a:v1/x", OWNER));
	cr_assert_eq(
		decide(&config, "oci://other.example:5000/a:v1/x", USER, &decision, &err), -EACCES);
	cr_assert(strstr(err.msg, "add a section [oci \"oci://other.example:5000/\"]"), "%s",
		err.msg);
	cr_assert(may(&config, "oci://r.example/team:v1/x", USER));
	cr_assert(may(&config, "oci://r.example/team/a@sha256:00/x", USER));
	cr_assert_not(may(&config, "oci://r.example/team:v1/x", OTHER));
	cr_assert_not(may(&config, "oci://r.example/teams:v1/x", USER));
	cr_assert(may(&config, "oci://open.example/a:v1/x", OTHER));
}

Test(oci_sections, what_credentials_open_is_private)
{
	WITH_CONFIG(config, "[oci \"oci://r.example/\"]\nusers = 1000\n"
			    "[oci \"oci://open.example/\"]\nanonymous = yes\n");
	static const struct {
		const char *uri;
		const char *scope;
	} cases[] = {
		{"oci://other.example/a:v1/x", "uid:500"},
		{"oci://r.example/a:v1/x", "origin:"},
		{"oci://open.example/a:v1/x", ""},
		{"oci://me:pw@open.example/a:v1/x", "user:"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct decision decision;

		cr_assert_eq(decide(&config, cases[i].uri, OWNER, &decision, NULL), 0);
		cr_assert(str_has_prefix(decision.scope, cases[i].scope), "%s: %s", cases[i].uri,
			decision.scope);
		cr_assert_eq(!decision.scope[0], !cases[i].scope[0], "%s", cases[i].uri);
	}
}

Test(oci_sections, a_rule_is_for_a_repository_with_all_its_tags)
{
	WITH_CONFIG(config, "[policy]\ndeny = oci://r.example/bad, oci://r.example/team/evil/\n"
			    "[oci \"oci://r.example/\"]\nanonymous = yes\n");

	cr_assert(may(&config, "oci://r.example/team:v1/x", USER));
	cr_assert(may(&config, "oci://r.example/badly:v1/x", USER));
	cr_assert_not(may(&config, "oci://r.example/bad", USER));
	cr_assert_not(may(&config, "oci://r.example/bad:v1/x", USER));
	cr_assert_not(may(&config, "oci://r.example/bad%3Av1/x", USER));
	cr_assert_not(may(&config, "oci://r.example/bad@sha256:00", OWNER));
	cr_assert_not(may(&config, "oci://r.example/bad/a:v1/x", USER));
	cr_assert_not(may(&config, "oci://r.example/team/evil/a:v1", USER));
	check_refused("[policy]\ndeny = oci://r.example/bad:v1\n", "none of its tags");
	check_refused("[oci \"oci://r.example/bad:v1\"]\n", "all tags");
	check_refused("[oci \"oci://r.example:5000/a@sha256:00\"]\n", "all tags");
}

Test(oci_sections, one_leads_to_its_registry)
{
	WITH_CONFIG(config, "[oci \"oci://lan.example:5000/\"]\nanonymous = yes\n"
			    "[oci \"oci://else.example/\"]\nanonymous = yes\n"
			    "endpoint = http://mirror.lan:5000/r\n");
	struct decision decision, elsewhere;

	cr_assert_eq(decide(&config, "oci://lan.example:5000/a:v1", USER, &decision, NULL), 0);
	cr_assert(may_go(&decision, "https://lan.example:5000/v2/a/manifests/v1", "10.1.1.1"));
	cr_assert_not(may_go(&decision, "http://lan.example:5000/v2/a/manifests/v1", "10.1.1.1"));
	cr_assert_not(may_go(&decision, "https://lan.example/token", "10.1.1.1"));
	cr_assert_not(may_go(&decision, "https://auth.lan/token", "10.1.1.1"));
	cr_assert(may_go(&decision, "https://auth.example/token", "93.184.216.34"));
	cr_assert_eq(decide(&config, "oci://else.example/a:v1", USER, &elsewhere, NULL), 0);
	cr_assert(may_go(&elsewhere, "http://mirror.lan:5000/r/v2/a/manifests/v1", "10.1.1.1"));
	cr_assert_not(may_go(&elsewhere, "http://mirror.lan:5000/x", "10.1.1.1"));
	cr_assert_not(may_go(&elsewhere, "https://else.example/v2/", "10.1.1.1"));
}

Test(oci_sections, one_says_where_and_who)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep)
	char *text = str_printf("[oci \"oci://r.example/\"]\nendpoint = "
				"http://r.lan:5000\nplatform = linux/arm/v7\n"
				"user_file = %s/user\nusers = 1000\n[oci "
				"\"oci://d.example/\"]\ncredentials = %s/d\n",
		dir, dir);
	CLEANUP(config_release) struct config config = loaded(text, NULL);
	WITH_CREDENTIALS(is);
	WITH_CREDENTIALS(docker);
	WITH_CREDENTIALS(no);
	WITH_CREDENTIALS(bad);
	WITH_CREDENTIALS(own);
	struct err err = ERR_INIT;
	const struct access_oci *oci;

	put(dir, "user", "me:pass:word\n");
	put(dir, "d", "{\"auths\":{\"d.example\":{\"username\":\"u\",\"password\":\"p\"}}}");
	cr_assert_eq(
		load(&config, &is_uri, "oci://r.example/a:v1", USER, &is, &err), 0, "%s", err.msg);
	oci = credentials_access(&is)->oci;
	cr_assert_str_eq(oci->endpoint, "http://r.lan:5000/");
	cr_assert_str_eq(oci->platform, "linux/arm/v7");
	cr_assert_str_eq(oci->user, "me");
	cr_assert_str_eq(oci->password, "pass:word");
	cr_assert_str_eq(credentials_access(&is)->prefix, "oci://r.example/");
	cr_assert_eq(load(&config, &docker_uri, "oci://d.example/a:v1", OWNER, &docker, &err), 0,
		"%s", err.msg);
	cr_assert_str_eq(credentials_access(&docker)->oci->user, "u");
	cr_assert_eq(load(&config, &no_uri, "oci://r.example/a:v1", OTHER, &no, &err), -EACCES);
	cr_assert_eq(load(&config, &own_uri, "oci://u:p@r.example/a:v1", OWNER, &own, &err), 0,
		"%s", err.msg);
	cr_assert_null(credentials_access(&own)->oci->user);
	cr_assert_str_eq(credentials_access(&own)->oci->endpoint, "http://r.lan:5000/");
	put(dir, "d", "no JSON");
	cr_assert_eq(load(&config, &bad_uri, "oci://d.example/a:v1", OWNER, &bad, &err), -EACCES);
	cr_assert(strstr(err.msg, "credentials of [oci \"oci://d.example/\"]"), "%s", err.msg);
}

Test(oci_sections, of_docker_all_that_it_has_is_understood)
{
	WITH_HOME(home, DOCKER, "");
	static const struct {
		const char *uri;
		const char *user;
		const char *password;
		const char *identity;
		const char *helper;
	} cases[] = {
		{"oci://r.example/a:v1", "me", "pass:word", NULL, NULL},
		{"oci://old.example/a:v1", "you", "secret", NULL, NULL},
		{"oci://t.example:5000/a:v1", NULL, NULL, "idtok", NULL},
		{"oci://plain.example/a:v1", "u", "p", NULL, NULL},
		{"oci://h.example/a:v1", NULL, NULL, NULL, "vault"},
		{"oci://t.example/a:v1", NULL, NULL, NULL, NULL},
		{"oci://r.example:5000/a:v1", NULL, NULL, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		WITH_CREDENTIALS(is);
		const struct access_oci *oci = check_load(&home, &is_uri, &is, cases[i].uri);

		cr_assert(str_equal(oci->user, cases[i].user), "%s", cases[i].uri);
		cr_assert(str_equal(oci->password, cases[i].password), "%s", cases[i].uri);
		cr_assert(str_equal(oci->identity, cases[i].identity), "%s", cases[i].uri);
		cr_assert(str_equal(oci->helper, cases[i].helper), "%s", cases[i].uri);
	}
}

Test(oci_sections, a_store_knows_of_all_registries)
{
	WITH_HOME(home, "{\"credsStore\":\"desktop\",\"auths\":{\"r.example\":{}}}", "");
	WITH_CREDENTIALS(is);
	const struct access_oci *oci = check_load(&home, &is_uri, &is, "oci://r.example:5000/a:v1");

	cr_assert_str_eq(oci->helper, "desktop");
	cr_assert_str_eq(oci->server, "r.example:5000");
}

Test(oci_sections, dockers_configuration_is_the_owners)
{
	WITH_HOME(home, DOCKER,
		"[oci \"oci://r.example/open/\"]\nanonymous = yes\n"
		"[oci \"oci://r.example/\"]\nusers = 1000\n"
		"[policy]\nallow = oci://plain.example/\n");
	WITH_CREDENTIALS(open);
	WITH_CREDENTIALS(lent);
	WITH_CREDENTIALS(allowed);
	struct err err = ERR_INIT;

	cr_assert_null(check_load(&home, &open_uri, &open, "oci://r.example/open/a:v1")->user);
	cr_assert_eq(load(&home.config, &lent_uri, "oci://r.example/a:v1", USER, &lent, &err), 0,
		"%s", err.msg);
	cr_assert_str_eq(credentials_access(&lent)->oci->user, "me");
	cr_assert_eq(
		load(&home.config, &allowed_uri, "oci://plain.example/a:v1", USER, &allowed, &err),
		0, "%s", err.msg);
	cr_assert_null(credentials_access(&allowed)->oci->user);
}

Test(oci_sections, what_makes_no_sense_in_dockers_is_told)
{
	static const char *const texts[] = {"", "{", "[]",
		"{\"auths\":{\"r.example\":{\"auth\":\"!\"}}}",
		"{\"auths\":{\"r.example\":{\"auth\":\"bWU=\"}}}"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		WITH_HOME(home, texts[i], "");
		WITH_CREDENTIALS(is);
		struct err err = ERR_INIT;

		cr_assert_eq(load(&home.config, &is_uri, "oci://r.example/a:v1", OWNER, &is, &err),
			-EACCES, "%s", texts[i]);
		cr_assert(strstr(err.msg, "/.docker/config.json: "), "%s", err.msg);
	}
}

Test(oci_sections, values_make_sense_or_are_refused)
{
	static const char *const platforms[] = {
		"linux", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64", "linux amd64"};

	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++) {
		CLEANUP(str_freep)
		char *text =
			str_printf("[oci \"oci://r.example/\"]\nplatform = %s\n", platforms[i]);

		check_refused(text, "platform");
	}
	check_refused("[oci \"oci://r.example/\"]\nendpoint = ftp://x/\n", "endpoint");
	check_refused("[oci \"https://r.example/\"]\n", "oci://registry/");
	check_refused("[origin \"oci://r.example/\"]\n", "[oci \"oci://registry/\"]");
	check_refused("[oci \"oci://r.example/\"]\nanonymous = yes\nuser_file = /x\n", "exclude");
	check_refused("[oci \"oci://r.example/\"]\ncredentials = /y\nuser_file = /x\n", "exclude");
}

Test(oci_sections, where_a_registry_is_decides_how_to_get_there)
{
	WITH_CONFIG(config, "[oci \"oci://r.example/\"]\nendpoint = http://r.lan:5000\n");
	static const char *const cases[][2] = {{"oci://r.example/a:v1", "http://r.lan:5000/"},
		{"oci://x.example:5000/a:v1", "https://x.example:5000/"},
		{"oci://x.example/a:v1", "https://x.example/"}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(uri_release) struct uri uri = {0};
		CLEANUP(uri_release) struct uri where = {0};

		cr_assert_eq(uri_parse(cases[i][0], &uri, NULL), 0);
		cr_assert_eq(credentials_oci_where(&config, &uri, &where, NULL), 0);
		cr_assert_str_eq(where.text, cases[i][1]);
	}
}
