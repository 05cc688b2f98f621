#include "backends/registry.h"

#include "backends/builtin.h"
#include "backends/hadoop_client.h"
#include "backends/libxml.h"
#include "backends/oci_memory.h"
#include "backends/s3_regions.h"
#include "backends/s3_wallet.h"
#include "backends/transfer.h"
#include "backends/webhdfs_active.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct backend *const registry_all[] = {&http_backend, &ftp_backend, &file_backend,
	&s3_backend, &webhdfs_backend, &oci_backend, &hadoop_backend, NULL};

static bool serves(const struct backend *backend, const char *scheme)
{
	for (const char *const *s = backend->schemes; *s; s++)
		if (str_equal(*s, scheme))
			return true;
	return false;
}

/* "http, https, file" into @ret; what does not fit is left out. */
static void list_schemes(const struct backend *const *table, char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = '\0';
	for (; *table; table++)
		for (const char *const *s = (*table)->schemes; *s; s++) {
			int n = snprintf(ret + len, size - len, "%s%s", len ? ", " : "", *s);

			if (n < 0 || (size_t)n >= size - len) {
				ret[len] = '\0';
				return;
			}
			len += (size_t)n;
		}
}

const struct backend *registry_find(
	const struct backend *const *table, const char *scheme, struct err *err)
{
	char known[256];

	for (const struct backend *const *backend = table; *backend; backend++)
		if (serves(*backend, scheme))
			return *backend;
	list_schemes(table, known, sizeof(known));
	err_set(err, ERR_USAGE, EPROTONOSUPPORT, "unknown scheme %.40s (there are: %s)", scheme,
		known);
	return NULL;
}

const struct backend *registry_find_named(const char *name)
{
	const struct backend *const *backend = registry_all;

	while (*backend && !str_equal((*backend)->name, name))
		backend++;
	return *backend;
}

/* What is handed out, and what only we may free. */
struct registry {
	struct backend_env env; /* first: one address for both */
	char *ca_file;
	struct backend hadoop; /* with the schemes of the configuration */
	const struct backend *backends[ARRAY_SIZE(registry_all)];
};

/* What the configuration says comes before what is so anyhow. */
static void make_table(struct registry *registry, const char *const *schemes)
{
	size_t count = 0;

	registry->hadoop = hadoop_backend;
	if (schemes)
		registry->hadoop.schemes = schemes;
	registry->backends[count++] = &registry->hadoop;
	for (const struct backend *const *backend = registry_all; *backend; backend++)
		if (*backend != &hadoop_backend)
			registry->backends[count++] = *backend;
}

const struct backend *const *registry_backends(const struct backend_env *env)
{
	return ((const struct registry *)env)->backends;
}

int registry_open(const struct registry_options *options, struct backend_env **ret, struct err *err)
{
	struct registry *registry = calloc(1, sizeof(*registry));
	int r;

	if (!registry)
		return err_oom(err);
	make_table(registry, options->hadoop_schemes);
	registry->ca_file = str_copy(options->ca_file);
	registry->env = (struct backend_env){
		.s3_regions = s3_regions_new(),
		.webhdfs_active = webhdfs_active_new(),
		.hadoop = hadoop_client_new(
			options->hadoop, options->environment, options->hadoop_clients),
		.s3_wallet = s3_wallet_new(),
		.oci_memory = oci_memory_new(),
		.ca_file = registry->ca_file,
		.connect_ms = options->connect_ms,
		.first_byte_ms = options->first_byte_ms,
		.stall_ms = options->stall_ms,
		.stall_rate = options->stall_rate,
	};
	if (!registry->env.s3_regions || !registry->env.s3_wallet || !registry->env.oci_memory ||
		!registry->env.webhdfs_active || !registry->env.hadoop ||
		(options->ca_file && !registry->ca_file))
		r = err_oom(err);
	else
		r = transfers_new(
			options->connections, options->per_host, &registry->env.transfers, err);
	if (r < 0) {
		registry_close(&registry->env);
		return r;
	}
	*ret = &registry->env;
	return 0;
}

int registry_load(struct backend_env *env, struct err *err)
{
	int r = transfers_awake(env->transfers, err);

	return r < 0 ? r : libxml_load(err);
}

void registry_hurry(struct backend_env *env)
{
	if (env)
		transfers_hurry(env->transfers);
}

void registry_close(struct backend_env *env)
{
	struct registry *registry = (struct registry *)env;

	if (!registry)
		return;
	transfers_free(registry->env.transfers);
	s3_regions_free(registry->env.s3_regions);
	webhdfs_active_free(registry->env.webhdfs_active);
	hadoop_client_free(registry->env.hadoop);
	s3_wallet_free(registry->env.s3_wallet);
	oci_memory_free(registry->env.oci_memory);
	free(registry->ca_file);
	free(registry);
}
