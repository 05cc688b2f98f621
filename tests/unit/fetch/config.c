#include "fetch/config.h"

#include "backends/backend.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/fetchfs.h"
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
	cr_assert_eq(config.connections, 200);
	cr_assert_eq(config.per_host, 50);
	cr_assert_eq(config.turns, 8);
	cr_assert_eq(config.hadoop_clients, 4);
	cr_assert_eq(config.stall_ms, 60000);
	cr_assert_eq(config.connect_ms, 10000);
	cr_assert_eq(config.total_ms, 0);
	cr_assert_eq(config.retries, 5);
	cr_assert_eq(config.ttl_ms, 300000);
	cr_assert_eq(config.negative_ttl_ms, 10000);
	cr_assert_not(config.hardlink);
	cr_assert_not(config.force);
	cr_assert_not(config.private_allowed);
}

Test(config, every_key_is_understood)
{
	CLEANUP(config_release)
	struct config config = loaded(
		"# a comment\n[cache]\ndir = /var/c\nsize = 10G\n"
		"min_free = 1GiB\nhardlink = yes\nforce = yes\n\n"
		"[fetch]\nconnections=4\nper_host: 2\nper_user = 0\nstall = 5s\nconnect = 500ms\n"
		"total = 1h\nretries = 0\nttl = 1d ; a day\nnegative_ttl = 0\n"
		"ca_file = /etc/ca.pem\n"
		"[policy]\nprivate = allow\nfile = /srv/a/, /srv/b\n");

	cr_assert_str_eq(config.dir, "/var/c");
	cr_assert_eq(config.size, 10737418240);
	cr_assert_eq(config.min_free, 1073741824);
	cr_assert_eq(config.min_free_percent, 0);
	cr_assert(config.hardlink);
	cr_assert(config.force);
	cr_assert_eq(config.connections, 4);
	cr_assert_eq(config.per_host, 2);
	cr_assert_eq(config.turns, 0);
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
		"[fetch]\nbandwidth = 1\n", "test.conf:2: unknown key 'bandwidth' in [fetch]");
	check_refused("[origin \"http://h/\"]\nmirror = http://m/\n",
		"test.conf:2: unknown key 'mirror' in [origin] (did you mean 'mirrors'?)");
	check_refused(
		"[fecth]\nx = 1\n", "test.conf:1: unknown section [fecth] (did you mean 'fetch'?)");
	check_refused("[cache]\n[hbase \"x\"]\n", "test.conf:2: unknown section [hbase \"x\"]");
	check_refused("[s3 \"s3://b/\"]\nendpoints = http://h\n",
		"test.conf:2: unknown key 'endpoints' in [s3] (did you mean 'endpoint'?)");
	check_refused(
		"[s3 \"s3://b/\"]\nbearer = x\n", "test.conf:2: unknown key 'bearer' in [s3]");
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

Test(config, a_line_may_be_long_but_not_endless)
{
	static char text[20 * 1024] = "[origin \"http://h/\"]\nheader = X-Long: ";
	size_t start = strlen(text);

	memset(text + start, 'a', 16 * 1024 - strlen("header = X-Long: "));
	{
		CLEANUP(config_release) struct config config = loaded(text);

		cr_assert_eq(strlen(config.origins[0].headers.items[0]), 16 * 1024 - 9);
	}
	strcat(text, "a");
	check_refused(text, "test.conf:2: the line is longer than 16384 bytes");
}

