/* The fake backend keeps the promises of backend.h, so that what is tested with it is tested. */
#include "base/cleanup.h"
#include "tests/support/collect.h"
#include "tests/support/fake_backend.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

static int fetch(struct backend_request request, struct collect *got, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};

	cr_assert_eq(uri_parse("fake://host/a", &uri, err), 0, "%s", err->msg);
	request.uri = &uri;
	return fake_backend.fetch(NULL, &request, &got->sink, err);
}

#define WITH_COLLECT(name)                                                                         \
	CLEANUP(collect_release) struct collect name;                                              \
	collect_init(&name)

Test(fake, serves_what_was_put, .fini = fake_backend_reset)
{
	WITH_COLLECT(got);
	WITH_COLLECT(part);
	WITH_COLLECT(same);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch((struct backend_request){.offset = 0}, &got, &err), -ENOENT);
	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5, .etag = "\"1\""});
	cr_assert_eq(fetch((struct backend_request){.offset = 0}, &got, &err), 0);
	cr_assert_eq(got.len, 5);
	cr_assert_eq(memcmp(got.bytes, "hello", 5), 0);
	cr_assert_eq(fetch((struct backend_request){.offset = 1, .length = 2}, &part, &err), 0);
	cr_assert_eq(memcmp(part.bytes, "el", 2), 0);
	cr_assert_eq(
		fetch((struct backend_request){.known = &got.remote.validators}, &same, &err), 0);
	cr_assert(same.remote.unchanged);
	cr_assert_eq(fake_backend_counts("/a").fetches, 4);
	cr_assert_eq(fake_backend_counts("/a").unchanged, 1);
	cr_assert_eq(fake_backend_counts("/a").bytes, 7);
}

Test(fake, cuts_and_fails_as_often_as_told, .fini = fake_backend_reset)
{
	WITH_COLLECT(cut);
	WITH_COLLECT(whole);
	struct err err = ERR_INIT;

	fake_backend_put("/a", &(struct fake_file){.len = 1000,
				       .cut_at = 300,
				       .cut_times = 1,
				       .error = EIO,
				       .retry = true,
				       .error_times = 1});
	cr_assert_eq(fetch((struct backend_request){.offset = 0}, &cut, &err), -EIO);
	cr_assert_eq(cut.begun, 0);
	cr_assert(err.retry);
	cr_assert_eq(fetch((struct backend_request){.offset = 0}, &cut, &err), -EIO);
	cr_assert_eq(cut.len, 300);
	cr_assert_eq(fetch((struct backend_request){.offset = 0}, &whole, &err), 0);
	cr_assert_eq(whole.len, 1000);
	cr_assert_eq(whole.bytes[999], fake_backend_byte(999));
}

static void *fetch_it(void *arg)
{
	struct err err = ERR_INIT;

	cr_assert_eq(fetch((struct backend_request){.offset = 0}, arg, &err), 0);
	return NULL;
}

Test(fake, stalls_until_released, .fini = fake_backend_reset)
{
	WITH_COLLECT(got);
	pthread_t thread;

	fake_backend_put("/a", &(struct fake_file){.len = 1000, .stall = true, .stall_at = 10});
	cr_assert_eq(pthread_create(&thread, NULL, fetch_it, &got), 0);
	fake_backend_wait_stalled("/a", 1);
	cr_assert_eq(fake_backend_counts("/a").bytes, 10);
	fake_backend_release("/a");
	pthread_join(thread, NULL);
	cr_assert_eq(got.len, 1000);
	cr_assert_eq(fake_backend_counts("/a").stalled, 0);
}
