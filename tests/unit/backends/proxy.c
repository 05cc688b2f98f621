/* By way of a proxy: a real Squid, and some that are none. */
#include "base/fd.h"
#include "tests/support/squid.h"
#include "tests/unit/backends/fixture.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WITH_SQUID(name)                                                                           \
	CLEANUP(squid_stop) struct squid name;                                                     \
	squid_start(&name)

/* Nobody listens there. */
#define DEAD "http://127.0.0.1:1"

static int allow_uri(const struct guard *guard, const struct uri *uri, struct err *err)
{
	(void)guard;
	(void)uri;
	(void)err;
	return 0;
}

static int refuse_address(const struct guard *guard, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	(void)guard;
	(void)uri;
	(void)address;
	return err_set(err, ERR_POLICY, EACCES, "no such address for you");
}

static int refuse_uri(const struct guard *guard, const struct uri *uri, struct err *err)
{
	(void)guard;
	(void)uri;
	return err_set(err, ERR_POLICY, EACCES, "no such uri for you");
}

Test(proxy, brings_http)
{
	WITH_FIXTURE(f);
	WITH_SQUID(squid);
	WITH_COLLECT(got);
	WITH_COLLECT(part);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 500000);
	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.proxy = squid.uri}, &got, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 500000));
	cr_assert_eq(fixture_fetch(&f, "/a",
			     (struct backend_request){.proxy = squid.uri,
				     .offset = 1000,
				     .length = 10,
				     .known = &got.remote.validators},
			     &part, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&part, 1000, 10));
}

Test(proxy, brings_https_through_a_tunnel)
{
	WITH_TLS_FIXTURE(f);
	WITH_SQUID(squid);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 500000);
	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.proxy = squid.uri}, &got, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 500000));
	cr_assert_eq(origin_requests(&f.origin, "GET /a - 200 500000 1"), 1);
}

Test(proxy, is_not_what_the_guard_judges)
{
	const struct guard guard = {allow_uri, refuse_address};
	const struct guard strict = {refuse_uri, refuse_address};
	WITH_FIXTURE(f);
	WITH_SQUID(squid);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 500);
	for (int i = 0; i < 2; i++) { /* over a new connection, and over an old one */
		WITH_COLLECT(got);

		cr_assert_eq(fixture_fetch(&f, "/a",
				     (struct backend_request){.proxy = squid.uri, .guard = &guard},
				     &got, &err),
			0, "%s", err.msg);
	}
	WITH_COLLECT(refused);
	cr_assert_eq(fixture_fetch(&f, "/a",
			     (struct backend_request){.proxy = squid.uri, .guard = &strict},
			     &refused, &err),
		-EACCES);
	cr_assert_eq(err.kind, ERR_POLICY);
}

Test(proxy, keeps_what_it_has_unless_told_not_to)
{
	WITH_FIXTURE(f);
	WITH_SQUID(squid);
	struct backend_request request = {.proxy = squid.uri};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	for (int i = 0; i < 3; i++) {
		WITH_COLLECT(got);

		request.no_cache = i == 2;
		cr_assert_eq(fixture_fetch(&f, "/header/Cache-Control/max-age=600/a", request, &got,
				     &err),
			0, "%s", err.msg);
		cr_assert(fixture_right(&got, 0, 5000));
	}
	cr_assert_eq(origin_requests(&f.origin, "GET /header"), 2);
}

Test(proxy, environment_names_none)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	setenv("http_proxy", DEAD, 1);
	setenv("ALL_PROXY", DEAD, 1);
	origin_add(&f.origin, "a", 500);
	cr_assert_eq(fixture_fetch(&f, "/a", (struct backend_request){.offset = 0}, &got, &err), 0,
		"%s", err.msg);
}

Test(proxy, environment_exempts_nobody)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	setenv("no_proxy", "*", 1);
	cr_assert_eq(fixture_fetch(&f, "/a", (struct backend_request){.proxy = DEAD}, &got, &err),
		-EHOSTUNREACH);
	cr_assert_eq(err.kind, ERR_PROXY);
}

/* ---- what goes wrong ---- */

