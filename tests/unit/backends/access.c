/* What opens a door: sent where it is meant for, and nowhere else. */
#include "tests/unit/backends/fixture.h"

#include "base/fd.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <string.h>

#define TRACE_MAX   (1024 * 1024)
#define HEADER_MARK "X-Secret: hunter2"
#define BASIC       "Authorization: Basic dTpw" /* u:p */

/* A fixture whose origin tells all headers that it gets. */
struct traced {
	struct fixture f;
	char *dir;
	char *trace;
};

static void traced_stop(struct traced *traced)
{
	fixture_stop(&traced->f);
	tmpdir_removep(&traced->dir);
	free(traced->trace);
}

static void traced_start(struct traced *traced)
{
	traced->dir = tmpdir_make();
	traced->trace = str_printf("%s/trace", traced->dir);
	origin_start(&traced->f.origin, (const char *const[]){"--trace", traced->trace, NULL});
	fixture_open(&traced->f);
	origin_add(&traced->f.origin, "a", 5000);
	origin_add(&traced->f.origin, "b", 5000);
}

#define WITH_TRACED(name)                                                                          \
	CLEANUP(traced_stop) struct traced name = {.dir = NULL};                                   \
	traced_start(&name)

/* The n-th request that came, from 0, with a tab in front of each header and at the end. */
static char *request_of(const struct traced *traced, unsigned int n)
{
	CLEANUP(str_freep) char *text = NULL;
	char *rest;
	char *line;

	cr_assert_eq(fd_read_file(AT_FDCWD, traced->trace, TRACE_MAX, &text, NULL), 0);
	rest = text;
	while ((line = strsep(&rest, "\n")) && n-- > 0)
		;
	cr_assert(line && *line, "no such request");
	return str_printf("%s\t", line);
}

static bool sent(const struct traced *traced, unsigned int n, const char *header)
{
	CLEANUP(str_freep) char *request = request_of(traced, n);
	CLEANUP(str_freep) char *field = str_printf("\t%s\t", header);

	return strstr(request, field);
}

static bool sent_nothing(const struct traced *traced, unsigned int n)
{
	CLEANUP(str_freep) char *request = request_of(traced, n);

	return !strcasestr(request, "authorization") && !strcasestr(request, "secret") &&
	       !strstr(request, "hunter2");
}

