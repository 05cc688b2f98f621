/* What http makes of the answers of an origin. */
#include "tests/unit/backends/fixture.h"

static const struct backend_request whole;

Test(http, whole_file_arrives)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a b%c", 3000001);
	cr_assert_eq(fixture_fetch(&f, "/a%20b%25c", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 3000001));
	cr_assert_eq(got.begun, 1);
	cr_assert_eq(got.remote.size, 3000001);
	cr_assert(got.remote.ranges);
	cr_assert_eq(got.remote.validators.etag[0], '"');
	cr_assert_gt(got.remote.validators.modified, 0);
	cr_assert_str_eq(got.remote.type, "application/octet-stream");
}

Test(http, empty_file_arrives)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 0);
	cr_assert_eq(fixture_fetch(&f, "/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.begun, 1);
	cr_assert_eq(got.remote.size, 0);
	cr_assert_eq(got.len, 0);
}

Test(http, body_of_unknown_size_arrives)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 700000);
	cr_assert_eq(fixture_fetch(&f, "/chunked/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.remote.size, SIZE_UNKNOWN);
	cr_assert(fixture_right(&got, 0, 700000));
}

Test(http, stat_asks_for_no_body)
{
	WITH_FIXTURE(f);
	struct err err = ERR_INIT;
	struct remote remote;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_stat(&f, "/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(remote.size, 5000);
	cr_assert(remote.ranges);
	cr_assert_eq(origin_requests(&f.origin, "HEAD /a - 200 0 "), 1);
}

/* The scripted origin (by libmicrohttpd) sends "0 CR LF CR LF" after the headers of such an answer.
 */
Test(http, a_body_after_the_answer_to_head_spoils_nothing)
{
	WITH_FIXTURE(f);
	struct err err = ERR_INIT;
	struct remote remote;

	origin_add(&f.origin, "a", 5000);
	for (int i = 0; i < 30; i++) {
		WITH_COLLECT(got);

		cr_assert_eq(fixture_stat(&f, "/chunked/a", &remote, &err), 0, "%s", err.msg);
		cr_assert_eq(remote.size, SIZE_UNKNOWN);
		cr_assert_eq(fixture_fetch(&f, "/chunked/a", whole, &got, &err), 0, "%s", err.msg);
		cr_assert(fixture_right(&got, 0, 5000));
	}
}

Test(http, refused_head_means_that_only_fetch_can_tell)
{
	WITH_FIXTURE(f);
	struct err err = ERR_INIT;
	struct remote remote;

	origin_add(&f.origin, "a", 5);
	cr_assert_eq(fixture_stat(&f, "/nohead/a", &remote, &err), -EOPNOTSUPP);
	cr_assert_eq(fixture_stat(&f, "/status/403/a?Signature=x", &remote, &err), -EOPNOTSUPP);
}

Test(http, status_becomes_errno)
{
	static const struct {
		const char *path;
		int error;
		bool retry;
		unsigned int after;
		const char *text;
	} cases[] = {
		{"/missing", ENOENT, false, 0, "404 not found"},
		{"/status/410/a", ENOENT, false, 0, "410 gone"},
		{"/status/401/a", EACCES, false, 0, "401 unauthorized"},
		{"/status/403/a", EACCES, false, 0, "403 forbidden"},
		{"/status/400/a", EINVAL, false, 0, "400 bad request"},
		{"/status/418/a", EIO, false, 0, "418 refused"},
		{"/status/429/a", EIO, true, 7, "429 too many requests, retry after 7 s"},
		{"/status/500/a", EIO, true, 0, "500 internal server error"},
		{"/status/503/a", EIO, true, 7, "503 service unavailable, retry after 7 s"},
		{"/status/599/a", EIO, true, 0, "599 server error"},
		{"/status/204/a", EBADMSG, false, 0, "unexpected answer 204"},
		{"/status/206/a", EBADMSG, false, 0, "206 without having asked for a part"},
		{"/status/304/a", EBADMSG, false, 0, "unexpected answer 304"},
		{"/status/302/a", EBADMSG, false, 0, "302 without a location"},
	};
	WITH_FIXTURE(f);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		WITH_COLLECT(got);
		struct err err = ERR_INIT;

		cr_expect_eq(fixture_fetch(&f, cases[i].path, whole, &got, &err), -cases[i].error,
			"%s: %d", cases[i].path, err.code);
		cr_expect_str_eq(err.msg, cases[i].text);
		cr_expect_eq(err.retry, cases[i].retry, "%s", cases[i].path);
		cr_expect_eq(err.retry_after, cases[i].after, "%s", cases[i].path);
		cr_expect_eq(got.begun, 0);
	}
	/* bodies of errors are read, so that the connection lives on; MHD closes after a HEAD */
	cr_expect_leq(origin_connections(&f.origin), 3);
}

Test(http, known_version_is_unchanged)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(first);
	WITH_COLLECT(second);
	WITH_COLLECT(third);
	struct validators by_date;
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(fixture_fetch(&f, "/a", whole, &first, &err), 0, "%s", err.msg);
	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.known = &first.remote.validators},
			&second, &err),
		0, "%s", err.msg);
	cr_assert(second.remote.unchanged);
	cr_assert_eq(second.begun, 1);
	cr_assert_eq(second.len, 0);

	by_date = first.remote.validators;
	by_date.etag[0] = '\0';
	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.known = &by_date}, &third, &err),
		0, "%s", err.msg);
	cr_assert(third.remote.unchanged);
}

