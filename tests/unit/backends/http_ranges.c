/* Parts of files. */
#include "tests/unit/backends/fixture.h"

#define SIZE 500000

Test(ranges, middle_and_tail_arrive)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(middle);
	WITH_COLLECT(tail);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.offset = 1000, .length = 300000},
			&middle, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&middle, 1000, 300000));
	cr_assert_eq(middle.remote.size, SIZE);
	cr_assert(middle.remote.ranges);

	cr_assert_eq(
		fixture_fetch(&f, "/a", (struct backend_request){.offset = SIZE - 1}, &tail, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&tail, SIZE - 1, 1));
	cr_assert_eq(origin_connections(&f.origin), 1);
}

Test(ranges, length_past_the_end_is_cut)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(
		fixture_fetch(&f, "/a",
			(struct backend_request){.offset = SIZE - 10, .length = 1000}, &got, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&got, SIZE - 10, 10));
}

Test(ranges, known_version_continues)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct remote remote;
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(fixture_stat(&f, "/a", &remote, &err), 0);
	cr_assert_eq(fixture_fetch(&f, "/a",
			     (struct backend_request){.offset = 1000, .known = &remote.validators},
			     &got, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&got, 1000, SIZE - 1000));
	cr_assert_not(got.remote.unchanged);
}

Test(ranges, other_version_is_stale)
{
	static const char *const paths[] = {"/a", "/weak/a", "/changing/a"};
	WITH_FIXTURE(f);

	origin_add(&f.origin, "a", SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		WITH_COLLECT(got);
		struct validators known = {.etag = "\"old\"", .modified = TIME_UNKNOWN};
		struct err err = ERR_INIT;

		cr_expect_eq(fixture_fetch(&f, paths[i],
				     (struct backend_request){.offset = 1000, .known = &known},
				     &got, &err),
			-ESTALE);
		cr_expect_not(err.retry);
		cr_expect_eq(got.begun, 0);
	}
}

Test(ranges, other_version_is_stale_though_the_server_checks_nothing)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct validators known = {.etag = "W/\"old\"", .modified = TIME_UNKNOWN};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(fixture_fetch(&f, "/a",
			     (struct backend_request){.offset = 1000, .known = &known}, &got, &err),
		-ESTALE);
	cr_assert_str_eq(err.msg, "the file has changed");
}

Test(ranges, version_is_compared_though_the_server_takes_no_condition)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(other);
	WITH_COLLECT(none);
	struct validators known = {.etag = "\"old\"", .modified = TIME_UNKNOWN};
	struct backend_request request = {.offset = 1000, .known = &known};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(
		fixture_fetch(&f, "/novalidators/header/ETag/%22new%22/a", request, &other, &err),
		-ESTALE);
	cr_assert_eq(other.begun, 0);
	cr_assert_eq(fixture_fetch(&f, "/novalidators/a", request, &none, &err), -EOPNOTSUPP);
	cr_assert_str_eq(err.msg, "the server does not say of what version its parts are");
	cr_assert_eq(none.begun, 0);
	cr_assert_eq(origin_requests(&f.origin, " 206 "), 2);
}

Test(ranges, weak_version_is_asked_for_by_its_time)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(same);
	WITH_COLLECT(older);
	struct validators known;
	struct remote remote;
	struct backend_request request = {.offset = 1000, .known = &known};
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(fixture_stat(&f, "/weak/a", &remote, &err), 0);
	known = remote.validators;
	cr_assert_eq(fixture_fetch(&f, "/weak/a", request, &same, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&same, 1000, SIZE - 1000));
	known.modified -= 10;
	cr_assert_eq(fixture_fetch(&f, "/weak/a", request, &older, &err), -ESTALE);
	cr_assert_str_eq(err.msg, "the file has changed: 412 precondition failed");
}

Test(ranges, behind_the_end_is_refused)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(fixture_fetch(&f, "/a", (struct backend_request){.offset = SIZE}, &got, &err),
		-EINVAL);
	cr_assert_str_eq(err.msg, "416 range not satisfiable");
}

Test(ranges, wrong_answer_is_refused)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(fixture_fetch(&f, "/wrongrange/a",
			     (struct backend_request){.offset = 1000, .length = 10}, &got, &err),
		-EBADMSG);
	cr_assert_eq(got.begun, 0);
	cr_assert(strstr(err.msg, "is not what was asked for"), "%s", err.msg);
}

Test(ranges, a_part_that_ends_behind_the_largest_file_is_refused)
{
	static const char range[] = "bytes%200-9223372036854775807%2F*";
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	CLEANUP(str_freep) char *path = str_printf("/header/Content-Range/%s/status/206/a", range);
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_fetch(&f, path, (struct backend_request){.length = 10}, &got, &err),
		-EBADMSG);
	cr_assert_eq(got.begun, 0);
	cr_assert(strstr(err.msg, "makes no sense"), "%s", err.msg);
}

Test(ranges, fewer_bytes_than_asked_for_are_a_part_too)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(middle);
	WITH_COLLECT(tail);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(
		fixture_fetch(&f, "/atmost/300/a",
			(struct backend_request){.offset = 1000, .length = 2000}, &middle, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&middle, 1000, 300));
	cr_assert_eq(middle.remote.size, SIZE);
	cr_assert_eq(fixture_fetch(&f, "/atmost/300/a", (struct backend_request){.offset = 1000},
			     &tail, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&tail, 1000, 300));
}

Test(ranges, server_without_them_is_told_apart)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(tail);
	WITH_COLLECT(head);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(fixture_fetch(
			     &f, "/noranges/a", (struct backend_request){.offset = 1}, &tail, &err),
		-EOPNOTSUPP);
	cr_assert_str_eq(err.msg, "the server ignores ranges");
	cr_assert_eq(tail.begun, 0);

	cr_assert_eq(fixture_fetch(&f, "/noranges/a", (struct backend_request){.length = 1000},
			     &head, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&head, 0, 1000));
	cr_assert_not(head.remote.ranges);
}

Test(ranges, short_part_is_an_error)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", SIZE);
	cr_assert_eq(fixture_fetch(&f, "/short/500/a",
			     (struct backend_request){.offset = 1000, .length = 2000}, &got, &err),
		-EIO);
	cr_assert_str_eq(err.msg, "body shorter than promised: 500 of 2000 bytes");
	cr_assert(fixture_right(&got, 1000, 500));
}
