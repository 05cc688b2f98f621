/* Which namenodes the host of a URI stands for. */
#include "backends/webhdfs_place.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PROPERTY(name, value) "<property><name>" name "</name><value>" value "</value></property>\n"

static void put(const char *dir, const char *name, const char *properties)
{
	CLEANUP(str_freep) char *path = str_printf("%s/%s", dir, name);
	CLEANUP(str_freep)
	char *text = str_printf("<?xml version=\"1.0\"?>\n"
				"<?xml-stylesheet type=\"text/xsl\" href=\"configuration.xsl\"?>\n"
				"<!-- a comment -->\n<configuration>\n%s</configuration>\n",
		properties);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

/* The nodes, with a blank behind each, or the text of what went wrong. */
static char *nodes_of(const char *text, const struct access_hdfs *access)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(webhdfs_place_release) struct webhdfs_place place;
	struct err err = ERR_INIT;
	char *ret = str_copy("");

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s", err.msg);
	if (webhdfs_place_init(&place, &uri, access, &err) < 0) {
		free(ret);
		return str_copy(err.msg);
	}
	for (size_t i = 0; i < place.count; i++) {
		char *longer = str_printf("%s%s ", ret, place.nodes[i]);

		free(ret);
		ret = longer;
	}
	return ret;
}

static void check(const char *uri, const struct access_hdfs *access, const char *want)
{
	CLEANUP(str_freep) char *is = nodes_of(uri, access);

	cr_assert_str_eq(is, want, "%s: %s", uri, is);
}

/* With these as Hadoop's files. */
static void check_conf(const char *core, const char *hdfs, const char *uri, const char *want)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	const struct access_hdfs access = {.conf_dir = dir};

	put(dir, "core-site.xml", core);
	put(dir, "hdfs-site.xml", hdfs);
	check(uri, &access, want);
}

Test(webhdfs_place, without_a_word_it_is_the_host_at_the_usual_port)
{
	const struct access_hdfs none = {.user = NULL};

	check("hdfs://nn/a", &none, "http://nn:9870/ ");
	check("hdfs://nn:8020/a", &none, "http://nn:9870/ ");
	check("hdfs://nn:9000/a", &none, "http://nn:9870/ ");
	check("webhdfs://nn/a", &none, "http://nn:9870/ ");
	check("webhdfs://nn:50070/a", &none, "http://nn:50070/ ");
	check("swebhdfs://nn/a", &none, "https://nn:9871/ ");
	check("swebhdfs://nn:50470/a", &none, "https://nn:50470/ ");
	check("hdfs://[::1]/a", &none, "http://[::1]:9870/ ");
}

Test(webhdfs_place, the_configuration_has_the_first_word)
{
	const char *const nodes[] = {"http://a:1/", "https://b/gateway/", NULL};
	const struct access_hdfs access = {.endpoints = nodes, .conf_dir = "/nowhere"};

	check("hdfs://nn/a", &access, "http://a:1/ https://b/gateway/ ");
}

#define SERVICE                                                                                    \
	PROPERTY("dfs.nameservices", "other, prod")                                                \
	PROPERTY("dfs.ha.namenodes.prod", " nn1,nn2 ")                                             \
	PROPERTY("dfs.namenode.http-address.prod.nn1", "m1:9870")                                  \
	PROPERTY("dfs.namenode.https-address.prod.nn1", "m1:9871")                                 \
	PROPERTY("dfs.namenode.rpc-address.prod.nn1", "m1:8020")                                   \
	PROPERTY("dfs.namenode.rpc-address.prod.nn2", "m2:8021")                                   \
	PROPERTY("dfs.namenode.http-address.other", "0.0.0.0:50070")

