#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "base/uri.h"
#include "cache/ballast.h"
#include "cache/events.h"
#include "cache/room.h"
#include "fetch/config_values.h"
#include "fetch/context.h"
#include "fetch/extract.h"
#include "fetch/flight.h"
#include "fetch/folders.h"
#include "fetch/settler.h"
#include "fetch/trees.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SIZE_DEFAULT_MIN  (UINT64_C(1) << 30)
#define SIZE_DEFAULT_STEP (UINT64_C(64) << 20)

/* Threads that may wait for origins at the same time, beside those of flights that have been
 * answered; connections are bounded elsewhere. */
#define LEADERS_MAX 256
#define HELPERS_MAX 64

/* Threads that never wait for them: as many as do not get into each other's way. */
#define BRIEF_MAX 2

#define PROXY_VARIABLES_MAX 16

#define STALL_MAX_MS (INT64_C(24) * 60 * 60 * 1000)

static int default_cache(const char *const *environment, char **ret, struct err *err)
{
	const char *base = config_env(environment, "XDG_CACHE_HOME");
	const char *home = config_env(environment, "HOME");

	if (geteuid() == 0)
		*ret = str_copy("/var/cache/fetchfs");
	else if (base && base[0] == '/')
		*ret = str_printf("%s/fetchfs", base);
	else if (home && home[0] == '/')
		*ret = str_printf("%s/.cache/fetchfs", home);
	else
		return err_set(err, ERR_USAGE, EINVAL,
			"no place for a cache: name one by --cache, or set HOME");
	return *ret ? 0 : err_oom(err);
}

static int choose_cache(const struct fetchfs_options *options, const struct config *config,
	char **ret, struct err *err)
{
	const char *named = options->cache;

	if (!named)
		named = config_env(options->environment, "FETCHFS_CACHE");
	if (!named)
		named = config->dir;
	if (!named)
		return default_cache(options->environment, ret, err);
	*ret = strdup(named);
	return *ret ? 0 : err_oom(err);
}

/*
 * What a cache may occupy when nobody said it. What it holds counts as free, or it would shrink as
 * it fills; what little else is written meanwhile shall make no difference, so that all processes
 * that use the cache say the same.
 */
static uint64_t default_size(struct fetchfs *fetchfs, const struct statvfs *st)
{
	uint64_t quarter = (uint64_t)st->f_blocks * st->f_frsize / 4;
	struct usage usage = {0};
	uint64_t half_free;
	uint64_t size;

	(void)catalog_usage(fetchfs->catalog, &usage, NULL);
	half_free = ((uint64_t)st->f_bavail * st->f_frsize + usage.objects) / 2;
	size = half_free < quarter ? half_free : quarter;
	size -= size % SIZE_DEFAULT_STEP;
	return size < SIZE_DEFAULT_MIN ? SIZE_DEFAULT_MIN : size;
}

/* No cache outgrows its file system: what is larger could be promised, and would not be kept. */
static int clamp_size(struct fetchfs *fetchfs, uint64_t total, struct err *err)
{
	struct store *store = &fetchfs->store;
	uint64_t most = total > store->min_free ? total - store->min_free : total;
	char size[UNITS_SIZE_TEXT];
	char most_text[UNITS_SIZE_TEXT];

	if (store->limit <= most)
		return 0;
	units_format_size(store->limit, size);
	units_format_size(most, most_text);
	store->limit = most;
	if (!fetchfs->config.size)
		return 0;
	return config_list_add(&fetchfs->config.warnings,
		str_printf("size = %s of [cache]: its file system has room for %s, which is the "
			   "limit",
			size, most_text),
		err);
}

