#include "fetch/folders.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/ask.h"
#include "fetch/context.h"
#include "fetch/freshness.h"
#include "fetch/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define FOLDERS_MAX   1024
#define NAMES_MAX     200000  /* of one folder */
#define NAMES_ALL_MAX 1000000 /* of all that are remembered */

struct folder_names {
	atomic_uint refs;
	struct entry_key key;
	struct folder_name *names;
	size_t count;
	size_t room;
	int64_t since;   /* seconds since 1970 */
	int64_t expires; /* likewise */
	/* guarded by the mutex of the folders */
	UT_hash_handle hh;
};

struct folders {
	pthread_mutex_t mu;
	/* guarded by mu */
	struct folder_names *by_key; /* the one that was used longest ago first */
	size_t count;                /* of names in all */
};

/* ---- one listing ---- */

static void empty(struct folder_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i].name);
	names->count = 0;
}

static void unref(struct folder_names *names)
{
	if (!names || atomic_fetch_sub(&names->refs, 1) > 1)
		return;
	empty(names);
	free(names->names);
	free(names);
}

void folders_unrefp(struct folder_names **names)
{
	unref(*names);
}

static struct folder_names *names_new(const struct target *target)
{
	struct folder_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->refs = 1;
	names->key = target->key;
	return names;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct folder_name *)a)->name, ((const struct folder_name *)b)->name);
}

/* Each name once; who is called a folder by one of two links is one. */
static void sort(struct folder_names *names)
{
	size_t kept = 0;

	if (names->count == 0)
		return;
	qsort(names->names, names->count, sizeof(*names->names), compare);
	for (size_t i = 1; i < names->count; i++) {
		if (!str_equal(names->names[i].name, names->names[kept].name)) {
			names->names[++kept] = names->names[i];
			continue;
		}
		names->names[kept].is_folder |= names->names[i].is_folder;
		free(names->names[i].name);
	}
	names->count = kept + 1;
}

size_t folders_count(const struct folder_names *names)
{
	return names ? names->count : 0;
}

const struct folder_name *folders_at(const struct folder_names *names, size_t i)
{
	return &names->names[i];
}

size_t folders_search(const struct folder_names *names, const char *name)
{
	size_t from = 0;
	size_t to = folders_count(names);

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int r = strcmp(names->names[middle].name, name);

		if (r == 0)
			return middle;
		if (r < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return folders_count(names);
}

static bool is_fresh(const struct folder_names *names)
{
	int64_t now = clock_wall();

	return names->since <= now && now < names->expires;
}

/* ---- all that are remembered ---- */

struct folders *folders_new(void)
{
	struct folders *folders = calloc(1, sizeof(*folders));

	if (folders)
		pthread_mutex_init(&folders->mu, NULL);
	return folders;
}

/* Under mu. */
static void forget(struct folders *folders, struct folder_names *names)
{
	if (folders->by_key) /* as it is: for the analyzer */
		HASH_DEL(folders->by_key, names);
	folders->count -= names->count;
	unref(names);
}

/* As the one that was used last. Under mu. */
static void add(struct folders *folders, struct folder_names *names)
{
	HASH_ADD(hh, folders->by_key, key, sizeof(names->key), names);
	folders->count += names->count;
}

void folders_free(struct folders *folders)
{
	if (!folders)
		return;
	while (folders->by_key)
		forget(folders, folders->by_key);
	pthread_mutex_destroy(&folders->mu);
	free(folders);
}

/* A reference, or NULL. */
static struct folder_names *recall(struct folders *folders, const struct entry_key *key)
{
	struct folder_names *names;
	WITH_LOCK(&folders->mu);

	HASH_FIND(hh, folders->by_key, key, sizeof(*key), names);
	if (!names)
		return NULL;
	atomic_fetch_add(&names->refs, 2);
	forget(folders, names);
	add(folders, names);
	return names;
}

/* In place of what was known of the folder before. The reference is given away. */
static void remember(struct folders *folders, struct folder_names *names)
{
	struct folder_names *old;
	WITH_LOCK(&folders->mu);

	HASH_FIND(hh, folders->by_key, &names->key, sizeof(names->key), old);
	if (old)
		forget(folders, old);
	add(folders, names);
	while (folders->by_key != names &&
		(folders->count > NAMES_ALL_MAX || HASH_COUNT(folders->by_key) > FOLDERS_MAX))
		forget(folders, folders->by_key);
}

/* ---- asking ---- */

/* Most configurations list nothing: then no name costs more than this. */
static bool lists_any(const struct config *config)
{
	for (size_t i = 0; i < config->origin_count; i++)
		if (config->origins[i].list)
			return true;
	return false;
}

/* Without a decision, for which a local file may be looked at. */
static bool lists(const struct config *config, const char *folder)
{
	CLEANUP(uri_release) struct uri uri = {0};
	const struct origin *origin = NULL;

	if (lists_any(config) && uri_of_text(folder, &uri, NULL) == 0)
		origin = config_origin(config, uri.text);
	return origin && origin->list;
}

/* -ENOTDIR: it is not to be listed. */
static int target_of(struct fetchfs *fetchfs, const char *folder, uid_t uid, struct target **ret,
	struct err *err)
{
	struct fetchfs_request request = {.uri = folder, .uid = uid, .through_mount = true};
	CLEANUP(target_unrefp) struct target *target = NULL;
	int r = lists(&fetchfs->config, folder) ? target_new(fetchfs, &request, &target, err)
						: -ENOTDIR;

	if (r < 0)
		return r;
	/* a name with a query is no folder, whatever it looks like */
	if (!target->backend->list || target->uri.query)
		return -ENOTDIR;
	*ret = target_steal(&target);
	return 0;
}

struct folder_names *folders_find(struct fetchfs *fetchfs, const char *folder, uid_t uid)
{
	CLEANUP(target_unrefp) struct target *target = NULL;

	if (target_of(fetchfs, folder, uid, &target, NULL) < 0)
		return NULL;
	return recall(fetchfs->folders, &target->key);
}

bool fetchfs_folder_is_due(struct fetchfs *fetchfs, const char *folder, uid_t uid)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	CLEANUP(folders_unrefp) struct folder_names *names = NULL;

	if (target_of(fetchfs, folder, uid, &target, NULL) < 0)
		return false;
	names = recall(fetchfs->folders, &target->key);
	return !names || !is_fresh(names);
}

