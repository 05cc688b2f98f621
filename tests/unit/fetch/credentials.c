/* What goes with a request, and what is wrong with files that it should come from. */
#include "fetch/credentials.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER = 500, USER = 1000, OTHER = 1001 };

static const uint8_t secret[DIGEST_SIZE] = {1, 2, 3};

struct fixture {
	char *dir;
	struct config config;
};

static void fixture_release(struct fixture *fixture)
{
	config_release(&fixture->config);
	tmpdir_removep(&fixture->dir);
}

/* A file of these bytes; its path. */
static const char *file_of(
	const struct fixture *fixture, const char *name, const void *bytes, size_t len)
{
	static char path[256];
	CLEANUP(fd_closep) int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(fd_write_all(fd, bytes, len), 0);
	return path;
}

static void put(const struct fixture *fixture, const char *name, const char *text)
{
	file_of(fixture, name, text, strlen(text));
}

/* A configuration in which DIR stands for the fixture's folder. */
static struct fixture made(const char *text)
{
	struct fixture fixture = {.dir = tmpdir_make()};
	char *full = strdup(text);
	struct err err = ERR_INIT;

	for (char *at; (at = strstr(full, "DIR"));) {
		char *longer = str_printf(
			"%.*s%s%s", (int)(at - full), full, fixture.dir, at + strlen("DIR"));

		free(full);
		full = longer;
	}
	cr_assert_eq(config_load(file_of(&fixture, "test.conf", full, strlen(full)), NULL, false,
			     &fixture.config, &err),
		0, "%s", err.msg);
	free(full);
	return fixture;
}

/* For a request to @to that is made for @text. */
static int load_for(const struct fixture *fixture, const char *text, const char *to, uid_t uid,
	struct credentials *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(uri_release) struct uri target = {0};
	struct decision decision;

	cr_assert_eq(uri_parse(text, &uri, NULL), 0);
	cr_assert_eq(uri_parse(to, &target, NULL), 0);
	cr_assert_eq(
		policy_decide(&fixture->config, &uri, uid, OWNER, false, secret, &decision, err), 0,
		"%s", err->msg);
	return credentials_load(&fixture->config, &decision, &target, ret, err);
}

static int load(
	const struct fixture *fixture, const char *text, struct credentials *ret, struct err *err)
{
	return load_for(fixture, text, text, OWNER, ret, err);
}

#define ORIGIN "[origin \"https://h/a/\"]\n"

Test(credentials, are_those_of_the_section)
{
	CLEANUP(fixture_release)
	struct fixture f = made(ORIGIN "user_file = DIR/user\nbearer_file = DIR/token\n"
				       "netrc = DIR/netrc\nclient_cert = DIR/cert\n"
				       "header = X-A: 1\nheader = X-B: 2\n");
	CLEANUP(credentials_release) struct credentials is = CREDENTIALS_INIT;
	const struct access *access;
	struct err err = ERR_INIT;

	put(&f, "user", "me:pass:word \r\n\n");
	put(&f, "token", "  abc\n");
	put(&f, "netrc", "machine h\n");
	put(&f, "cert", "x");
	cr_assert_eq(load(&f, "https://h/a/x", &is, &err), 0, "%s", err.msg);
	access = credentials_access(&is);
	cr_assert_not_null(access);
	cr_assert_str_eq(access->prefix, "https://h/a/");
	cr_assert_str_eq(access->user, "me");
	cr_assert_str_eq(access->password, "pass:word");
	cr_assert_str_eq(access->bearer, "abc");
	cr_assert(str_has_suffix(access->netrc, "/netrc"));
	cr_assert(str_has_suffix(access->client_cert, "/cert"));
	cr_assert_str_eq(access->headers[0], "X-A: 1");
	cr_assert_str_eq(access->headers[1], "X-B: 2");
	cr_assert_null(access->headers[2]);
}

Test(credentials, elsewhere_there_are_none)
{
	CLEANUP(fixture_release)
	struct fixture f = made(ORIGIN "bearer = abc\n[origin \"https://g/\"]\nttl = 1s\n");
	static const char *const uris[] = {
		"https://h/b", "http://h/a/x", "https://g/x", "https://me@h/a/x"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(uris); i++) {
		CLEANUP(credentials_release) struct credentials is = CREDENTIALS_INIT;

		cr_assert_eq(load(&f, uris[i], &is, &err), 0);
		cr_assert_null(credentials_access(&is), "%s", uris[i]);
	}
}

Test(credentials, a_mirror_has_its_own)
{
	CLEANUP(fixture_release)
	struct fixture f = made(ORIGIN "bearer = abc\nmirrors = https://m/, https://n/\nusers = *\n"
				       "[origin \"https://m/\"]\nbearer = def\nusers = 1000\n");
	CLEANUP(credentials_release) struct credentials one = CREDENTIALS_INIT;
	CLEANUP(credentials_release) struct credentials two = CREDENTIALS_INIT;
	CLEANUP(credentials_release) struct credentials none = CREDENTIALS_INIT;
	CLEANUP(credentials_release) struct credentials own = CREDENTIALS_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(load_for(&f, "https://h/a/x", "https://m/x", USER, &one, &err), 0);
	cr_assert_str_eq(credentials_access(&one)->bearer, "def");
	cr_assert_str_eq(credentials_access(&one)->prefix, "https://m/");
	cr_assert_eq(load_for(&f, "https://h/a/x", "https://n/x", USER, &two, &err), 0);
	cr_assert_null(credentials_access(&two));
	cr_assert_eq(load_for(&f, "https://h/a/x", "https://m/x", OTHER, &none, &err), -EACCES);
	cr_assert(strstr(err.msg, "'users = …' in [origin \"https://m/\"]"), "%s", err.msg);
	cr_assert_null(credentials_access(&none));
	cr_assert_eq(load_for(&f, "https://me@h/a/x", "https://m/x", USER, &own, &err), 0);
	cr_assert_null(credentials_access(&own));
}