Test(config, the_form_of_a_line_is_free_within_reason)
{
	CLEANUP(config_release)
	struct config config = loaded("\xef\xbb\xbf[ cache ] # whose\r\n  size=1G\r\n"
				      "\thardlink =yes\r\n\r\n;size = 2G\r\n  # size = 3G\r\n"
				      "[fetch]\nretries: 5 ; tries");

	cr_assert_eq(config.size, 1073741824);
	cr_assert(config.hardlink);
	cr_assert_eq(config.retries, 5);
	check_refused("[cache\nsize = 1G\n", "test.conf:1: neither");
	check_refused("[cache] x\n", "test.conf:1: neither");
	check_refused("[origin \"http://h/]\n", "test.conf:1: neither");
	check_refused("[cache]\n= 1\n", "test.conf:2: neither");
	check_refused("[cache]\nsize = 1G\n 2G\n", "test.conf:3: a line that begins with a blank");
	check_refused("[cache]\nsize = 1G\rx\n", "test.conf:2: the line has a control character");
	check_refused("[origin]\n", "test.conf:1: a section [origin] has a URI prefix");
	check_refused("[origin \"h\"]\n", "test.conf:1: [origin]: malformed URI");
	check_refused(
		"[origin \"http://h/?q\"]\n", "test.conf:1: [origin]: a URI prefix has no query");
	check_refused("[cache \"x\"]\n", "test.conf:1: unknown section [cache \"x\"]");
}

Test(config, the_limits_of_transfers_are_understood)
{
	CLEANUP(config_release)
	struct config config = loaded("[fetch]\nfirst_byte = 7s\nstall_rate = 10K\n"
				      "stale_if_error = 0\nlazy = ranges\n"
				      "lookup_head = all\n");

	cr_assert_eq(config.first_byte_ms, 7000);
	cr_assert_eq(config.stall_rate, 10240);
	cr_assert_eq(config.stale_if_error_ms, 0);
	cr_assert(config.lazy_ranges);
	cr_assert_eq(config.lookup_head, FETCHFS_HEAD_ALL);
	check_refused("[fetch]\nstall_rate = 0\n", "stall_rate");
	check_refused("[fetch]\nlazy = yes\n", "'no' or 'ranges'");
	check_refused("[fetch]\nlookup_head = yes\n", "'suffix', 'none' or 'all'");
}

Test(config, an_origin_has_a_section)
{
	CLEANUP(config_release)
	struct config config = loaded(
		"[origin \"HTTPS://H.example:443/dist/\"]\n"
		"mirrors = http://m1/a/, http://m2/\n\thttp://[::1]:8080/b/\n"
		"mirror_order = fastest\nproxy = direct\n"
		"user_file = /etc/f/user\nbearer = abc.DEF-1_2~+/==\n"
		"bearer_file = /run/token\nnetrc = /etc/f/netrc\nclient_cert = /etc/f/c.pem\n"
		"header = X-Name:  a, b ; c\nheader: X-Other: d\n"
		"users = alice @ci, 1000\npublic_query = yes\nlist = yes\nttl = 1h\n"
		"[origin \"https://h.example/dist/sub\"]\n"
		"[origin \"https://[::1]/\"]\n"
		"[origin \"https://h.example/dist/\"]\nusers = bob\nttl = 2h\n");
	const struct origin *origin = config_origin(&config, "https://h.example/dist/x");

	cr_assert_eq(config.origin_count, 3);
	cr_assert_eq(origin, &config.origins[0]);
	cr_assert_str_eq(origin->prefix, "https://h.example/dist/");
	cr_assert_eq(origin->mirrors.count, 3);
	cr_assert_str_eq(origin->mirrors.items[2], "http://[::1]:8080/b/");
	cr_assert(origin->fastest);
	cr_assert_str_eq(origin->proxy, "direct");
	cr_assert_str_eq(origin->user_file, "/etc/f/user");
	cr_assert_str_eq(origin->bearer, "abc.DEF-1_2~+/==");
	cr_assert_str_eq(origin->bearer_file, "/run/token");
	cr_assert_str_eq(origin->netrc, "/etc/f/netrc");
	cr_assert_str_eq(origin->client_cert, "/etc/f/c.pem");
	cr_assert_eq(origin->headers.count, 2);
	cr_assert_str_eq(origin->headers.items[0], "X-Name: a, b ; c");
	cr_assert_str_eq(origin->headers.items[1], "X-Other: d");
	cr_assert_eq(origin->users.count, 4);
	cr_assert_str_eq(origin->users.items[1], "@ci"); /* sorted */
	cr_assert_str_eq(origin->users.items[3], "bob");
	cr_assert_eq(strlen(origin->id), 32);
	cr_assert(origin->public_query);
	cr_assert(origin->list);
	cr_assert(!config.origins[1].list);
	cr_assert_eq(origin->ttl_ms, 7200000);
	cr_assert_eq(config.origins[1].ttl_ms, -1);

	cr_assert_eq(config_origin(&config, "https://h.example/dist/sub/y"), &config.origins[1]);
	cr_assert_eq(config_origin(&config, "https://h.example/dist/sub?y"), &config.origins[1]);
	cr_assert_eq(config_origin(&config, "https://h.example/dist/subs"), &config.origins[0]);
	cr_assert_eq(config_origin(&config, "https://[::1]/"), &config.origins[2]);
	cr_assert_null(config_origin(&config, "https://h.example/distant"));
	cr_assert_null(config_origin(&config, "https://h.example/dist/..%2Fx"));
	cr_assert_null(config_origin(&config, "http://h.example/dist/x"));
}

