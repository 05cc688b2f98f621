/* Looking at the whole cache: fetchfs_list(), _is_folder(), _is_unchanged(). */
#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/browse.h"
#include "fetch/folders.h"
#include "fetch/in_flight.h"
#include "fetch/info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

		if (!in_flight_is_unlisted(fetchfs, set.items[i]->target, prefix, uid))
			continue;
		r = info_of_flight(set.items[i], &info, walk->err);
		if (r < 0)
			break;
		r = walk->visit(&info, walk->arg);
		fetchfs_info_release(&info);
	}
	return r;
}

int browse_scopes(struct fetchfs *fetchfs, uid_t uid, char **ret, struct err *err)
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
	int r = browse_scopes(fetchfs, uid, &scopes, err);

	if (r < 0)
		return r;
	r = catalog_list(fetchfs->catalog, prefix, scopes, list_entry, &walk, err);
	return r ? r : list_flights(fetchfs, prefix, uid, &walk);
}

/* ---- folders ---- */

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
	r = browse_scopes(fetchfs, uid, &scopes, err);
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
