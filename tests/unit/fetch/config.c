#include "fetch/config.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* @text as a file below @dir; the path is the caller's. */
static char *file_with(const char *dir, const char *name, const char *text)
{
	char *path = str_printf("%s/%s", dir, name);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	return path;
}

static int load(const char *text, bool lenient, struct config *ret, struct err *err)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = file_with(dir, "test.conf", text);

	return config_load(path, NULL, lenient, ret, err);
}

static struct config loaded(const char *text)
{
	struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(load(text, false, &config, &err), 0, "%s", err.msg);
	return config;
}

static void check_refused(const char *text, const char *why)
{
	struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_lt(load(text, false, &config, &err), 0, "%s", text);
	cr_assert(strstr(err.msg, why), "'%s' says '%s', not '%s'", text, err.msg, why);
	cr_assert_null(config.allow.items);
}

Test(config, an_empty_file_leaves_the_defaults)
{
	CLEANUP(config_release) struct config config = loaded("");

	cr_assert_null(config.dir);
	cr_assert_eq(config.size, 0);
	cr_assert_eq(config.min_free_percent, 5);
	cr_assert_eq(config.connections, 32);
	cr_assert_eq(config.per_host, 8);
	cr_assert_eq(config.stall_ms, 60000);
	cr_assert_eq(config.connect_ms, 10000);
	cr_assert_eq(config.total_ms, 0);
	cr_assert_eq(config.retries, 3);
	cr_assert_eq(config.ttl_ms, 300000);
	cr_assert_eq(config.negative_ttl_ms, 10000);
	cr_assert_not(config.hardlink);
	cr_assert_not(config.private_allowed);
}

Test(config, every_key_is_understood)
{
	CLEANUP(config_release)
	struct config config =
		loaded("# a comment\n[cache]\ndir = /var/c\nsize = 10G\n"
		       "min_free = 1GiB\nhardlink = yes\n\n"
		       "[fetch]\nconnections=4\nper_host: 2\nstall = 5s\nconnect = 500ms\n"
		       "total = 1h\nretries = 0\nttl = 1d ; a day\nnegative_ttl = 0\n"
		       "ca_file = /etc/ca.pem\n"
		       "[policy]\nprivate = allow\nfile = /srv/a/, /srv/b\n");

	cr_assert_str_eq(config.dir, "/var/c");
	cr_assert_eq(config.size, 10737418240);
	cr_assert_eq(config.min_free, 1073741824);
	cr_assert_eq(config.min_free_percent, 0);
	cr_assert(config.hardlink);
	cr_assert_eq(config.connections, 4);
	cr_assert_eq(config.per_host, 2);
	cr_assert_eq(config.stall_ms, 5000);
	cr_assert_eq(config.connect_ms, 500);
	cr_assert_eq(config.total_ms, 3600000);
	cr_assert_eq(config.retries, 0);
	cr_assert_eq(config.ttl_ms, 86400000);
	cr_assert_eq(config.negative_ttl_ms, 0);
	cr_assert_str_eq(config.ca_file, "/etc/ca.pem");
	cr_assert(config.private_allowed);
	cr_assert_eq(config.file_roots.count, 2);
	cr_assert_str_eq(config.file_roots.items[0], "/srv/a");
	cr_assert_str_eq(config.file_roots.items[1], "/srv/b");
}

Test(config, a_list_grows_by_comma_line_and_key)
{
	CLEANUP(config_release)
	struct config config = loaded("[policy]\nallow = HTTP://A:80, http://b/x\n\thttp://c/\n"
				      "deny = ftp://d\nallow = s3://bucket\n");

	cr_assert_eq(config.allow.count, 4);
	cr_assert_str_eq(config.allow.items[0], "http://a/");
	cr_assert_str_eq(config.allow.items[1], "http://b/x");
	cr_assert_str_eq(config.allow.items[2], "http://c/");
	cr_assert_str_eq(config.allow.items[3], "s3://bucket/");
	cr_assert_eq(config.deny.count, 1);
}

Test(config, the_free_part_may_be_a_percentage)
{
	CLEANUP(config_release)
	struct config config = loaded("[cache]\nmin_free = 1G\nmin_free = 10%\n");

	cr_assert_eq(config.min_free, 0);
	cr_assert_eq(config.min_free_percent, 10);
}