#define ORIGIN "[origin \"http://h/\"]\n"

Test(config, what_an_origin_cannot_be_is_refused)
{
	static const char *const ours[] = {"Host", "range", "If-None-Match", "IF-RANGE",
		"Content-Length", "transfer-encoding", "Connection", "Accept-Encoding"};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		CLEANUP(str_freep) char *text = str_printf(ORIGIN "header = %s: x\n", ours[i]);

		check_refused(text, "is for the program to send");
	}
	check_refused(ORIGIN "header = X-Name\n", "is not 'Name: value'");
	check_refused(ORIGIN "header = X Name: a\n", "is not 'Name: value'");
	check_refused(ORIGIN "header = : a\n", "is not 'Name: value'");
	check_refused(ORIGIN "header = X-Name:\n", "is not 'Name: value'");
	check_refused(ORIGIN "header = X-Name: a\rHost: b\n", "control character");
	check_refused(ORIGIN "mirrors = http://m/a\n", "ends with '/'");
	check_refused(ORIGIN "mirrors = http://m/?a/\n", "ends with '/'");
	check_refused(
		"[origin \"http://h/a\"]\nmirrors = http://m/a/\n", "prefix that ends with '/'");
	check_refused(ORIGIN "mirror_order = best\n", "'listed' or 'fastest'");
	check_refused(ORIGIN "users = a@b\n", "is not a user");
	check_refused(ORIGIN "users = *x\n", "is not a user");
	check_refused(ORIGIN "user_file = here\n", "absolute path");
	check_refused(ORIGIN "public_query = maybe\n", "'no' or 'yes'");
	check_refused(ORIGIN "bearer = two words\n", "bearer: it is not a token");
}

Test(config, a_proxy_is_one_of_groups_of_servers)
{
	static const char *const bad[] = {"http://p/", "p:3128", "ftp://p:21", "http://p:1/x",
		"http://p:1?x", "direct;", "|direct", "http://p:1;;direct", "", "Direct",
		"http://p:1 http://q:1", "direct; environment"};
	CLEANUP(config_release)
	struct config config =
		loaded("[fetch]\nproxy = http://a:3128 | https://u:p@b:443 ; "
		       "socks5h://[::1]:1080;direct\n" ORIGIN "proxy = environment\n");

	cr_assert_str_eq(
		config.proxy, "http://a:3128|https://u:p@b:443;socks5h://[::1]:1080;direct");
	cr_assert_str_eq(config.origins[0].proxy, "environment");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(str_freep) char *text = str_printf("[fetch]\nproxy = %s\n", bad[i]);

		check_refused(text, "proxy: it is not");
	}
}

Test(config, a_secret_is_in_no_message)
{
	static const char *const texts[] = {
		ORIGIN "bearer = hunter2 hunter2\n",
		ORIGIN "bearer hunter2\n",
		ORIGIN "bearers = hunter2\n",
		ORIGIN "header = hunter2\n",
		ORIGIN "header = Host: hunter2\n",
		ORIGIN "bearer = x\n hunter2\n",
		ORIGIN "proxy = http://u:hunter2@p\n",
		"[fetch]\nproxy = http://u:hunter2@p/x\n",
		"[origin \"http://u:hunter2@h/\"]\n",
		"[origins \"http://u:hunter2@h/\"]\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct config config = {0};
		struct err err = ERR_INIT;

		cr_assert_lt(load(texts[i], false, &config, &err), 0, "%s", texts[i]);
		cr_assert_null(strstr(err.msg, "hunter2"), "%s", err.msg);
	}
}

