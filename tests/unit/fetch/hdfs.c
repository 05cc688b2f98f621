/* What sections [hdfs "…"] and [hadoop "…"] mean: whom they serve, as whom, and where they lead. */
#include "fetch/credentials.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/policy.h"
#include "tests/support/tmpdir.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum { OWNER = 500, USER = 1000, OTHER = 1001 };

static const uint8_t secret[DIGEST_SIZE] = {1, 2, 3};

static int load_config(
	const char *text, const char *const *environment, struct config *ret, struct err *err)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = str_printf("%s/test.conf", dir);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
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

Test(hdfs, only_the_owner_needs_no_section)
{
	WITH_CONFIG(config, "[hdfs \"hdfs://nn/\"]\n[hadoop \"gs://b/\"]\nusers = 1000\n");
	struct decision decision;
	struct err err = ERR_INIT;

	cr_assert(may(&config, "hdfs://other/a", OWNER));
	cr_assert(may(&config, "gs://other/a", OWNER));
	cr_assert_eq(decide(&config, "hdfs://other/a", USER, &decision, &err), -EACCES);
	cr_assert(strstr(err.msg, "add a section [hdfs \"hdfs://other/\"]"), "%s", err.msg);
	cr_assert_eq(decide(&config, "gs://other/a", USER, &decision, &err), -EACCES);
	cr_assert(strstr(err.msg, "add a section [hadoop \"gs://other/\"]"), "%s", err.msg);
	cr_assert(may(&config, "hdfs://nn/a", USER));
	cr_assert(may(&config, "gs://b/a", USER));
	cr_assert_not(may(&config, "gs://b/a", OTHER));
}