Test(config, what_is_unknown_is_named_with_file_and_line)
{
	check_refused("[fetch]\n\nstal = 5s\n",
		"test.conf:3: unknown key 'stal' in [fetch] (did you mean 'stall'?)");
	check_refused(
		"[fetch]\nproxy = http://p/\n", "test.conf:2: unknown key 'proxy' in [fetch]");
	check_refused(
		"[cache]\n[s3 \"s3://b/\"]\n", "test.conf:2: unknown section [s3 \"s3://b/\"]");
	check_refused("stall = 5s\n", "test.conf:1: key 'stall' before any [section]");
	check_refused("[cache]\nnonsense\n", "test.conf:2: neither");
}

Test(config, a_value_that_makes_no_sense_is_refused)
{
	check_refused("[cache]\nsize = big\n", "test.conf:2: size: 'big' is not a size");
	check_refused("[cache]\nmin_free = 100%\n", "min_free");
	check_refused("[cache]\nhardlink = maybe\n", "'no' or 'yes'");
	check_refused("[cache]\ndir = here\n", "absolute path");
	check_refused("[fetch]\nconnections = 0\n", "a number from 1 to 1000");
	check_refused("[fetch]\nretries = -1\n", "retries");
	check_refused("[fetch]\nretries = 1x\n", "retries");
	check_refused("[fetch]\nstall = 0\n", "duration");
	check_refused("[fetch]\nstall = soon\n", "duration");
	check_refused("[policy]\nallow = example.org\n", "allow: malformed URI");
	check_refused("[policy]\nallow = http://h/ # all\n", "no blank or fragment");
	check_refused("[policy]\nallow = http://u:p@h/\n", "a URI prefix has no user");
	check_refused("[policy]\nfile = /srv/../etc\n", "without '.' and '..'");
	check_refused("[policy]\nfile = srv\n", "absolute path");
}

Test(config, a_password_in_a_prefix_is_not_repeated)
{
	struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_lt(load("[policy]\nallow = http://u:hunter2@h/\n", false, &config, &err), 0);
	cr_assert_null(strstr(err.msg, "hunter2"), "%s", err.msg);
}

Test(config, an_overlong_line_is_refused)
{
	char text[2048] = "[policy]\nallow = http://h/";

	memset(text + strlen(text), 'a', 1000);
	check_refused(text, "test.conf:2: the line is longer than");
}

Test(config, lenient_only_warns_of_the_unknown)
{
	CLEANUP(config_release) struct config config = {0};
	struct config bad = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(load("[fetch]\nlazy = yes\nretries = 1\n[oci \"x\"]\nusers = a\n[cache]\nsize "
			  "= 2G\n",
			     true, &config, &err),
		0, "%s", err.msg);
	cr_assert_eq(err.code, 0);
	cr_assert_eq(config.retries, 1);
	cr_assert_eq(config.size, 2147483648);
	cr_assert_eq(config.warnings.count, 2);
	cr_assert(str_has_suffix(
		config.warnings.items[0], "test.conf:2: unknown key 'lazy' in [fetch]"));
	cr_assert(str_has_suffix(
		config.warnings.items[1], "test.conf:4: unknown section [oci \"x\"]"));
	cr_assert_lt(load("[cache]\nsize = big\n", true, &bad, NULL), 0);
}

Test(config, a_named_file_must_exist)
{
	const char *const environment[] = {"FETCHFS_CONFIG=/nonexistent/b.conf", NULL};
	struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(config_load("/nonexistent/a.conf", NULL, false, &config, &err), -ENOENT);
	cr_assert(strstr(err.msg, "/nonexistent/a.conf"));
	cr_assert_eq(config_load(NULL, environment, false, &config, &err), -ENOENT);
	cr_assert(strstr(err.msg, "/nonexistent/b.conf"));
}

Test(config, the_users_file_is_found)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *folder = str_printf("%s/fetchfs", dir);
	CLEANUP(str_freep) char *variable = str_printf("XDG_CONFIG_HOME=%s", dir);
	CLEANUP(str_freep) char *path = NULL;
	const char *const environment[] = {"HOME=/nonexistent", variable, NULL};
	CLEANUP(config_release) struct config config = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(mkdir(folder, 0700), 0);
	path = file_with(folder, "fetchfs.conf", "[fetch]\nretries = 7");
	cr_assert_eq(config_load(NULL, environment, false, &config, &err), 0, "%s", err.msg);
	cr_assert_eq(config.retries, 7);
}

Test(config, a_variable_is_found_by_its_whole_name)
{
	const char *const environment[] = {"AB=1", "A=2", NULL};

	cr_assert_str_eq(config_env(environment, "A"), "2");
	cr_assert_null(config_env(environment, "B"));
	cr_assert_null(config_env(NULL, "A"));
}
