/* HTTP/2, by a real nginx: many requests on one connection, which do not get into each other. */
#include "tests/support/nginx.h"
#include "tests/unit/backends/fixture.h"

#include "base/fd.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define BIG      ((size_t)64 << 20)
#define PART     ((size_t)4 << 20)
#define SMALL    4096
#define THREADS  16
#define REQUESTS 200

struct setting {
	struct fixture fixture; /* its origin is not used */
	struct nginx nginx;
	atomic_uint next;
	atomic_uint wrong;
};

static void setting_stop(struct setting *setting)
{
	nginx_stop(&setting->nginx);
	fixture_stop(&setting->fixture);
}

static void setting_start(struct setting *setting)
{
	fixture_start_tls(&setting->fixture);
	nginx_start(&setting->nginx, &setting->fixture.tls);
}

static void add_file(const struct setting *setting, const char *name, size_t size)
{
	CLEANUP(str_freep) char *path = str_printf("%s/www/%s", setting->nginx.dir, name);
	CLEANUP(str_freep) char *bytes = malloc(size);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)origin_byte(i);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, bytes, size), 0);
}

/* Looks at each byte, keeps none, and may have enough of them. */
struct checker {
	struct sink sink; /* first */
	size_t at;
	size_t end; /* -EINTR there; 0: never */
	bool wrong;
};

static int begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	(void)sink;
	(void)remote;
	(void)err;
	return 0;
}

static int check(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct checker *checker = (struct checker *)sink;
	const unsigned char *bytes = buf;

	for (size_t i = 0; i < len; i++)
		checker->wrong |= bytes[i] != origin_byte(checker->at + i);
	checker->at += len;
	if (checker->end && checker->at >= checker->end)
		return err_set(err, ERR_CANCELLED, EINTR, "enough");
	return 0;
}

static int go_on(struct sink *sink, struct err *err)
{
	(void)sink;
	(void)err;
	return 0;
}

static bool fetch(struct setting *setting, const char *name, struct backend_request request,
	size_t enough, size_t expected)
{
	CLEANUP(str_freep) char *text = str_printf("%s/%s", setting->nginx.base, name);
	CLEANUP(uri_release) struct uri uri = fixture_uri(&setting->fixture, text);
	struct checker checker = {.sink = {begin, check, go_on},
		.at = request.offset,
		.end = enough ? request.offset + enough : 0};
	struct err err = ERR_INIT;
	int r;

	request.uri = &uri;
	r = http_backend.fetch(setting->fixture.env, &request, &checker.sink, &err);
	if (enough ? r == -EINTR && !checker.wrong
		   : r == 0 && !checker.wrong && checker.at == request.offset + expected)
		return true;
	fprintf(stderr, "%s from %zu: %d %s, up to %zu%s\n", name, (size_t)request.offset, r,
		err.msg, checker.at, checker.wrong ? ", wrong bytes" : "");
	return false;
}

/* Parts of a big file, of which each second one is broken off in the middle. */
static void *fetch_parts(void *arg)
{
	struct setting *setting = arg;

	for (unsigned int n; (n = setting->next++) < REQUESTS;) {
		struct backend_request request = {.offset = n * PART % BIG, .length = PART};

		if (!fetch(setting, "big", request, n % 2 ? PART / 4 : 0, PART))
			setting->wrong++;
	}
	return NULL;
}

static void *fetch_small(void *arg)
{
	struct setting *setting = arg;

	while (setting->next++ < REQUESTS)
		if (!fetch(setting, "small", (struct backend_request){.offset = 0}, 0, SMALL))
			setting->wrong++;
	return NULL;
}

static void run(struct setting *setting, void *(*work)(void *))
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, work, setting), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(setting->wrong, 0);
}

Test(http2, what_is_broken_off_gets_into_nothing_else)
{
	CLEANUP(setting_stop) struct setting setting = {.next = 0};

	setting_start(&setting);
	add_file(&setting, "big", BIG);
	run(&setting, fetch_parts);
}

Test(http2, many_requests_share_a_connection)
{
	CLEANUP(setting_stop) struct setting setting = {.next = 0};

	setting_start(&setting);
	add_file(&setting, "small", SMALL);
	run(&setting, fetch_small);
	cr_assert_leq(nginx_connections(&setting.nginx), 2);
}

/* One that is begun before others have ended. */
struct begun {
	struct backend_request request;
	struct backend_call *call;
	sem_t ready;
};

static void on_ready(void *arg, bool whole)
{
	struct begun *begun = arg;

	(void)whole;
	sem_post(&begun->ready);
}

Test(http2, more_than_a_hundred_at_a_time_share_a_connection_too)
{
	enum { AT_ONCE = 120 }; /* nginx allows 128 */
	CLEANUP(setting_stop) struct setting setting = {.next = 0};
	CLEANUP(str_freep) char *text = NULL;
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	struct begun begun[AT_ONCE];
	struct err err = ERR_INIT;

	setting_start(&setting);
	add_file(&setting, "small", SMALL);
	text = str_printf("%s/small", setting.nginx.base);
	uri = fixture_uri(&setting.fixture, text);
	/* from then on it is known how many the server allows */
	cr_assert(fetch(&setting, "small", (struct backend_request){.offset = 0}, 0, SMALL));
	for (size_t i = 0; i < AT_ONCE; i++) {
		begun[i].request = (struct backend_request){
			.uri = &uri, .on_ready = on_ready, .ready_arg = &begun[i]};
		sem_init(&begun[i].ready, 0, 0);
		cr_assert_eq(http_backend.begin(
				     setting.fixture.env, &begun[i].request, &begun[i].call, &err),
			0, "%s", err.msg);
	}
	for (size_t i = 0; i < AT_ONCE; i++) {
		struct checker checker = {.sink = {begin, check, go_on}};

		while (sem_wait(&begun[i].ready) < 0)
			continue;
		sem_destroy(&begun[i].ready);
		cr_assert_eq(
			http_backend.finish(begun[i].call, &checker.sink, &err), 0, "%s", err.msg);
		cr_assert(!checker.wrong && checker.at == SMALL);
	}
	cr_assert_eq(nginx_connections(&setting.nginx), 1);
}
