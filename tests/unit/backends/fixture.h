/* An origin, an environment with short limits, and one call for a fetch. */
#ifndef FETCHFS_TESTS_BACKENDS_FIXTURE_H
#define FETCHFS_TESTS_BACKENDS_FIXTURE_H

#include "backends/builtin.h"
#include "backends/registry.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "tests/support/collect.h"
#include "tests/support/origin.h"
#include "tests/support/tls.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

/* Generous, so that nothing fails because the machine is busy; tests of a limit set it. */
#define PATIENCE_MS 60000

struct fixture {
	struct tls tls; /* of WITH_TLS_FIXTURE */
	struct origin origin;
	struct backend_env *env;
};

static inline void fixture_stop(struct fixture *fixture)
{
	registry_close(fixture->env);
	origin_stop(&fixture->origin);
	tls_release(&fixture->tls);
}

static inline void fixture_open(struct fixture *fixture)
{
	const struct registry_options options = {
		.ca_file = fixture->tls.cert,
		.connect_ms = PATIENCE_MS,
		.first_byte_ms = PATIENCE_MS,
		.stall_ms = PATIENCE_MS,
		.stall_rate = 1,
		.connections = 32,
		.per_host = 8,
	};
	struct err err = ERR_INIT;

	cr_assert_eq(registry_open(&options, &fixture->env, &err), 0, "%s", err.msg);
}

static inline void fixture_start(struct fixture *fixture)
{
	origin_start(&fixture->origin, NULL);
	fixture_open(fixture);
}

/* The origin speaks https, and its certificate is trusted. */
static inline void fixture_start_tls(struct fixture *fixture)
{
	tls_make(&fixture->tls);
	origin_start(&fixture->origin, (const char *const[]){"--tls-cert", fixture->tls.cert,
					       "--tls-key", fixture->tls.key, NULL});
	fixture_open(fixture);
}

#define WITH_FIXTURE(name)                                                                         \
	CLEANUP(fixture_stop) struct fixture name = {.env = NULL};                                 \
	fixture_start(&name)

#define WITH_TLS_FIXTURE(name)                                                                     \
	CLEANUP(fixture_stop) struct fixture name = {.env = NULL};                                 \
	fixture_start_tls(&name)

/* The URI of @path, below the origin unless it has a scheme; for uri_release(). */
static inline struct uri fixture_uri(const struct fixture *fixture, const char *path)
{
	struct uri uri = {.text = NULL};
	struct err err = ERR_INIT;
	char *text = str_printf("%s%s", strstr(path, "://") ? "" : fixture->origin.base, path);

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s: %s", text, err.msg);
	free(text);
	return uri;
}

/* Fetch @path as @request, whose uri is filled in, says. */
static inline int fixture_fetch(struct fixture *fixture, const char *path,
	struct backend_request request, struct collect *collect, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = fixture_uri(fixture, path);
	const struct backend *backend;

	request.uri = &uri;
	backend = registry_find(registry_all, uri.scheme, err);
	cr_assert_not_null(backend);
	return backend->fetch(fixture->env, &request, &collect->sink, err);
}

static inline int fixture_stat(
	struct fixture *fixture, const char *path, struct remote *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = fixture_uri(fixture, path);

	return http_backend.stat(fixture->env, &(struct backend_request){.uri = &uri}, ret, err);
}

/* The bytes are those of a file of origin_add(), from @offset on. */
static inline bool fixture_right(const struct collect *collect, size_t offset, size_t len)
{
	if (collect->len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (collect->bytes[i] != origin_byte(offset + i))
			return false;
	return true;
}

#define WITH_COLLECT(name)                                                                         \
	CLEANUP(collect_release) struct collect name;                                              \
	collect_init(&name)

#endif