Test(config, a_secret_that_everybody_may_read_is_warned_of)
{
	static const struct {
		const char *text;
		bool secret;
	} files[] = {
		{ORIGIN "bearer = hunter2\n", true},
		{ORIGIN "header = X-Api-Key: hunter2\n", true},
		{ORIGIN "header = X-Name: me\n", false},
		{ORIGIN "bearer_file = /etc/token\n", false},
		{"[fetch]\nproxy = http://u:hunter2@p:1\n", true},
		{"[fetch]\nproxy = http://p:1\n", false},
		{"[hdfs \"hdfs://n/\"]\nuser = hunter2\n", false},
	};
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(str_freep) char *path = file_with(dir, "test.conf", files[i].text);

		for (int open = 0; open < 2; open++) {
			CLEANUP(config_release) struct config config = {0};

			cr_assert_eq(chmod(path, open ? 0644 : 0640), 0);
			cr_assert_eq(config_load(path, NULL, false, &config, NULL), 0);
			cr_assert_eq(config.warnings.count, open && files[i].secret);
			if (config.warnings.count > 0)
				cr_assert_null(strstr(config.warnings.items[0], "hunter2"));
		}
	}
}

Test(config, a_file_with_credentials_that_everybody_may_read_is_warned_of)
{
	static const char *const keys[] = {"user_file", "bearer_file", "netrc", "client_cert"};
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *secret = file_with(dir, "secret", "hunter2:hunter2\n");

	for (size_t i = 0; i < ARRAY_SIZE(keys) * 2; i++) {
		CLEANUP(str_freep)
		char *text = str_printf(ORIGIN "%s = %s\n", keys[i % ARRAY_SIZE(keys)], secret);
		CLEANUP(config_release) struct config config = {0};
		bool open = i >= ARRAY_SIZE(keys);

		cr_assert_eq(chmod(secret, open ? 0604 : 0640), 0);
		cr_assert_eq(load(text, false, &config, NULL), 0);
		cr_assert_eq(config.warnings.count, open, "%s", text);
		if (open)
			cr_assert(str_has_suffix(config.warnings.items[0], secret), "%s",
				config.warnings.items[0]);
	}
}

Test(config, users_whom_nothing_is_kept_for_are_warned_of)
{
	CLEANUP(config_release) struct config open = {0};
	CLEANUP(config_release) struct config kept = {0};

	cr_assert_eq(load(ORIGIN "users = alice\n", false, &open, NULL), 0);
	cr_assert_eq(open.warnings.count, 1);
	cr_assert(strstr(open.warnings.items[0], "keeps nobody out"));
	cr_assert_eq(load(ORIGIN "users = alice\nbearer = x\n", false, &kept, NULL), 0);
	cr_assert_eq(kept.warnings.count, 0);
}

/* @count times @item, behind @head. */
static char *repeated(const char *head, const char *item, int count)
{
	char *text = strdup(head);

	for (int i = 0; i < count; i++) {
		char *longer = str_printf("%s%s", text, item);

		free(text);
		text = longer;
	}
	return text;
}