/* The bounds in bytes, from the configuration and the file system that the cache is on. */
static int choose_limits(struct fetchfs *fetchfs, struct err *err)
{
	const struct config *config = &fetchfs->config;
	struct store *store = &fetchfs->store;
	struct statvfs st;
	uint64_t total;
	int r;

	if (fstatvfs(fetchfs->dir.fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "look at the file system of the cache: %m");
	total = (uint64_t)st.f_blocks * st.f_frsize;

	store->limit = config->size ? config->size : default_size(fetchfs, &st);
	store->min_free = config->min_free_percent ? total / 100 * config->min_free_percent
						   : config->min_free;
	r = clamp_size(fetchfs, total, err);
	if (r < 0)
		return r;
	store->share = config->per_user_percent ? store->limit / 100 * config->per_user_percent
						: config->per_user;
	return 0;
}

static bool is_cache(const char *path)
{
	CLEANUP(str_freep) char *objects = str_printf("%s/objects", path);

	return objects && access(objects, F_OK) == 0;
}

static int open_cache(
	struct fetchfs *fetchfs, const struct fetchfs_options *options, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	int r = choose_cache(options, &fetchfs->config, &path, err);

	if (r < 0)
		return r;
	if (options->only_existing && !is_cache(path))
		return err_set(err, ERR_SYSTEM, ENOENT, "%s is no cache yet", path);
	r = cachedir_open(path, options->force || fetchfs->config.force, &fetchfs->dir, err);
	if (r < 0)
		return r;
	r = catalog_open(&fetchfs->dir, &fetchfs->catalog, err);
	if (r < 0)
		return r;
	fetchfs->store.dir = &fetchfs->dir;
	fetchfs->store.catalog = fetchfs->catalog;
	r = events_open(&fetchfs->dir, &fetchfs->store.events, err);
	if (r == 0)
		r = choose_limits(fetchfs, err);
	if (r == 0)
		r = catalog_bound_log(fetchfs->catalog, room_of_log(&fetchfs->store), err);
	if (r < 0)
		return r;
	ballast_take(&fetchfs->store);
	return store_share(&fetchfs->store, err);
}

/* What the program wants otherwise than it is configured. */
static void overrule(struct config *config, const struct fetchfs_options *options)
{
	int64_t ms = options->stall_ms < STALL_MAX_MS ? options->stall_ms : STALL_MAX_MS;

	if (ms > 0)
		config->stall_ms = config->first_byte_ms = ms;
}

/* Keep what the environment says of proxies. */
static int keep_proxies(
	struct fetchfs *fetchfs, const struct fetchfs_options *options, struct err *err)
{
	const char *const *variable = options->environment;
	size_t count = 0;

	fetchfs->proxy_environment = calloc(PROXY_VARIABLES_MAX + 1, sizeof(char *));
	if (!fetchfs->proxy_environment)
		return err_oom(err);
	fetchfs->daemon = options->daemon;
	for (; variable && *variable && count < PROXY_VARIABLES_MAX; variable++) {
		const char *end = strchr(*variable, '=');

		if (!end || end - *variable < 6 || strncasecmp(end - 6, "_proxy", 6) != 0)
			continue;
		fetchfs->proxy_environment[count] = str_copy(*variable);
		if (!fetchfs->proxy_environment[count++])
			return err_oom(err);
	}
	return 0;
}

static int open_network(
	struct fetchfs *fetchfs, const struct fetchfs_options *options, struct err *err)
{
	const struct config *config = &fetchfs->config;
	struct registry_options registry = {
		.ca_file = config->ca_file,
		.connect_ms = (unsigned int)config->connect_ms,
		.first_byte_ms = (unsigned int)config->first_byte_ms,
		.stall_ms = (unsigned int)config->stall_ms,
		.stall_rate = config->stall_rate,
		.connections = config->connections,
		.per_host = config->per_host,
		.hadoop = config->hadoop,
		.hadoop_clients = config->hadoop_clients,
		.hadoop_schemes = (const char *const *)config->hadoop_schemes.items,
		.environment = options->environment,
	};
	int r = keep_proxies(fetchfs, options, err);

	fetchfs->backends = options->backends;
	fetchfs->health = health_new();
	fetchfs->folders = folders_new();
	if (r == 0 && (!fetchfs->health || !fetchfs->folders))
		r = err_oom(err);
	if (r == 0)
		r = registry_open(&registry, &fetchfs->env, err);
	if (r == 0 && !fetchfs->backends)
		fetchfs->backends = registry_backends(fetchfs->env);
	if (getrandom(&fetchfs->turn, sizeof(fetchfs->turn), GRND_NONBLOCK) < 0)
		fetchfs->turn = (unsigned int)getpid();
	if (r == 0)
		r = queue_new("fetchfs-fetch", LEADERS_MAX, &fetchfs->leaders, err);
	if (r == 0)
		r = queue_new("fetchfs-brief", BRIEF_MAX, &fetchfs->brief, err);
	if (r == 0)
		r = queue_new("fetchfs-ahead", HELPERS_MAX, &fetchfs->helpers, err);
	return r;
}

static int open_trees(
	struct fetchfs *fetchfs, const struct fetchfs_options *options, struct err *err)
{
	fetchfs->program = str_copy(options->program ? options->program : FETCHFS_PROGRAM);
	fetchfs->program_environment = extract_environment(options->environment);
	fetchfs->trees = trees_new();
	if (!fetchfs->program || !fetchfs->program_environment || !fetchfs->trees)
		return err_oom(err);
	return 0;
}

static void free_list(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

int fetchfs_open(const struct fetchfs_options *options, struct fetchfs **ret, struct err *err)
{
	struct fetchfs *fetchfs = calloc(1, sizeof(*fetchfs));
	int r;

	if (!fetchfs)
		return err_oom(err);
	pthread_mutex_init(&fetchfs->mu, NULL);
	pthread_mutex_init(&fetchfs->refusals.mu, NULL);
	pthread_cond_init(&fetchfs->none, NULL);
	looks_init(&fetchfs->looks);
	machine_init(&fetchfs->machine);
	fetchfs->owner = geteuid();
	fetchfs->dir = CACHEDIR_INIT;

	r = config_load(options->config, options->environment, options->config_lenient,
		&fetchfs->config, err);
	overrule(&fetchfs->config, options);
	fetchfs->turns = (struct turns){.limit = fetchfs->config.turns, .owner = fetchfs->owner};
	if (r == 0)
		r = open_cache(fetchfs, options, err);
	if (r == 0)
		r = open_network(fetchfs, options, err);
	if (r == 0)
		r = open_trees(fetchfs, options, err);
	if (r == 0 && options->daemon)
		r = settler_start(&fetchfs->store, &fetchfs->settler, err);
	if (r < 0) {
		fetchfs_close(fetchfs);
		return r;
	}
	*ret = fetchfs;
	return 0;
}

int fetchfs_load(struct fetchfs *fetchfs, struct err *err)
{
	return registry_load(fetchfs->env, err);
}

void fetchfs_close(struct fetchfs *fetchfs)
{
	if (!fetchfs)
		return;
	settler_stop(fetchfs->settler);
	flight_cancel_all(fetchfs);
	context_wait(fetchfs);
	queue_free(fetchfs->brief);
	queue_free(fetchfs->leaders); /* each waits for its helpers */
	queue_free(fetchfs->helpers);
	registry_close(fetchfs->env);
	store_unshare(&fetchfs->store);
	events_close(fetchfs->store.events);
	catalog_close(fetchfs->catalog);
	cachedir_close(&fetchfs->dir);
	folders_free(fetchfs->folders);
	health_free(fetchfs->health);
	free_list(fetchfs->proxy_environment);
	trees_free(fetchfs->trees);
	free_list(fetchfs->program_environment);
	free(fetchfs->program);
	config_release(&fetchfs->config);
	machine_release(&fetchfs->machine);
	looks_release(&fetchfs->looks);
	pthread_cond_destroy(&fetchfs->none);
	pthread_mutex_destroy(&fetchfs->refusals.mu);
	pthread_mutex_destroy(&fetchfs->mu);
	free(fetchfs);
}

void fetchfs_cancel_all(struct fetchfs *fetchfs)
{
	flight_cancel_all(fetchfs);
	cachedir_changed(&fetchfs->dir); /* who waits for a change of it comes back */
}

const char *fetchfs_warning(const struct fetchfs *fetchfs, size_t n)
{
	const struct config_list *warnings = &fetchfs->config.warnings;

	return n < warnings->count ? warnings->items[n] : NULL;
}

const char *fetchfs_cache_path(const struct fetchfs *fetchfs)
{
	return fetchfs->dir.path;
}

bool fetchfs_has_scheme(const struct fetchfs *fetchfs, const char *scheme)
{
	return registry_find(fetchfs->backends, scheme, NULL);
}

unsigned int fetchfs_connections(const struct fetchfs *fetchfs)
{
	return fetchfs->config.connections;
}

bool fetchfs_hardlink_allowed(const struct fetchfs *fetchfs)
{
	return fetchfs->config.hardlink;
}

enum fetchfs_lookup_head fetchfs_lookup_head(const struct fetchfs *fetchfs)
{
	return (enum fetchfs_lookup_head)fetchfs->config.lookup_head;
}

uint32_t fetchfs_changes(const struct fetchfs *fetchfs)
{
	return cachedir_changes(&fetchfs->dir);
}

void fetchfs_changes_wait(const struct fetchfs *fetchfs, uint32_t seen, unsigned int timeout_ms)
{
	cachedir_wait_change(&fetchfs->dir, seen, timeout_ms);
}

int fetchfs_usage(struct fetchfs *fetchfs, struct fetchfs_usage *ret, struct err *err)
{
	struct usage usage;
	int r = catalog_usage(fetchfs->catalog, &usage, err);

	if (r < 0)
		return r;
	*ret = (struct fetchfs_usage){
		.limit = fetchfs->store.limit,
		.used = usage.objects + usage.reserved,
		.reserved = usage.reserved,
		.objects = usage.object_count,
		.entries = usage.entries,
		.hits = atomic_load(&fetchfs->meter.hits),
		.misses = atomic_load(&fetchfs->meter.misses),
		.fetched_bytes = atomic_load(&fetchfs->meter.fetched_bytes),
	};
	WITH_LOCK(&fetchfs->mu);
	ret->in_flight = HASH_COUNT(fetchfs->flights);
	ret->in_line = fetchfs->turns.waiting;
	return 0;
}

int fetchfs_mount_path(const char *uri_text, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *name = NULL;
	int r = uri_of_text(uri_text, &uri, err);

	if (r < 0)
		return r;
	r = uri_to_tree(&uri, ret, err);
	if (r != -ENOENT)
		return r;
	r = uri_to_name(&uri, &name, err);
	if (r < 0)
		return r;
	*ret = str_printf("uri/%s", name);
	return *ret ? 0 : err_oom(err);
}
