/* HTTP/2, by a real nginx: many requests on one connection, which do not get into each other. */
#include "tests/support/nginx.h"
#include "tests/unit/backends/fixture.h"

#include "base/fd.h"

#include <fcntl.h>
#include <pthread.h>
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
