/*
 * 32 threads on one curl thread: whole files and ranges, sinks that say no at every point, bodies
 * that stall or end too soon, consumers that are slower than the network.
 */
#include "backends/builtin.h"
#include "backends/registry.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "tests/stress/stress.h"
#include "tests/support/collect.h"
#include "tests/support/origin.h"

#include <errno.h>

#define THREADS     32
#define STEPS       10
#define SIZE        ((uint64_t)1 << 20)
#define CUT         20000 /* bytes of the bodies that stall or end there */
#define STALL_MS    200
#define PATIENCE_MS 60000 /* of requests that are to succeed, however busy the machine is */

struct setting {
	struct origin origin;
	const struct backend_env *patient;
	const struct backend_env *impatient;
};

static struct uri uri_of(const struct setting *setting, const char *path)
{
	CLEANUP(str_freep) char *text = str_printf("%s%s", setting->origin.base, path);
	struct uri uri = {.text = NULL};
	struct err err = ERR_INIT;

	CHECK(uri_parse(text, &uri, &err) == 0, "%s", err.msg);
	return uri;
}

/* What one fetch is, and how it ends. */
struct attempt {
	const char *path;
	uint64_t offset;
	uint64_t length;
	bool impatient;
	int result;
	uint64_t arrives; /* bytes */
};

static void fetch(
	const struct setting *setting, const struct attempt *attempt, struct collect *collect)
{
	CLEANUP(uri_release) struct uri uri = uri_of(setting, attempt->path);
	struct backend_request request = {
		.uri = &uri, .offset = attempt->offset, .length = attempt->length};
	struct err err = ERR_INIT;
	int r = http_backend.fetch(attempt->impatient ? setting->impatient : setting->patient,
		&request, &collect->sink, &err);

	CHECK(r == attempt->result, "%s: %d instead of %d: %s", attempt->path, r, attempt->result,
		err.msg);
	/* who is impatient may end it before the bytes that would have come */
	CHECK(collect->len == attempt->arrives ||
			(attempt->impatient && collect->len < attempt->arrives),
		"%s: %zu bytes", attempt->path, collect->len);
	for (size_t i = 0; i < collect->len; i++)
		CHECK(collect->bytes[i] == origin_byte(attempt->offset + i), "%s: byte %zu",
			attempt->path, i);
	collect_release(collect);
}

static void fetch_range(const struct setting *setting, struct worker *worker)
{
	uint64_t offset = stress_below(worker, SIZE - 1);
	uint64_t length = 1 + stress_below(worker, SIZE - offset);
	struct collect collect;

	collect_init(&collect);
	fetch(setting,
		&(struct attempt){
			.path = "/a", .offset = offset, .length = length, .arrives = length},
		&collect);
}

static void fetch_slowly(const struct setting *setting)
{
	struct collect collect;

	collect_init(&collect);
	collect.slow_ms = 5;
	fetch(setting, &(struct attempt){.path = "/big", .arrives = 2 * SIZE}, &collect);
}

/* The sink or the poll says no, before or while bytes arrive. */
static void break_off(const struct setting *setting, struct worker *worker)
{
	struct attempt attempt = {.path = "/big", .result = -ENOSPC};
	struct collect collect;

	collect_init(&collect);
	switch (stress_below(worker, 3)) {
	case 0:
		collect.fail_begin = true;
		break;
	case 1:
		collect.fail_write = true;
		break;
	default:
		collect.fail_poll = 1;
		attempt = (struct attempt){.path = "/hang/a", .result = -EINTR};
		break;
	}
	fetch(setting, &attempt, &collect);
}

static void fetch_badly(const struct setting *setting, struct worker *worker)
{
	struct attempt attempt = {
		.path = "/stall/20000/a", .impatient = true, .result = -ETIMEDOUT, .arrives = CUT};
	struct collect collect;

	collect_init(&collect);
	switch (stress_below(worker, 3)) {
	case 0:
		attempt =
			(struct attempt){.path = "/short/20000/a", .result = -EIO, .arrives = CUT};
		break;
	case 1:
		attempt = (struct attempt){.path = "/nothing", .result = -ENOENT};
		break;
	default:
		break;
	}
	fetch(setting, &attempt, &collect);
}

static int say_no(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, ERR_CANCELLED, EINTR, "nobody waits");
}

static void ask(const struct setting *setting, bool in_vain)
{
	CLEANUP(uri_release) struct uri uri = uri_of(setting, in_vain ? "/hang/a" : "/a");
	struct backend_request request = {.uri = &uri, .poll = in_vain ? say_no : NULL};
	struct remote remote = {.size = SIZE_UNKNOWN};
	struct err err = ERR_INIT;
	int r = http_backend.stat(setting->patient, &request, &remote, &err);

	CHECK(r == (in_vain ? -EINTR : 0), "%d: %s", r, err.msg);
	CHECK(in_vain || remote.size == (int64_t)SIZE, "%lld", (long long)remote.size);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	const struct setting *setting = worker->arg;

	for (unsigned int i = 0; i < STEPS; i++) {
		switch (stress_below(worker, 8)) {
		case 0:
			break_off(setting, worker);
			break;
		case 1:
			fetch_badly(setting, worker);
			break;
		case 2:
			fetch_slowly(setting);
			break;
		case 3:
			ask(setting, stress_below(worker, 2) == 0);
			break;
		default:
			fetch_range(setting, worker);
			break;
		}
	}
	return NULL;
}

int main(void)
{
	const struct registry_options options = {.connect_ms = PATIENCE_MS,
		.first_byte_ms = PATIENCE_MS,
		.stall_ms = PATIENCE_MS,
		.stall_rate = 1,
		.connections = 16,
		.per_host = 12};
	struct setting setting = {.patient = NULL};
	struct backend_env *env = NULL;
	struct backend_env impatient;
	struct err err = ERR_INIT;

	CHECK(registry_open(&options, &env, &err) == 0, "%s", err.msg);
	impatient = *env;
	impatient.stall_ms = STALL_MS;
	origin_start(&setting.origin, NULL);
	origin_add(&setting.origin, "a", SIZE);
	origin_add(&setting.origin, "big", 2 * SIZE);
	setting.patient = env;
	setting.impatient = &impatient;

	stress_run(work, THREADS, 1, &setting);

	registry_close(env);
	origin_stop(&setting.origin);
	return 0;
}
