/* Looking at the whole cache, and letting go: fetchfs_list(), _children(), _evict() … */
#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/folders.h"
#include "fetch/info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Flights of one process that a listing shows: those the index does not know yet. */
#define IN_FLIGHT_MAX 1024

/* ---- flights that are not in the index ---- */

struct in_flight {
	struct flight *items[IN_FLIGHT_MAX]; /* references */
	size_t count;
};

static void in_flight_take(struct fetchfs *fetchfs, struct in_flight *ret)
{
	struct flight *flight;
	struct flight *next;
	WITH_LOCK(&fetchfs->mu);

	ret->count = 0;
	HASH_ITER (hh, fetchfs->flights, flight, next) {
		if (ret->count == IN_FLIGHT_MAX)
			return;
		pthread_mutex_lock(&flight->mu);
		flight->refs++;
		flight->interested++;
		pthread_mutex_unlock(&flight->mu);
		ret->items[ret->count++] = flight;
	}
}

static void in_flight_release(struct in_flight *set)
{
	for (size_t i = 0; i < set->count; i++)
		flight_unref(set->items[i], false);
	set->count = 0;
}

static bool may_see(struct fetchfs *fetchfs, const struct target *target, uid_t uid)
{
	return policy_may_see(&fetchfs->config, target->decision.scope, uid, fetchfs->owner);
}

/* Whether the listing is to show it for @prefix and @uid, and the index does not. */
static bool is_unlisted(
	struct fetchfs *fetchfs, const struct target *target, const char *prefix, uid_t uid)
{
	struct entry entry;

	if (!str_has_prefix(target->shown, prefix) || !may_see(fetchfs, target, uid))
		return false;
	if (catalog_find(fetchfs->catalog, &target->key, &entry, NULL) < 0)
		return true;
	entry_release(&entry);
	return false;
}

/* ---- listing ---- */

struct list_walk {
	fetchfs_visit *visit;
	void *arg;
	struct err *err;
};

static int list_entry(const struct entry *entry, void *arg)
{
	struct list_walk *walk = arg;
	struct fetchfs_info info;
	int r = info_of_entry(entry, &info, walk->err);

	if (r < 0)
		return r;
	r = walk->visit(&info, walk->arg);
	fetchfs_info_release(&info);
	return r;
}

static int list_flights(
	struct fetchfs *fetchfs, const char *prefix, uid_t uid, struct list_walk *walk)
{
	CLEANUP(in_flight_release) struct in_flight set = {.count = 0};
	int r = 0;

	in_flight_take(fetchfs, &set);
	for (size_t i = 0; r == 0 && i < set.count; i++) {
		struct fetchfs_info info;

		if (!is_unlisted(fetchfs, set.items[i]->target, prefix, uid))
			continue;
		r = info_of_flight(set.items[i], &info, walk->err);
		if (r < 0)
			break;
		r = walk->visit(&info, walk->arg);
		fetchfs_info_release(&info);
	}
	return r;
}

/* The scopes whose entries @uid sees beside the public ones; NULL: all. */
static int scopes_of(struct fetchfs *fetchfs, uid_t uid, char **ret, struct err *err)
{
	*ret = NULL;
	if (uid == 0)
		return 0;
	return policy_scopes(&fetchfs->config, uid, fetchfs->owner, ret, err);
}

int fetchfs_list(struct fetchfs *fetchfs, const char *prefix, uid_t uid, fetchfs_visit *visit,
	void *arg, struct err *err)
{
	struct list_walk walk = {.visit = visit, .arg = arg, .err = err};
	CLEANUP(str_freep) char *scopes = NULL;
	int r = scopes_of(fetchfs, uid, &scopes, err);

	if (r < 0)
		return r;
	r = catalog_list(fetchfs->catalog, prefix, scopes, list_entry, &walk, err);
	return r ? r : list_flights(fetchfs, prefix, uid, &walk);
}

/* ---- names below a folder ---- */