static int visit(const char *segment, bool is_folder, void *arg, struct err *err)
{
	struct folder_names *names = arg;
	size_t room = names->room ? 2 * names->room : 64;
	struct folder_name *bigger;

	if (strlen(segment) > URI_NAME_MAX)
		return 0; /* no file of the mount can be called so */
	if (names->count == NAMES_MAX)
		return err_set(err, ERR_REMOTE, EFBIG, "more than %d names", NAMES_MAX);
	if (names->count == names->room) {
		bigger = reallocarray(names->names, room, sizeof(*bigger));
		if (!bigger)
			return err_oom(err);
		names->names = bigger;
		names->room = room;
	}
	names->names[names->count].name = str_copy(segment);
	if (!names->names[names->count].name)
		return err_oom(err);
	names->names[names->count++].is_folder = is_folder;
	return 0;
}

struct answer {
	struct folder_names *names;
	struct remote remote;
};

static int list_by_route(const struct backend *backend, const struct backend_env *env,
	const struct backend_request *request, void *arg, struct err *err)
{
	struct answer *answer = arg;

	empty(answer->names); /* of what the way before had begun with */
	if (!backend->list)
		return err_set(err, ERR_USAGE, ENOTDIR, "%s cannot list", backend->name);
	return backend->list(env, request, &answer->remote, visit, answer->names, err);
}

/* Nobody waits for the same failure again at once: what is known is shown meanwhile. */
static void remember_failure(struct fetchfs *fetchfs, const struct target *target,
	struct folder_names *names, const struct err *why)
{
	CLEANUP(folders_unrefp)
	struct folder_names *old = recall(fetchfs->folders, &target->key);
	bool is_gone = why->kind != ERR_NETWORK && why->kind != ERR_PROXY &&
		       (why->code == ENOENT || why->code == EACCES || why->code == ENOTDIR);

	if (why->code == ECANCELED || why->code == ENOMEM)
		return;
	names->since = clock_wall();
	names->expires = freshness_absent_until(&target->decision, &target->uri, names->since);
	empty(names);
	/* an origin that cannot be reached takes nothing back */
	for (size_t i = 0; !is_gone && i < folders_count(old); i++)
		if (visit(old->names[i].name, old->names[i].is_folder, names, NULL) < 0)
			return;
	atomic_fetch_add(&names->refs, 1);
	remember(fetchfs->folders, names);
}

int fetchfs_folder_ask(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	CLEANUP(folders_unrefp) struct folder_names *names = NULL;
	struct answer answer = {.remote = {.max_age = TIME_UNKNOWN}};
	struct err why = ERR_INIT;
	int r = target_of(fetchfs, request->uri, request->uid, &target, err);

	if (r < 0)
		return r == -ENOTDIR ? 0 : r;
	names = names_new(target);
	if (!names)
		return err_oom(err);
	names->since = clock_wall();
	answer.names = names;
	r = ask_around(fetchfs, target, request, list_by_route, &answer, &why);
	if (r == 0)
		r = target_check_remote(target, &answer.remote, &why);
	if (r < 0) {
		remember_failure(fetchfs, target, names, &why);
		if (err)
			*err = why;
		return r;
	}
	sort(names);
	names->expires = freshness_until(&target->decision, &answer.remote, names->since);
	atomic_fetch_add(&names->refs, 1);
	remember(fetchfs->folders, names);
	return 0;
}

bool folders_lists_folder(struct fetchfs *fetchfs, const char *folder, const char *name, uid_t uid)
{
	CLEANUP(folders_unrefp) struct folder_names *names = folders_find(fetchfs, folder, uid);
	size_t i;

	if (!names || !is_fresh(names))
		return false;
	i = folders_search(names, name);
	return i < names->count && names->names[i].is_folder;
}