Test(http, other_version_is_fetched_anew)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct validators known = {.etag = "\"old\"", .modified = TIME_UNKNOWN};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 5000);
	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.known = &known}, &got, &err), 0);
	cr_assert_not(got.remote.unchanged);
	cr_assert(fixture_right(&got, 0, 5000));
}

Test(http, freshness_is_what_the_headers_say)
{
	static const struct {
		const char *path;
		int64_t max_age;
	} cases[] = {
		{"/a", TIME_UNKNOWN},
		{"/header/Cache-Control/max-age=60/a", 60},
		{"/header/Cache-Control/public,%20MAX-AGE=%2260%22,%20s-maxage=5/a", 60},
		{"/header/Cache-Control/max-age=60,no-cache/a", 0},
		{"/header/Cache-Control/no-store/a", 0},
		{"/header/Cache-Control/max-age=x/a", 0},
		{"/header/Cache-Control/immutable/a", 365 * 24 * 3600},
		{"/header/Cache-Control/max-age=60/header/Age/20/a", 40},
		{"/header/Cache-Control/max-age=60/header/Age/90/a", 0},
		{"/header/Expires/0/a", 0},
		{"/header/Expires/Thu,%2001%20Jan%201970%2000:00:00%20GMT/a", 0},
	};
	WITH_FIXTURE(f);

	origin_add(&f.origin, "a", 5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct remote remote = {.size = 0};
		struct err err = ERR_INIT;

		cr_assert_eq(fixture_stat(&f, cases[i].path, &remote, &err), 0, "%s", err.msg);
		cr_expect_eq(remote.max_age, cases[i].max_age, "%s: %ld", cases[i].path,
			(long)remote.max_age);
	}
}

Test(http, encoded_body_is_taken_as_it_is)
{
	static const unsigned char gzip[] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	/* the shortest body of gzip, which would be no byte at all */
	origin_add_bytes(&f.origin, "a", gzip, sizeof(gzip));
	cr_assert_eq(fixture_fetch(&f, "/unless/Accept-Encoding/header/Content-Encoding/gzip/a",
			     whole, &got, &err),
		0, "%s", err.msg);
	cr_assert_eq(got.len, sizeof(gzip));
	cr_assert_eq(memcmp(got.bytes, gzip, sizeof(gzip)), 0);
}

Test(http, short_body_is_an_error)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 500000);
	cr_assert_eq(fixture_fetch(&f, "/short/100000/a", whole, &got, &err), -EIO);
	cr_assert(err.retry);
	cr_assert_str_eq(err.msg, "body shorter than promised: 100000 of 500000 bytes");
	cr_assert(fixture_right(&got, 0, 100000));
}

Test(http, cut_body_of_unknown_size_is_an_error)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 500000);
	cr_assert_eq(fixture_fetch(&f, "/chunked/short/100000/a", whole, &got, &err), -EIO);
	cr_assert(err.retry);
}
