/* Redirects, and whom the guard lets us talk to. */
#include "tests/unit/backends/fixture.h"

#include <netinet/in.h>
#include <stdatomic.h>

static const struct backend_request whole;

Test(redirects, are_followed)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(&f, "/redirect/10/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	cr_assert_eq(origin_connections(&f.origin), 1);
}

Test(redirects, have_a_limit)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_fetch(&f, "/loop", whole, &got, &err), -EIO);
	cr_assert_str_eq(err.msg, "more than 10 redirects");
	cr_assert_eq(origin_requests(&f.origin, "GET /loop "), 11);
	cr_assert_eq(got.begun, 0);
}

Test(redirects, name_whose_answer_it_was)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	WITH_COLLECT(cut);
	CLEANUP(str_freep)
	char *text = str_printf("redirected to %s/redirect/0/none: 404 not found", f.origin.base);
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_fetch(&f, "/redirect/2/none", whole, &got, &err), -ENOENT);
	cr_assert_str_eq(err.msg, text);
	/* a query may be a secret */
	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(
		fixture_fetch(&f, "/goto/%2Fshort%2F100%2Fa%3Fsecret", whole, &cut, &err), -EIO);
	cr_assert(err.retry);
	cr_assert(str_has_suffix(err.msg, "a?…: body shorter than promised: 100 of 5000 bytes"),
		"%s", err.msg);
}

Test(redirects, do_not_leave_http)
{
	static const char *const targets[] = {"/goto/file:%2F%2F%2Fetc%2Fpasswd",
		"/goto/ftp:%2F%2F127.0.0.1%2Fa", "/goto/gopher:%2F%2F127.0.0.1%2Fa"};
	WITH_FIXTURE(f);

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		WITH_COLLECT(got);
		struct err err = ERR_INIT;

		cr_expect_eq(fixture_fetch(&f, targets[i], whole, &got, &err), -EACCES);
		cr_expect_eq(err.kind, ERR_POLICY);
		cr_expect(str_has_suffix(err.msg, "is never followed"), "%s", err.msg);
	}
}

Test(redirects, to_the_name_with_a_slash_are_a_folder)
{
	WITH_FIXTURE(f);
	struct remote remote;
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_stat(&f, "/folder/a", &remote, &err), -EISDIR, "%s", err.msg);
}

Test(redirects, from_https_to_http_are_refused)
{
	WITH_TLS_FIXTURE(f);
	WITH_FIXTURE(plain);
	WITH_COLLECT(down);
	WITH_COLLECT(level);
	CLEANUP(str_freep)
	char *path =
		str_printf("/goto/http:%%2F%%2F%s%%2Fa", plain.origin.base + strlen("http://"));
	struct err err = ERR_INIT;

	origin_add(&plain.origin, "a", 5000);
	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(&f, path, whole, &down, &err), -EACCES);
	cr_assert_eq(err.kind, ERR_POLICY);
	cr_assert_not(err.retry);
	cr_assert_str_eq(err.msg, "redirect from https to http is never followed");
	cr_assert_eq(down.begun, 0);
	cr_assert_eq(fixture_fetch(&f, "/redirect/2/a", whole, &level, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&level, 0, 5000));
	cr_assert_eq(origin_requests(&plain.origin, " "), 0);
}

Test(redirects, from_http_to_https_are_followed)
{
	WITH_TLS_FIXTURE(f);
	WITH_FIXTURE(plain);
	WITH_COLLECT(got);
	CLEANUP(str_freep)
	char *path = str_printf("%s/goto/https:%%2F%%2F%s%%2Fa", plain.origin.base,
		f.origin.base + strlen("https://"));
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(&f, path, whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
}

Test(redirects, bring_no_cookies)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(first);
	WITH_COLLECT(second);
	struct err err = ERR_INIT;

	/* the origin answers 418 to a request with a cookie */
	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(
		fixture_fetch(&f, "/header/Set-Cookie/k=v;%20Path=%2F/redirect/1/unless/Cookie/a",
			whole, &first, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&first, 0, 5000));
	cr_assert_eq(fixture_fetch(&f, "/unless/Cookie/a", whole, &second, &err), 0, "%s", err.msg);
}

/* ---- the guard ---- */

struct test_guard {
	struct guard guard; /* first */
	atomic_uint uris;
	atomic_uint addresses;
	bool refuse_addresses;
	const char *refuse_part; /* of a URI */
};

static int check_uri(const struct guard *guard, const struct uri *uri, struct err *err)
{
	struct test_guard *self = (struct test_guard *)(uintptr_t)guard;

	self->uris++;
	if (self->refuse_part && strstr(uri->text, self->refuse_part))
		return err_set(err, ERR_POLICY, EACCES, "no such uri for you");
	return 0;
}

static int check_address(const struct guard *guard, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	struct test_guard *self = (struct test_guard *)(uintptr_t)guard;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;

	self->addresses++;
	cr_assert_str_eq(uri->host, "127.0.0.1");
	cr_assert_eq(address->sa_family, AF_INET);
	cr_assert_eq(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
	if (self->refuse_addresses)
		return err_set(err, ERR_POLICY, EACCES, "no such address for you");
	return 0;
}

Test(guard, sees_each_hop)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct test_guard guard = {.guard = {check_uri, check_address}};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(&f, "/redirect/2/a",
			     (struct backend_request){.guard = &guard.guard}, &got, &err),
		0, "%s", err.msg);
	cr_assert_eq(guard.uris, 3);
	cr_assert_eq(guard.addresses, 3);
}

Test(guard, refuses_a_hop)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct test_guard guard = {
		.guard = {check_uri, check_address}, .refuse_part = "/redirect/0/"};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(&f, "/redirect/2/a",
			     (struct backend_request){.guard = &guard.guard}, &got, &err),
		-EACCES);
	cr_assert_str_eq(err.msg, "no such uri for you");
	cr_assert_eq(origin_requests(&f.origin, "/redirect/0/"), 0);
}

Test(guard, refuses_an_address_before_anything_is_sent)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct test_guard guard = {.guard = {check_uri, check_address}, .refuse_addresses = true};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(
			     &f, "/a", (struct backend_request){.guard = &guard.guard}, &got, &err),
		-EACCES);
	cr_assert_str_eq(err.msg, "no such address for you");
	cr_assert_eq(err.kind, ERR_POLICY);
	cr_assert_not(err.retry);
	cr_assert_eq(origin_requests(&f.origin, "GET"), 0);
}

Test(guard, refuses_a_connection_that_another_request_opened)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(first);
	WITH_COLLECT(second);
	struct test_guard guard = {.guard = {check_uri, check_address}, .refuse_addresses = true};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(&f, "/a", whole, &first, &err), 0);
	cr_assert_eq(fixture_fetch(&f, "/a?second", (struct backend_request){.guard = &guard.guard},
			     &second, &err),
		-EACCES);
	cr_assert_str_eq(err.msg, "no such address for you");
	cr_assert_eq(origin_requests(&f.origin, "second"), 0);
}
