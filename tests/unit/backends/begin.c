/* A fetch in two parts: what is said when there is something to do. */
#include "tests/unit/backends/fixture.h"

#include <semaphore.h>
#include <time.h>

#define READY_SECONDS 20

struct begun {
	struct uri uri;
	struct backend_request request;
	struct backend_call *call;
	sem_t ready;
	unsigned int told;
	bool whole;
};

static void on_ready(void *arg, bool whole)
{
	struct begun *begun = arg;

	begun->told++;
	begun->whole = whole;
	sem_post(&begun->ready);
}

static void ask(struct fixture *fixture, const char *path, struct begun *ret)
{
	struct err err = ERR_INIT;

	*ret = (struct begun){.uri = fixture_uri(fixture, path)};
	ret->request =
		(struct backend_request){.uri = &ret->uri, .on_ready = on_ready, .ready_arg = ret};
	sem_init(&ret->ready, 0, 0);
	cr_assert_eq(http_backend.begin(fixture->env, &ret->request, &ret->call, &err), 0, "%s",
		err.msg);
}

static void await_ready(struct begun *begun)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += READY_SECONDS;
	cr_assert_eq(sem_timedwait(&begun->ready, &until), 0, "nobody was told");
}

/* Begin to fetch @path, and wait until it is ready. */
static void begin(struct fixture *fixture, const char *path, struct begun *ret)
{
	ask(fixture, path, ret);
	await_ready(ret);
}

static int finish(struct begun *begun, struct collect *got, struct err *err)
{
	int r = http_backend.finish(begun->call, &got->sink, err);

	cr_assert_eq(begun->told, 1);
	sem_destroy(&begun->ready);
	uri_release(&begun->uri);
	return r;
}

Test(begin, small_answer_is_ready_when_it_is_whole)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct begun begun;
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 4096);
	begin(&f, "/a", &begun);
	cr_assert(begun.whole);
	/* nobody is left to be waited for */
	origin_stop(&f.origin);
	cr_assert_eq(finish(&begun, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 4096));
	origin_start(&f.origin, NULL);
}

Test(begin, large_answer_is_ready_before_it_is_whole)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct begun begun;
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 8 << 20);
	begin(&f, "/a", &begun);
	cr_assert(!begun.whole);
	cr_assert_eq(finish(&begun, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 8 << 20));
}

Test(begin, silence_is_told_soon_and_then_waited_for)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct begun begun;
	struct err err = ERR_INIT;
	int64_t began = clock_monotonic_ms();

	f.env->first_byte_ms = 3000;
	begin(&f, "/hang/a", &begun);
	cr_assert(!begun.whole);
	cr_assert_lt(clock_monotonic_ms() - began, 3000);
	cr_assert_eq(finish(&begun, &got, &err), -ETIMEDOUT);
	cr_assert_geq(clock_monotonic_ms() - began, 3000);
}

Test(begin, error_and_redirect_take_somebody_who_may_wait)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(none);
	WITH_COLLECT(got);
	struct begun begun;
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 100);
	begin(&f, "/missing", &begun);
	cr_assert(!begun.whole);
	cr_assert_eq(finish(&begun, &none, &err), -ENOENT);
	begin(&f, "/redirect/1/a", &begun);
	cr_assert(!begun.whole);
	cr_assert_eq(finish(&begun, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 100));
}

Test(begin, unreachable_server_is_told_too)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct begun begun;
	struct err err = ERR_INIT;

	begin(&f, "http://127.0.0.1:1/a", &begun);
	cr_assert(!begun.whole);
	cr_assert_eq(finish(&begun, &got, &err), -EHOSTUNREACH);
}

Test(begin, waiting_for_a_turn_is_no_silence_until_there_is_a_hurry)
{
	enum { AT_ONCE = 8 }; /* the fixture's limit per host */
	WITH_FIXTURE(f);
	struct begun begun[AT_ONCE + 1];

	for (size_t i = 0; i <= AT_ONCE; i++)
		ask(&f, "/hang/a", &begun[i]);
	for (size_t i = 0; i < AT_ONCE; i++)
		await_ready(&begun[i]);
	cr_assert_eq(begun[AT_ONCE].told, 0);
	registry_hurry(f.env);
	await_ready(&begun[AT_ONCE]);
	for (size_t i = AT_ONCE + 1; i-- > 0;) {
		WITH_COLLECT(got);
		struct err err = ERR_INIT;

		got.fail_poll = 1;
		cr_assert_eq(finish(&begun[i], &got, &err), -EINTR);
		cr_assert_eq(got.sink.queued, i == AT_ONCE);
	}
}