struct name_walk {
	fetchfs_visit_name *visit;
	void *arg;
	const struct in_flight *set;
	const struct folder_names *remote;
	bool *seen;                 /* those of @remote that the index knows */
	char *names[IN_FLIGHT_MAX]; /* what the flights add below the folder; NULL: nothing */
	bool folders[IN_FLIGHT_MAX];
};

static void name_walk_release(struct name_walk *walk)
{
	for (size_t i = 0; i < walk->set->count; i++)
		free(walk->names[i]);
	free(walk->seen);
}

static bool name_is_seen(const struct name_walk *walk, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (str_equal(walk->names[i], name))
			return true;
	}
	return false;
}

/* A folder wins, whoever knows of it. @at: the place in the listing, if it has one there. */
static enum fetchfs_name kind_of(const struct name_walk *walk, bool is_folder, size_t at)
{
	if (at < folders_count(walk->remote) && folders_at(walk->remote, at)->is_folder)
		is_folder = true;
	return is_folder ? FETCHFS_NAME_FOLDER : FETCHFS_NAME_FILE;
}

/* The index has this name itself. */
static int children_entry(const char *name, bool is_folder, void *arg)
{
	struct name_walk *walk = arg;
	size_t at = folders_search(walk->remote, name);

	if (at < folders_count(walk->remote))
		walk->seen[at] = true;
	for (size_t i = 0; i < walk->set->count; i++) {
		if (str_equal(walk->names[i], name)) {
			free(walk->names[i]);
			walk->names[i] = NULL;
		}
	}
	return walk->visit(name, kind_of(walk, is_folder, at), walk->arg);
}

static int collect_names(
	struct fetchfs *fetchfs, const char *folder, uid_t uid, struct name_walk *walk)
{
	for (size_t i = 0; i < walk->set->count; i++) {
		const struct target *target = walk->set->items[i]->target;
		const char *rest = target->shown + strlen(folder);
		CLEANUP(str_freep) char *name = NULL;
		size_t len;

		if (!target_is_listed(target) || !is_unlisted(fetchfs, target, folder, uid))
			continue;
		len = strcspn(rest, "/");
		name = strndup(rest, len);
		if (!name)
			return -ENOMEM;
		if (len == 0 || name_is_seen(walk, i, name))
			continue;
		walk->folders[i] = rest[len] == '/';
		walk->names[i] = str_steal(&name);
	}
	return 0;
}

/* What only the origin knows. */
static int visit_remote(const struct name_walk *walk)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < folders_count(walk->remote); i++) {
		const struct folder_name *item = folders_at(walk->remote, i);

		if (!walk->seen[i])
			r = walk->visit(item->name,
				item->is_folder ? FETCHFS_NAME_FOLDER : FETCHFS_NAME_LISTED,
				walk->arg);
	}
	return r;
}

int fetchfs_children(struct fetchfs *fetchfs, const char *folder, uid_t uid,
	fetchfs_visit_name *visit, void *arg, struct err *err)
{
	CLEANUP(in_flight_release) struct in_flight set = {.count = 0};
	CLEANUP(folders_unrefp)
	struct folder_names *remote = folders_find(fetchfs, folder, uid);
	CLEANUP(name_walk_release)
	struct name_walk walk = {.visit = visit, .arg = arg, .set = &set, .remote = remote};
	CLEANUP(str_freep) char *scopes = NULL;
	int r = scopes_of(fetchfs, uid, &scopes, err);

	if (r < 0)
		return r;
	walk.seen = calloc(folders_count(remote) + 1, sizeof(*walk.seen));
	if (!walk.seen)
		return err_oom(err);
	in_flight_take(fetchfs, &set);
	if (collect_names(fetchfs, folder, uid, &walk) < 0)
		return err_oom(err);
	r = catalog_children(fetchfs->catalog, folder, scopes, children_entry, &walk, err);
	for (size_t i = 0; r == 0 && i < set.count; i++) {
		size_t at;

		if (!walk.names[i])
			continue;
		at = folders_search(remote, walk.names[i]);
		if (at < folders_count(remote))
			walk.seen[at] = true;
		r = visit(walk.names[i], kind_of(&walk, walk.folders[i], at), arg);
	}
	return r == 0 ? visit_remote(&walk) : r;
}