Test(webhdfs_place, a_logical_name_is_of_all_its_namenodes)
{
	check_conf("", SERVICE, "hdfs://prod/a", "http://m1:9870/ http://m2:9870/ ");
	check_conf("", SERVICE, "hdfs://PROD/a", "http://m1:9870/ http://m2:9870/ ");
	check_conf("", SERVICE, "webhdfs://prod/a", "http://m1:9870/ http://m2:9870/ ");
	check_conf("", SERVICE, "swebhdfs://prod/a", "https://m1:9871/ https://m2:9871/ ");
	check_conf(PROPERTY("dfs.http.policy", "HTTPS_ONLY"), SERVICE, "hdfs://prod/a",
		"https://m1:9871/ https://m2:9871/ ");
	/* with a port it is a host */
	check_conf("", SERVICE, "hdfs://prod:1234/a", "http://prod:9870/ ");
	check_conf("", SERVICE, "hdfs://other/a", "http://other:50070/ ");
}

Test(webhdfs_place, a_namenode_is_known_by_its_own_address_too)
{
	check_conf("", SERVICE, "hdfs://m1/a", "http://m1:9870/ ");
	check_conf("", SERVICE, "hdfs://m2:8021/a", "http://m2:9870/ ");
	check_conf("", SERVICE, "hdfs://m2/a", "http://m2:9870/ ");
	check_conf(PROPERTY("fs.defaultFS", "hdfs://single:8020/"),
		PROPERTY("dfs.namenode.http-address", "web:1234"), "hdfs://single/a",
		"http://web:1234/ ");
	check_conf(PROPERTY("fs.defaultFS", "hdfs://single"),
		PROPERTY("dfs.namenode.http-address", "0.0.0.0:1234"), "hdfs://single/a",
		"http://single:1234/ ");
	check_conf(PROPERTY("fs.defaultFS", "hdfs://single"),
		PROPERTY("dfs.namenode.http-address", "web:1234"), "hdfs://another/a",
		"http://another:9870/ ");
	check_conf(
		"", PROPERTY("dfs.http.policy", "HTTPS_ONLY"), "hdfs://nn/a", "https://nn:9871/ ");
}

Test(webhdfs_place, what_is_not_there_or_not_understood_says_nothing)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	const struct access_hdfs empty = {.conf_dir = dir};

	check("hdfs://nn/a", &empty, "http://nn:9870/ ");
	check_conf(PROPERTY("fs.defaultFS", "hdfs://nn"),
		PROPERTY("dfs.namenode.http-address", "${web}:1"), "hdfs://nn/a",
		"http://nn:9870/ ");
	/* the last word counts */
	check_conf(PROPERTY("fs.defaultFS", "hdfs://nn"),
		PROPERTY("dfs.namenode.http-address", "a:1")
			PROPERTY("dfs.namenode.http-address", "b:1"),
		"hdfs://nn/a", "http://b:1/ ");
	check_conf("<property><value>x</value></property><property/>", "", "hdfs://nn/a",
		"http://nn:9870/ ");
}

Test(webhdfs_place, files_that_are_broken_are_named)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	const struct access_hdfs access = {.conf_dir = dir};
	CLEANUP(str_freep) char *is = NULL;

	put(dir, "core-site.xml", "<property>");
	is = nodes_of("hdfs://nn/a", &access);
	cr_assert(strstr(is, "core-site.xml"), "%s", is);
}

Test(webhdfs_place, more_namenodes_than_anybody_has_are_refused)
{
	const char *nodes[WEBHDFS_NODES_MAX + 2] = {NULL};
	const struct access_hdfs access = {.endpoints = nodes};
	CLEANUP(str_freep) char *is = NULL;

	for (size_t i = 0; i < WEBHDFS_NODES_MAX; i++)
		nodes[i] = "http://a/";
	is = nodes_of("hdfs://nn/a", &access);
	cr_assert(str_has_prefix(is, "http"), "%s", is);
	nodes[WEBHDFS_NODES_MAX] = "http://a/";
	check("hdfs://nn/a", &access, "more than 16 namenodes");
}