Test(hdfs, what_the_owner_opens_without_a_section_is_his)
{
	WITH_CONFIG(config, "[hdfs \"hdfs://nn/\"]\n[hdfs \"hdfs://own/\"]\nuser = me\n"
			    "[hadoop \"gs://b/\"]\n[hadoop \"gs://c/\"]\nanonymous = yes\n");
	static const struct {
		const char *uri;
		const char *scope; /* what it begins with; "": it is public */
	} cases[] = {
		{"hdfs://other/a", "uid:500"},
		{"gs://other/a", "uid:500"},
		{"hdfs://nn/a", ""},
		{"hdfs://own/a", "origin:"},
		{"gs://b/a", "origin:"},
		{"gs://c/a", ""},
		{"hdfs://me@nn/a", "user:"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct decision decision;

		cr_assert_eq(decide(&config, cases[i].uri, OWNER, &decision, NULL), 0);
		cr_assert(str_has_prefix(decision.scope, cases[i].scope), "%s: %s", cases[i].uri,
			decision.scope);
		cr_assert_eq(!decision.scope[0], !cases[i].scope[0], "%s", cases[i].uri);
	}
}

Test(hdfs, who_is_believed_is_the_owner_only)
{
	WITH_CONFIG(config,
		"[hdfs \"hdfs://nn/\"]\n[hdfs \"hdfs://own/\"]\nuser = me\nusers = 1000\n"
		"[hadoop \"wasb://h/\"]\nusers = 1000\n");

	cr_assert(may(&config, "hdfs://alice@nn/a", OWNER));
	cr_assert_not(may(&config, "hdfs://alice@nn/a", USER));
	cr_assert_not(may(&config, "hdfs://me@own/a", USER));
	cr_assert_not(may(&config, "hdfs://me@own/a", OTHER));
	/* there it is no user, but a part of the place */
	/* no section can say which containers its users may have */
	cr_assert(may(&config, "wasb://h/a", USER));
	cr_assert_not(may(&config, "wasb://h/a", OTHER));
	cr_assert(may(&config, "wasb://box@h/a", OWNER));
	cr_assert_not(may(&config, "wasb://box@h/a", USER));
}

Test(hdfs, a_section_opens_its_namenodes_and_the_datanodes_it_names)
{
	WITH_CONFIG(config,
		"[hdfs \"hdfs://nn/\"]\nendpoint = http://nn1.lan:9870, https://nn2.lan/gw\n"
		"datanodes = .dn.lan, 10.2.0.0/16, 169.254.0.0/16\n"
		"[hdfs \"hdfs://own.lan/\"]\n");
	struct decision decision, own;

	cr_assert_eq(decide(&config, "hdfs://nn/a", USER, &decision, NULL), 0);
	cr_assert(may_go(&decision, "http://nn1.lan:9870/webhdfs/v1/a?op=OPEN", "10.1.1.1"));
	cr_assert(may_go(&decision, "https://nn2.lan/gw/webhdfs/v1/a", "10.1.1.1"));
	cr_assert_not(may_go(&decision, "https://nn2.lan/webhdfs/v1/a", "10.1.1.1"));
	cr_assert_not(may_go(&decision, "http://nn1.lan:9864/a", "10.1.1.1"));
	cr_assert(may_go(&decision, "http://a.dn.lan:9864/a", "10.1.1.1"));
	cr_assert(may_go(&decision, "http://whatever.lan:9864/a", "10.2.1.1"));
	cr_assert(may_go(&decision, "http://10.2.1.1:9864/a", "10.2.1.1"));
	cr_assert_not(may_go(&decision, "http://whatever.lan:9864/a", "10.3.1.1"));
	cr_assert_not(may_go(&decision, "http://10.3.1.1:9864/a", "10.3.1.1"));
	cr_assert_not(may_go(&decision, "http://127.0.0.1/a", "127.0.0.1"));
	cr_assert_not(may_go(&decision, "http://169.254.169.254/a", "169.254.169.254"));
	cr_assert_not(may_go(&decision, "http://a.dn.lan/a", "169.254.169.254"));

	/* by its name, when it has no other */
	cr_assert_eq(decide(&config, "hdfs://own.lan/a", USER, &own, NULL), 0);
	cr_assert(may_go(&own, "http://own.lan:9870/webhdfs/v1/a", "10.1.1.1"));
	cr_assert_not(may_go(&own, "http://a.dn.lan:9864/a", "10.2.1.1"));
	/* and these places are nothing to who asks for something else */
	cr_assert_not(may(&config, "http://10.2.1.1:9864/a", USER));
}

Test(hdfs, a_section_says_where_and_who)
{
	WITH_CONFIG(config, "[hdfs \"hdfs://nn/\"]\nendpoint = http://nn1:9870\n  http://nn2:9870\n"
			    "user = me\nusers = 1000\nconf_dir = /etc/hadoop\n");
	WITH_CREDENTIALS(is);
	struct err err = ERR_INIT;
	const struct access_hdfs *hdfs;

	cr_assert_eq(load(&config, &is_uri, "hdfs://nn/a", USER, &is, &err), 0, "%s", err.msg);
	hdfs = credentials_access(&is)->hdfs;
	cr_assert_str_eq(hdfs->endpoints[0], "http://nn1:9870/");
	cr_assert_str_eq(hdfs->endpoints[1], "http://nn2:9870/");
	cr_assert_null(hdfs->endpoints[2]);
	cr_assert_str_eq(hdfs->user, "me");
	cr_assert_str_eq(hdfs->conf_dir, "/etc/hadoop");
	cr_assert_null(hdfs->token);
}

Test(hdfs, a_token_is_read_from_its_file)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = str_printf("%s/token", dir);
	CLEANUP(str_freep)
	char *text = str_printf("[hdfs \"hdfs://nn/\"]\ntoken_file = %s\n", path);
	WITH_CONFIG(config, text);
	WITH_CREDENTIALS(none);
	WITH_CREDENTIALS(is);
	WITH_CREDENTIALS(nonsense);
	struct err err = ERR_INIT;
	int fd;

	cr_assert_eq(load(&config, &none_uri, "hdfs://nn/a", OWNER, &none, &err), -EACCES);
	cr_assert(strstr(err.msg, "token_file of [hdfs \"hdfs://nn/\"]"), "%s", err.msg);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(fd_write_all(fd, "HAAEcm9vdA_-=\n", 14), 0);
	cr_assert_eq(load(&config, &is_uri, "hdfs://nn/a", OWNER, &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(credentials_access(&is)->hdfs->token, "HAAEcm9vdA_-=");
	cr_assert_eq(fd_write_all(fd, "hunter2\n", 8), 0);
	fd_close(&fd);
	cr_assert_eq(load(&config, &nonsense_uri, "hdfs://nn/a", OWNER, &nonsense, &err), -EACCES);
	cr_assert_not(strstr(err.msg, "hunter2"), "%s", err.msg);
}

Test(hdfs, the_owner_is_who_he_is_unless_the_environment_says_otherwise)
{
	static const char *const environment[] = {
		"HADOOP_CONF_DIR=/conf", "HADOOP_USER_NAME=somebody", NULL};
	CLEANUP(config_release) struct config config = loaded("", environment);
	CLEANUP(config_release) struct config bare = loaded("", NULL);
	WITH_CREDENTIALS(is);
	WITH_CREDENTIALS(me);
	WITH_CREDENTIALS(named);
	struct err err = ERR_INIT;

	cr_assert_eq(load(&config, &is_uri, "hdfs://nn/a", OWNER, &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(is.hdfs.user, "somebody");
	cr_assert_str_eq(is.hdfs.conf_dir, "/conf");
	cr_assert_eq(load(&bare, &me_uri, "hdfs://nn/a", OWNER, &me, &err), 0, "%s", err.msg);
	cr_assert_str_eq(me.hdfs.user, getpwuid(geteuid())->pw_name);
	cr_assert_null(me.hdfs.conf_dir);
	/* the URI's own word */
	cr_assert_eq(load(&config, &named_uri, "hdfs://me@nn/a", OWNER, &named, &err), 0);
	cr_assert_null(named.hdfs.user);
}

Test(hdfs, the_client_asks_for_nobody_but_the_owner_and_whom_he_names)
{
	WITH_CONFIG(config,
		"[hadoop \"gs://b/\"]\nusers = 1000\n[hadoop \"gs://c/\"]\nanonymous = yes\n"
		"[policy]\nallow = gs://d/\n");
	WITH_CREDENTIALS(is);
	struct err err = ERR_INIT;

	cr_assert_eq(load(&config, &is_uri, "gs://b/a", USER, &is, &err), 0, "%s", err.msg);
	uri_release(&is_uri);
	cr_assert_eq(load(&config, &is_uri, "gs://b/a", OTHER, &is, &err), -EACCES);
	uri_release(&is_uri);
	cr_assert_eq(load(&config, &is_uri, "gs://c/a", OTHER, &is, &err), 0, "%s", err.msg);
	uri_release(&is_uri);
	/* allowed is not the same as lent the owner's keys */
	cr_assert_eq(load(&config, &is_uri, "gs://d/a", OTHER, &is, &err), -EACCES);
	uri_release(&is_uri);
	cr_assert_eq(load(&config, &is_uri, "gs://x/a", OWNER, &is, &err), 0, "%s", err.msg);
}

Test(hdfs, sections_that_make_no_sense_are_refused)
{
	check_refused("[hdfs]\nlist = yes\n", "[hdfs \"hdfs://namenode/\"]");
	check_refused("[hdfs \"https://h/\"]\n", "[hdfs]: its prefix is such as hdfs://");
	check_refused("[origin \"hdfs://h/\"]\n", "a section for hdfs is [hdfs ");
	check_refused("[s3 \"webhdfs://h/\"]\n", "a section for webhdfs is [hdfs ");
	check_refused("[hdfs \"hdfs://h/\"]\nendpoint = h:9870\n", "endpoint");
	check_refused("[hdfs \"hdfs://h/\"]\nendpoint = hdfs://h/\n", "a URI such as");
	check_refused("[hdfs \"hdfs://h/\"]\nconf_dir = conf\n", "absolute path");
	check_refused("[hdfs \"hdfs://h/\"]\ndatanodes = http://h/\n", "hosts such as");
	check_refused("[hadoop \"s3://b/\"]\n", "a section for s3 is [s3 ");
	check_refused("[hadoop \"xyz://b/\"]\n", "xyz is not one of 'hadoop_schemes'");
	check_refused("[hadoop \"hdfs://b/\"]\n", "hdfs is not one of 'hadoop_schemes'");
	check_refused("[origin \"gs://b/\"]\n", "gs is for Hadoop's client");
	check_refused("[fetch]\nhadoop_schemes = gs, https\n", "a scheme for Hadoop's client");
	check_refused("[fetch]\nhadoop_schemes = file\n", "a scheme for Hadoop's client");
	check_refused("[fetch]\nhadoop_schemes = GS\n", "a scheme for Hadoop's client");
	check_refused("[fetch]\nhadoop = hadoop\n", "absolute path");
}

Test(hdfs, schemes_for_the_client_are_those_that_are_configured)
{
	WITH_CONFIG(usual, "");
	WITH_CONFIG(own, "[fetch]\nhadoop_schemes = hdfs xyz\n[hadoop \"hdfs://nn/\"]\n");

	cr_assert(config_is_hadoop(&usual, "gs"));
	cr_assert(config_is_hadoop(&usual, "har"));
	cr_assert_not(config_is_hadoop(&usual, "hdfs"));
	cr_assert_not(config_is_hadoop(&usual, "https"));
	cr_assert(config_is_hadoop(&own, "hdfs"));
	cr_assert(config_is_hadoop(&own, "xyz"));
	cr_assert_not(config_is_hadoop(&own, "gs"));
	cr_assert_null(own.hadoop_schemes.items[own.hadoop_schemes.count]);
}