static void fetch(struct traced *traced, const char *path, const struct access *access)
{
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_fetch(&traced->f, path, (struct backend_request){.access = access},
			     &got, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
}

static const char *const headers[] = {HEADER_MARK, "X-Other: a, b; c", NULL};

/* "/goto/…" to @path of @origin. */
static char *leading_to(const struct origin *origin, const char *path)
{
	CLEANUP(str_freep) char *rest = str_printf("%s%s", origin->base, path);
	char *text = strdup("/goto/");

	for (const char *p = rest; *p; p++) {
		char *longer = *p == '/' || *p == '%'
				       ? str_printf("%s%%%02X", text, (unsigned char)*p)
				       : str_printf("%s%c", text, *p);

		free(text);
		text = longer;
	}
	return text;
}

Test(access, below_the_prefix_all_of_it_is_sent)
{
	WITH_TRACED(t);
	CLEANUP(str_freep) char *prefix = str_printf("%s/", t.f.origin.base);
	struct access basic = {.prefix = prefix, .user = "u", .password = "p", .headers = headers};
	struct access bearer = {.prefix = prefix, .bearer = "hunter2"};

	fetch(&t, "/a", &basic);
	cr_assert(sent(&t, 0, BASIC));
	cr_assert(sent(&t, 0, headers[0]));
	cr_assert(sent(&t, 0, headers[1]));
	fetch(&t, "/a", &bearer);
	cr_assert(sent(&t, 1, "Authorization: Bearer hunter2"));
	cr_assert_not(sent(&t, 1, BASIC));
}

Test(access, beside_the_prefix_nothing_is)
{
	WITH_TRACED(t);
	CLEANUP(str_freep) char *prefix = str_printf("%s/b", t.f.origin.base);
	struct access access = {.prefix = prefix,
		.user = "u",
		.password = "p",
		.bearer = "hunter2",
		.headers = headers};

	fetch(&t, "/a", &access);
	cr_assert(sent_nothing(&t, 0));
	fetch(&t, "/b", &access);
	cr_assert(sent(&t, 1, HEADER_MARK));
}

Test(access, one_connection_does_not_carry_it_to_the_next_request)
{
	WITH_TRACED(t);
	CLEANUP(str_freep) char *prefix = str_printf("%s/", t.f.origin.base);
	struct access access = {.prefix = prefix, .user = "u", .password = "p", .headers = headers};

	fetch(&t, "/a", &access);
	fetch(&t, "/a", NULL);
	fetch(&t, "/a", &access);
	cr_assert(sent(&t, 0, BASIC));
	cr_assert(sent_nothing(&t, 1));
	cr_assert(sent(&t, 2, BASIC));
	cr_assert_eq(origin_connections(&t.f.origin), 1);
}

Test(access, a_redirect_takes_it_nowhere_else_and_finds_it_back_home)
{
	WITH_TRACED(home);
	WITH_TRACED(away);
	CLEANUP(str_freep) char *back = leading_to(&home.f.origin, "/a");
	CLEANUP(str_freep) char *path = leading_to(&away.f.origin, back);
	CLEANUP(str_freep) char *prefix = str_printf("%s/", home.f.origin.base);
	struct access access = {.prefix = prefix, .user = "u", .password = "p", .headers = headers};
	struct access bearer = {.prefix = prefix, .bearer = "hunter2"};

	fetch(&home, path, &access);
	cr_assert(sent(&home, 0, BASIC));
	cr_assert(sent(&home, 0, HEADER_MARK));
	cr_assert(sent_nothing(&away, 0));
	cr_assert(sent(&home, 1, BASIC));
	cr_assert(sent(&home, 1, HEADER_MARK));
	fetch(&home, path, &bearer);
	cr_assert(sent(&home, 2, "Authorization: Bearer hunter2"));
	cr_assert(sent_nothing(&away, 1));
	cr_assert(sent(&home, 3, "Authorization: Bearer hunter2"));
}

Test(access, a_user_in_the_uri_wins)
{
	WITH_TRACED(t);
	CLEANUP(str_freep) char *prefix = str_printf("%s/", t.f.origin.base);
	CLEANUP(str_freep)
	char *uri = str_printf("http://u:p@%s/a", t.f.origin.base + strlen("http://"));
	struct access basic = {.prefix = prefix, .user = "v", .password = "q"};
	struct access bearer = {.prefix = prefix, .bearer = "hunter2"};

	fetch(&t, uri, &basic);
	cr_assert(sent(&t, 0, BASIC));
	fetch(&t, uri, &bearer);
	cr_assert(sent(&t, 1, BASIC));
	cr_assert_not(sent(&t, 1, "Authorization: Bearer hunter2"));
}

Test(access, a_netrc_file_is_for_the_hosts_that_it_names)
{
	WITH_TRACED(t);
	CLEANUP(str_freep) char *prefix = str_printf("%s/", t.f.origin.base);
	CLEANUP(str_freep) char *netrc = str_printf("%s/netrc", t.dir);
	static const char *const texts[] = {"machine 127.0.0.1 login u password p\n",
		"machine example.org login u password p\n"};
	struct access access = {.prefix = prefix, .netrc = netrc};

	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(fd_closep)
		int fd = open(netrc, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		cr_assert_eq(fd_write_all(fd, texts[i], strlen(texts[i])), 0);
		fetch(&t, "/a", &access);
		cr_assert_eq(sent(&t, i, BASIC), i == 0);
	}
}

Test(access, a_certificate_that_cannot_be_used_is_no_reason_to_ask_at_a_terminal)
{
	WITH_TLS_FIXTURE(f);
	WITH_COLLECT(got);
	CLEANUP(str_freep) char *prefix = str_printf("%s/", f.origin.base);
	struct access access = {.prefix = prefix, .client_cert = "/dev/null"};
	struct err err = ERR_INIT;

	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.access = &access}, &got, &err),
		-EHOSTUNREACH);
	cr_assert_not(err.retry, "%s", err.msg);
}