static int any_name(const char *name, enum fetchfs_name kind, void *arg)
{
	(void)name;
	(void)kind;
	(void)arg;
	return 1;
}

/* Whether the configuration allows something below @folder by name: then it is a way to there. */
static bool leads_to_allowed(const struct fetchfs *fetchfs, const char *folder)
{
	const struct config *config = &fetchfs->config;
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *path = NULL;

	for (size_t i = 0; i < config->allow.count; i++)
		if (str_has_prefix(config->allow.items[i], folder))
			return true;
	for (size_t i = 0; i < config->origin_count; i++) {
		const struct origin *origin = &config->origins[i];
		size_t len = strlen(origin->prefix);

		if (str_has_prefix(origin->prefix, folder))
			return true;
		/* what is to be listed is a folder */
		if (origin->list && str_has_prefix(folder, origin->prefix) &&
			str_equal(folder + len, "/"))
			return true;
	}
	if (!str_has_prefix(folder, "file:") || uri_parse(folder, &uri, NULL) < 0 ||
		uri_file_path(&uri, &path, NULL) < 0)
		return false;
	for (size_t i = 0; i < config->file_roots.count; i++)
		if (str_has_prefix(config->file_roots.items[i], path))
			return true;
	return false;
}

/* Whether the folder that it is in lists it as one: as fetchfs_is_folder(). */
static int is_listed(struct fetchfs *fetchfs, const char *folder, uid_t uid)
{
	size_t len = strlen(folder) - 1; /* of it, without its slash */
	size_t above = len;
	CLEANUP(str_freep) char *parent = NULL;
	CLEANUP(str_freep) char *name = NULL;

	while (above > 0 && folder[above - 1] != '/')
		above--;
	parent = strndup(folder, above);
	name = strndup(folder + above, len - above);
	return parent && name && folders_lists_folder(fetchfs, parent, name, uid);
}

int fetchfs_is_folder(struct fetchfs *fetchfs, const char *folder, uid_t uid, struct err *err)
{
	CLEANUP(str_freep) char *scopes = NULL;
	int r;

	if (leads_to_allowed(fetchfs, folder))
		return 2;
	r = catalog_has_children(fetchfs->catalog, folder, "", err);
	if (r != 0)
		return r < 0 ? r : 2;
	r = scopes_of(fetchfs, uid, &scopes, err);
	if (r < 0)
		return r;
	r = catalog_has_children(fetchfs->catalog, folder, scopes, err);
	if (r == 0)
		r = fetchfs_children(fetchfs, folder, uid, any_name, NULL, err);
	return r ? r : is_listed(fetchfs, folder, uid);
}

int fetchfs_is_unchanged(struct fetchfs *fetchfs, const char *key, const char *sha256,
	bool executable, struct err *err)
{
	struct entry entry = {.size = -1};
	struct entry_key entry_key;
	struct digest digest;
	bool same;
	int r = digest_parse(sha256, &digest, err);

	if (r < 0)
		return r;
	if (key && !str_from_hex(key, sizeof(entry_key.bytes), entry_key.bytes))
		return err_set(err, ERR_USAGE, EINVAL, "no key: %s", key);
	r = key ? catalog_find(fetchfs->catalog, &entry_key, &entry, err)
		: catalog_find_digest(fetchfs->catalog, &digest, "", &entry, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	same = entry.state == ENTRY_COMPLETE && (!key || entry.executable == executable) &&
	       memcmp(entry.digest.bytes, digest.bytes, sizeof(digest.bytes)) == 0;
	entry_release(&entry);
	return same;
}