Test(config, what_is_too_long_to_be_used_is_refused_and_not_cut)
{
	static const struct {
		const char *head;
		const char *item;
		int most;
	} lists[] = {
		{ORIGIN "mirrors = ", "http://m/,", CONFIG_MIRRORS_MAX},
		{ORIGIN "mirrors = http://m/\n", " http://m/\n", CONFIG_MIRRORS_MAX - 1},
		{"[fetch]\nproxy = direct", "|http://p:1", CONFIG_PROXIES_MAX - 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		CLEANUP(str_freep)
		char *full = repeated(lists[i].head, lists[i].item, lists[i].most);
		CLEANUP(str_freep)
		char *longer = repeated(lists[i].head, lists[i].item, lists[i].most + 1);
		CLEANUP(config_release) struct config config = {0};
		struct config bad = {0};
		struct err err = ERR_INIT;

		cr_assert_eq(load(full, false, &config, &err), 0, "%s", err.msg);
		cr_assert_eq(load(longer, false, &bad, &err), -EINVAL);
		cr_assert(strstr(err.msg, ": more than "), "%s", err.msg);
	}
}

Test(config, lenient_only_warns_of_the_unknown)
{
	CLEANUP(config_release) struct config config = {0};
	struct config bad = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(
		load("[fetch]\nlazier = yes\nretries = 1\n[ipfs \"x\"]\nusers = a\n[cache]\nsize "
		     "= 2G\n",
			true, &config, &err),
		0, "%s", err.msg);
	cr_assert_eq(err.code, 0);
	cr_assert_eq(config.retries, 1);
	cr_assert_eq(config.size, 2147483648);
	cr_assert_eq(config.warnings.count, 2);
	cr_assert(str_has_suffix(
		config.warnings.items[0], "test.conf:2: unknown key 'lazier' in [fetch]"));
	cr_assert(str_has_suffix(
		config.warnings.items[1], "test.conf:4: unknown section [ipfs \"x\"]"));
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

Test(config, a_section_for_s3_says_where_and_who)
{
	CLEANUP(config_release)
	struct config config =
		loaded("[s3 \"s3a://Bucket/\"]\nendpoint = HTTP://H:9000\n"
		       "region = eu-west-1\nstyle = virtual\ncredentials = /etc/keys\n"
		       "profile = me\nusers = alice\nlist = yes\n"
		       "[s3 \"s3://b\"]\nendpoint = https://h/base\nanonymous = yes\n"
		       "[s3 \"s3://\"]\nregion = eu-west-2\n");
	const struct origin *origin = config_origin(&config, "s3://bucket/a");

	cr_assert_str_eq(origin->prefix, "s3://bucket/");
	cr_assert_str_eq(origin->endpoint, "http://h:9000/");
	cr_assert_str_eq(origin->region, "eu-west-1");
	cr_assert_eq(origin->style, S3_STYLE_VIRTUAL);
	cr_assert_str_eq(origin->keys_file, "/etc/keys");
	cr_assert_str_eq(origin->profile, "me");
	cr_assert(origin->list);
	cr_assert(config_has_credentials(origin));
	origin = config_origin(&config, "s3://b/a");
	cr_assert_str_eq(origin->endpoint, "https://h/base/");
	cr_assert_not(config_has_credentials(origin));
	cr_assert_str_eq(config_origin(&config, "s3://bb/a")->region, "eu-west-2");
}

Test(config, a_section_for_s3_that_makes_no_sense_is_refused)
{
	check_refused("[s3]\n", "[s3 \"s3://bucket/\"]");
	check_refused("[s3 \"https://h/\"]\n", "[s3]: its prefix is such as s3://bucket/");
	check_refused("[origin \"s3://b/\"]\n", "a section for s3 is [s3 ");
	check_refused("[s3 \"s3://b/?x\"]\n", "[s3]: a URI prefix has no query");
	check_refused("[s3 \"s3://b/\"]\nendpoint = h:9000\n", "endpoint");
	check_refused("[s3 \"s3://b/\"]\nendpoint = ftp://h/\n", "a URI such as https://");
	check_refused("[s3 \"s3://b/\"]\nendpoint = http://h/?x\n", "a URI such as https://");
	check_refused("[s3 \"s3://b/\"]\nendpoint = http://me:pw@h/\n", "has no user");
	check_refused("[s3 \"s3://b/\"]\nstyle = both\n", "'auto', 'path' or 'virtual'");
	check_refused("[s3 \"s3://b/\"]\ncredentials = keys\n", "absolute path");
	check_refused("[s3 \"s3://b/\"]\nprofile = [x]\n", "profile");
	check_refused("[s3 \"s3://b/\"]\nanonymous = yes\nprofile = x\n", "exclude each other");
}