Test(credentials, are_read_anew_each_time)
{
	CLEANUP(fixture_release) struct fixture f = made(ORIGIN "bearer_file = DIR/token\n");
	CLEANUP(credentials_release) struct credentials one = CREDENTIALS_INIT;
	CLEANUP(credentials_release) struct credentials two = CREDENTIALS_INIT;
	struct err err = ERR_INIT;

	put(&f, "token", "abc\n");
	cr_assert_eq(load(&f, "https://h/a/x", &one, &err), 0);
	put(&f, "token", "def\n");
	cr_assert_eq(load(&f, "https://h/a/x", &two, &err), 0);
	cr_assert_str_eq(credentials_access(&one)->bearer, "abc");
	cr_assert_str_eq(credentials_access(&two)->bearer, "def");
}

Test(credentials, a_bad_file_is_named_and_not_repeated)
{
	static const struct {
		const char *key;
		const char *text; /* NULL: no such file */
		const char *why;
	} cases[] = {
		{"user_file", NULL, "No such file"},
		{"user_file", "", "it is empty"},
		{"user_file", " \n\n", "it is empty"},
		{"user_file", "hunter2\n", "it does not hold 'user:password'"},
		{"user_file", ":hunter2\n", "it does not hold 'user:password'"},
		{"user_file", "u:hunter2\nv:p\n", "more than one line"},
		{"bearer_file", NULL, "No such file"},
		{"bearer_file", "\n", "it is empty"},
		{"bearer_file", "hunter2 hunter2\n", "it does not hold a token"},
		{"bearer_file", "hunter2\r\nX: y", "more than one line"},
		{"netrc", NULL, "No such file"},
		{"netrc", "", "it is empty"},
		{"client_cert", NULL, "No such file"},
		{"client_cert", "", "it is empty"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(str_freep) char *text = str_printf(ORIGIN "%s = DIR/f\n", cases[i].key);
		CLEANUP(fixture_release) struct fixture f = made(text);
		CLEANUP(credentials_release) struct credentials is = CREDENTIALS_INIT;
		CLEANUP(str_freep) char *file = str_printf("%s/f: ", f.dir);
		struct err err = ERR_INIT;

		if (cases[i].text)
			put(&f, "f", cases[i].text);
		cr_assert_eq(load(&f, "https://h/a/x", &is, &err), -EACCES);
		cr_assert(str_has_prefix(err.msg, cases[i].key), "%s", err.msg);
		cr_assert(strstr(err.msg, file), "%s", err.msg);
		cr_assert(strstr(err.msg, cases[i].why), "%s", err.msg);
		cr_assert_null(strstr(err.msg, "hunter2"), "%s", err.msg);
		cr_assert_not(err.retry);
		cr_assert_null(credentials_access(&is));
	}
}

Test(credentials, bytes_that_are_no_text_are_refused)
{
	CLEANUP(fixture_release) struct fixture f = made(ORIGIN "bearer_file = DIR/f\n");
	CLEANUP(credentials_release) struct credentials is = CREDENTIALS_INIT;
	struct err err = ERR_INIT;

	file_of(&f, "f", "abc\0def", 7);
	cr_assert_eq(load(&f, "https://h/a/x", &is, &err), -EACCES);
	cr_assert(strstr(err.msg, "it is not a text"), "%s", err.msg);
}

/* Opened by a thread that nobody can interrupt, a FIFO would hold it for good. */
Test(credentials, what_is_no_file_is_refused_at_once, .timeout = 20)
{
	static const char *const keys[] = {"user_file", "bearer_file", "netrc", "client_cert"};

	for (size_t i = 0; i < ARRAY_SIZE(keys) * 3; i++) {
		CLEANUP(str_freep)
		char *text = str_printf(ORIGIN "%s = DIR/f\n", keys[i % ARRAY_SIZE(keys)]);
		CLEANUP(fixture_release) struct fixture f = made(text);
		CLEANUP(credentials_release) struct credentials is = CREDENTIALS_INIT;
		CLEANUP(str_freep) char *file = str_printf("%s/f", f.dir);
		struct err err = ERR_INIT;

		switch (i / ARRAY_SIZE(keys)) {
		case 0:
			cr_assert_eq(mkfifo(file, 0600), 0);
			break;
		case 1:
			cr_assert_eq(mkdir(file, 0700), 0);
			break;
		default:
			cr_assert_eq(symlink("/dev/zero", file), 0);
			break;
		}
		cr_assert_eq(load(&f, "https://h/a/x", &is, &err), -EACCES);
		cr_assert(strstr(err.msg, "it is no regular file"), "%s", err.msg);
		cr_assert_null(credentials_access(&is));
		if (i / ARRAY_SIZE(keys) == 1)
			cr_assert_eq(rmdir(file), 0);
	}
}

Test(credentials, of_a_file_that_has_no_end_nothing_is_taken)
{
	CLEANUP(fixture_release) struct fixture f = made(ORIGIN "bearer_file = DIR/f\n");
	CLEANUP(credentials_release) struct credentials is = CREDENTIALS_INIT;
	CLEANUP(str_freep) char *text = malloc(70000);
	struct err err = ERR_INIT;

	memset(text, 'a', 70000);
	file_of(&f, "f", text, 70000);
	cr_assert_eq(load(&f, "https://h/a/x", &is, &err), -EACCES);
	cr_assert(strstr(err.msg, "too large"), "%s", err.msg);
}