Test(proxy, that_is_not_reached_is_told_from_an_origin)
{
	static const struct {
		const char *uri;
		const char *proxy;
	} cases[] = {
		{"http://127.0.0.1:9/a", DEAD},
		{"https://127.0.0.1:9/a", DEAD},
		{"ftp://127.0.0.1:9/a", DEAD},
		{"http://127.0.0.1:9/a", "socks5h://127.0.0.1:1"},
		{"http://127.0.0.1:9/a", "http://no-such-host.invalid:3128"},
	};
	WITH_FIXTURE(f);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		WITH_COLLECT(got);
		struct err err = ERR_INIT;

		cr_expect_eq(fixture_fetch(&f, cases[i].uri,
				     (struct backend_request){.proxy = cases[i].proxy}, &got, &err),
			-EHOSTUNREACH, "%s", cases[i].uri);
		cr_expect_eq(
			err.kind, ERR_PROXY, "%s by %s: %s", cases[i].uri, cases[i].proxy, err.msg);
		cr_expect(err.retry);
		cr_expect(str_has_prefix(err.msg, "by way of the proxy: "), "%s", err.msg);
	}
}

Test(proxy, that_says_nothing_times_out)
{
	/* connections are made, and nobody ever takes them */
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	CLEANUP(str_freep) char *proxy = NULL;
	WITH_FIXTURE(f);
	WITH_COLLECT(tunnelled);
	WITH_COLLECT(plain);
	struct err err = ERR_INIT;

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	proxy = str_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
	f.env->connect_ms = 300;
	cr_assert_eq(fixture_fetch(&f, "https://127.0.0.1:9/a",
			     (struct backend_request){.proxy = proxy}, &tunnelled, &err),
		-ETIMEDOUT);
	cr_assert_eq(err.kind, ERR_PROXY);
	cr_assert(err.retry);
	cr_assert_str_eq(err.msg, "no connection by way of the proxy within 300 ms");

	/* who is silent then, it or the origin, nobody can tell */
	f.env->first_byte_ms = 300;
	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.proxy = proxy}, &plain, &err),
		-ETIMEDOUT);
	cr_assert_str_eq(err.msg, "no answer within 300 ms");
}

Test(proxy, that_refuses_is_told_from_an_origin)
{
	static const struct {
		const char *uri;
		int error;
		enum err_kind kind;
		bool retry;
		const char *text;
	} cases[] = {
		{"https://127.0.0.1:2/a", EACCES, ERR_PROXY, false,
			"the proxy refused to connect: 403"},
		{"https://127.0.0.1:1/a", EHOSTUNREACH, ERR_PROXY, true,
			"the proxy refused to connect: 503"},
		{"/locked", EACCES, ERR_PROXY, false, "407 proxy authentication required"},
		{"http://127.0.0.1:1/a", EIO, ERR_PROXY, true, "503 service unavailable"},
		{"ftp://127.0.0.1:1/a", EIO, ERR_PROXY, true, "503 service unavailable"},
		{"http://127.0.0.1:2/a", EACCES, ERR_PROXY, false, "403 forbidden"},
		/* these are the origin's own */
		{"/status/403/a", EACCES, ERR_REMOTE, false, "403 forbidden"},
		{"/status/503/a", EIO, ERR_REMOTE, true,
			"503 service unavailable, retry after 7 s"},
	};
	WITH_FIXTURE(f);
	WITH_SQUID(squid);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		WITH_COLLECT(got);
		struct err err = ERR_INIT;

		cr_expect_eq(fixture_fetch(&f, cases[i].uri,
				     (struct backend_request){.proxy = squid.uri}, &got, &err),
			-cases[i].error, "%s: %s", cases[i].uri, err.msg);
		cr_expect_eq(err.kind, cases[i].kind, "%s", cases[i].uri);
		cr_expect_eq(err.retry, cases[i].retry, "%s", cases[i].uri);
		cr_expect_str_eq(err.msg, cases[i].text);
	}
}

Test(proxy, its_password_is_in_no_message)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_fetch(&f, "/a",
			     (struct backend_request){.proxy = "http://me:hun ter2@127.0.0.1:1"},
			     &got, &err),
		-EHOSTUNREACH);
	cr_assert_null(strstr(err.msg, "hun"), "%s", err.msg);
}

Test(proxy, gets_its_password)
{
	WITH_FIXTURE(f);
	WITH_SQUID(squid);
	WITH_COLLECT(got);
	CLEANUP(str_freep) char *proxy = str_printf("http://me:secret@127.0.0.1:%u", squid.port);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "locked", 500);
	cr_assert_eq(
		fixture_fetch(&f, "/locked", (struct backend_request){.proxy = proxy}, &got, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 500));
}
