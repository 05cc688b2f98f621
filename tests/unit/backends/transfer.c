/* Limits, cancelling, and many at a time. */
#include "tests/unit/backends/fixture.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct backend_request whole;

Test(transfer, stalled_body_times_out)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;
	int64_t began = clock_monotonic_ms();

	f.env->stall_ms = 1500; /* the answer and the 1000 bytes come in one go, or nearly */
	origin_add(&f.origin, "a", 500000);
	cr_assert_eq(fixture_fetch(&f, "/stall/1000/a", whole, &got, &err), -ETIMEDOUT);
	cr_assert(err.retry);
	cr_assert_eq(err.kind, ERR_NETWORK);
	cr_assert_str_eq(err.msg, "stalled: 0 bytes in 1500 ms");
	cr_assert(fixture_right(&got, 0, 1000));
	cr_assert_geq(clock_monotonic_ms() - began, 1500);
	cr_assert_geq(got.polled, 2);
}

Test(transfer, body_slower_than_the_rate_is_a_stall)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(slow);
	WITH_COLLECT(fast);
	struct err err = ERR_INIT;

	/* 2000 bytes a second, whose end would come after 250 s */
	f.env->stall_ms = 1000;
	f.env->stall_rate = 20000;
	origin_add(&f.origin, "a", 500000);
	cr_assert_eq(fixture_fetch(&f, "/rate/2000/a", whole, &slow, &err), -ETIMEDOUT);
	cr_assert(str_has_prefix(err.msg, "stalled: ") && str_has_suffix(err.msg, " bytes in 1 s"),
		"%s", err.msg);
	cr_assert_gt(slow.len, 0);

	/* one byte in the window is enough for the least rate: this one takes longer than it */
	origin_add(&f.origin, "b", 6000);
	f.env->stall_rate = 1;
	cr_assert_eq(fixture_fetch(&f, "/rate/2000/b", whole, &fast, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&fast, 0, 6000));
}

Test(transfer, silent_server_times_out)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	f.env->first_byte_ms = 300;
	cr_assert_eq(fixture_fetch(&f, "/hang/a", whole, &got, &err), -ETIMEDOUT);
	cr_assert(err.retry);
	cr_assert_eq(err.kind, ERR_NETWORK);
	cr_assert_str_eq(err.msg, "no answer within 300 ms");
	cr_assert_eq(got.begun, 0);
}

Test(transfer, late_answer_is_no_stall)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	f.env->stall_ms = 2000;
	origin_add(&f.origin, "a", 1000);
	cr_assert_eq(fixture_fetch(&f, "/latency/2500/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 1000));
}

Test(transfer, unanswered_connection_times_out)
{
	/* a listener whose queue is full answers no SYN */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fillers[4];
	char path[64];
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(fd, 0), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fillers[i], (struct sockaddr *)&address, len);
	}
	f.env->connect_ms = 200;
	snprintf(path, sizeof(path), "http://127.0.0.1:%u/a", ntohs(address.sin_port));
	cr_assert_eq(fixture_fetch(&f, path, whole, &got, &err), -ETIMEDOUT, "%s", err.msg);
	cr_assert(err.retry);
	cr_assert_eq(err.kind, ERR_NETWORK);
	cr_assert_str_eq(err.msg, "no connection within 200 ms");
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
		close(fillers[i]);
	close(fd);
}

Test(transfer, refused_connection_is_unreachable)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_fetch(&f, "http://127.0.0.1:1/a", whole, &got, &err), -EHOSTUNREACH);
	cr_assert(err.retry);
	cr_assert_eq(err.kind, ERR_NETWORK);
}

Test(transfer, unknown_host_is_unreachable)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fixture_fetch(&f, "http://no-such-host.invalid/a", whole, &got, &err),
		-EHOSTUNREACH, "%s", err.msg);
	cr_assert(err.retry);
}

Test(transfer, poll_cancels)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	got.fail_poll = 2;
	cr_assert_eq(fixture_fetch(&f, "/hang/a", whole, &got, &err), -EINTR);
	cr_assert_str_eq(err.msg, "nobody waits");
	cr_assert_eq(got.polled, 2);
}

Test(transfer, error_of_the_sink_ends_it)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(begin);
	WITH_COLLECT(body);
	struct err err = ERR_INIT;

	origin_add_sparse(&f.origin, "a", (off_t)1 << 30);
	begin.fail_begin = true;
	cr_assert_eq(fixture_fetch(&f, "/a", whole, &begin, &err), -ENOSPC);
	body.fail_write = true;
	cr_assert_eq(fixture_fetch(&f, "/a", whole, &body, &err), -ENOSPC);
	cr_assert_str_eq(err.msg, "the sink is full");
}

Test(transfer, slow_consumer_pauses_the_connection)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	/* 16 MiB in buffers of 256 KiB, each held for 20 ms */
	origin_add(&f.origin, "a", 16 << 20);
	got.slow_ms = 20;
	cr_assert_eq(fixture_fetch(&f, "/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 16 << 20));
	cr_assert_geq(got.polled, 3);
}

Test(transfer, very_slow_consumer_is_no_stall)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 2 << 20);
	got.slow_ms = 200;
	got.drop = true;
	f.env->stall_ms = 100;
	cr_assert_eq(fixture_fetch(&f, "/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.len, 2 << 20);
}

Test(transfer, thousand_small_ones_share_a_connection)
{
	WITH_FIXTURE(f);
	struct err err = ERR_INIT;

	origin_add(&f.origin, "a", 4096);
	for (int i = 0; i < 1000; i++) {
		WITH_COLLECT(got);

		cr_assert_eq(fixture_fetch(&f, "/a", whole, &got, &err), 0, "%s", err.msg);
		cr_assert(fixture_right(&got, 0, 4096));
	}
	cr_assert_leq(origin_connections(&f.origin), 2);
}

struct job {
	struct fixture *fixture;
	const char *path;
	bool right;
	struct err err;
};

static void *run_job(void *arg)
{
	struct job *job = arg;
	WITH_COLLECT(got);

	job->right = fixture_fetch(job->fixture, job->path, whole, &got, &job->err) == 0 &&
		     fixture_right(&got, 0, 1 << 20);
	return NULL;
}

static void run_jobs(struct fixture *fixture, const char *path)
{
	struct job jobs[32];
	pthread_t threads[32];

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct job){.fixture = fixture, .path = path};
		cr_assert_eq(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		pthread_join(threads[i], NULL);
		cr_assert(jobs[i].right, "%s", jobs[i].err.msg);
	}
}

Test(transfer, thirty_two_at_a_time_keep_the_limit_per_host)
{
	WITH_FIXTURE(f);

	origin_add(&f.origin, "a", 1 << 20);
	run_jobs(&f, "/a");
	cr_assert_leq(origin_connections(&f.origin), 8);
	cr_assert_eq(origin_requests(&f.origin, "GET /a - 200 1048576 "), 32);
}

Test(transfer, waiting_for_a_connection_is_no_timeout)
{
	WITH_FIXTURE(f);

	/* over 8 connections the last of the 32 wait for three times the latency: longer than
	 * any limit */
	f.env->connect_ms = 3500;
	f.env->first_byte_ms = 3500;
	f.env->stall_ms = 3500;
	origin_add(&f.origin, "a", 1 << 20);
	run_jobs(&f, "/latency/1500/a");
}
