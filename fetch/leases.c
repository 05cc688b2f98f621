/* Leases, as the public header shows them: fetchfs_lease_add(), _lease_drop(), _leases(). */
#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/context.h"
#include "fetch/file.h"
#include "fetch/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* *ret refers to the strings of @lease. */
static int row_of(const struct fetchfs_lease *lease, struct lease *ret, struct err *err)
{
	int r = 0;

	*ret = (struct lease){
		.directory = lease->directory,
		.device = lease->device,
		.inode = lease->inode,
		.born = lease->born,
		.name = lease->name,
		.method = lease->method,
		.file_inode = lease->file_inode,
		.file_born = lease->file_born,
		.since = lease->since,
		.mount = lease->mount,
		.mount_space = lease->mount_space,
		.uid = lease->uid,
		.uri = lease->uri,
		.has_key = *lease->key,
		.has_expected = *lease->expected,
	};
	str_fit(ret->token, sizeof(ret->token), lease->token);
	if (*lease->sha256 || !ret->has_key)
		r = digest_parse(lease->sha256, &ret->digest, err);
	if (r == 0 && ret->has_expected)
		r = digest_parse(lease->expected, &ret->expected, err);
	if (r == 0 && ret->has_key &&
		!str_from_hex(lease->key, sizeof(ret->key.bytes), ret->key.bytes))
		r = err_set(err, ERR_USAGE, EINVAL, "no key: %s", lease->key);
	return r;
}

int fetchfs_lease_add(
	struct fetchfs *fetchfs, struct fetchfs_lease *leases, size_t count, struct err *err)
{
	struct lease *rows = calloc(count + 1, sizeof(*rows));
	int r = rows ? 0 : err_oom(err);

	for (size_t i = 0; i < count && r == 0; i++)
		r = row_of(&leases[i], &rows[i], err);
	if (r == 0)
		r = catalog_lease_add(fetchfs->catalog, rows, count, err);
	for (size_t i = 0; i < count && r == 0; i++)
		leases[i].id = rows[i].id;
	free(rows);
	return r;
}

int fetchfs_lease_drop(struct fetchfs *fetchfs, const int64_t *ids, size_t count, struct err *err)
{
	return catalog_lease_drop(fetchfs->catalog, ids, count, err);
}

static void fill_names(const struct lease *row, struct fetchfs_lease *ret)
{
	digest_hex(&row->digest, ret->sha256);
	if (row->has_key)
		entry_key_hex(&row->key, ret->key);
	if (row->has_expected)
		digest_hex(&row->expected, ret->expected);
	str_fit(ret->token, sizeof(ret->token), row->token);
}

struct lease_walk {
	fetchfs_visit_lease *visit;
	void *arg;
};

static int visit_row(const struct lease *row, void *arg)
{
	struct lease_walk *walk = arg;
	struct fetchfs_lease lease = {
		.id = row->id,
		.directory = row->directory,
		.device = row->device,
		.inode = row->inode,
		.born = row->born,
		.name = row->name,
		.method = row->method,
		.file_inode = row->file_inode,
		.file_born = row->file_born,
		.since = row->since,
		.mount = row->mount,
		.mount_space = row->mount_space,
		.uid = row->uid,
		.uri = row->uri,
		.of_this_boot = row->of_this_boot,
	};

	fill_names(row, &lease);
	return walk->visit(&lease, walk->arg);
}

static void lease_releasep(struct lease *lease)
{
	lease_release(lease);
}

int fetchfs_lease_find(
	struct fetchfs *fetchfs, const char *token, struct fetchfs_lease *ret, struct err *err)
{
	CLEANUP(lease_releasep) struct lease row = {0};
	int r = catalog_lease_find(fetchfs->catalog, token, &row, err);

	if (r < 0)
		return r;
	*ret = (struct fetchfs_lease){.id = row.id, .uid = row.uid, .since = row.since};
	fill_names(&row, ret);
	return 0;
}

int fetchfs_leases(struct fetchfs *fetchfs, uint64_t device, uint64_t inode,
	fetchfs_visit_lease *visit, void *arg, struct err *err)
{
	struct lease_walk walk = {.visit = visit, .arg = arg};

	return catalog_leases(fetchfs->catalog, device, inode, visit_row, &walk, err);
}

int fetchfs_leases_near(struct fetchfs *fetchfs, uint64_t inode, const char *path,
	fetchfs_visit_lease *visit, void *arg, struct err *err)
{
	struct lease_walk walk = {.visit = visit, .arg = arg};

	return catalog_leases_near(fetchfs->catalog, inode, path, visit_row, &walk, err);
}

static void entry_releasep(struct entry *entry)
{
	entry_release(entry);
}

/* Whose it is nobody knows any more: not everybody's, unless it was written down. */
#define SCOPE_LEASED "leased"

/* Under no name: the row of its URI may be of other bytes by now, or gone. */
static int entry_of_lease(
	const struct fetchfs_lease *lease, bool executable, struct entry *ret, struct err *err)
{
	*ret = (struct entry){
		.scope = str_copy(*lease->key ? "" : SCOPE_LEASED),
		.uri = str_copy(lease->uri ? lease->uri : ""),
		.state = ENTRY_COMPLETE,
		.executable = executable,
		.size = SIZE_UNKNOWN,
		.modified = TIME_UNKNOWN,
		.fetched = TIME_UNKNOWN,
		.verified = TIME_UNKNOWN,
		.expires = TIME_UNKNOWN,
		.last_used = TIME_UNKNOWN,
	};
	if (!ret->scope || !ret->uri)
		return err_oom(err);
	if (*lease->key && !str_from_hex(lease->key, sizeof(ret->key.bytes), ret->key.bytes))
		return err_set(err, ERR_USAGE, EINVAL, "no key: %s", lease->key);
	return digest_parse(lease->sha256, &ret->digest, err);
}

static int open_leased(
	struct fetchfs *fetchfs, struct entry *entry, struct object *ret, struct err *err)
{
	struct catalog_file known = {.unsure = true};
	int r = catalog_file(fetchfs->catalog, &entry->digest, entry->executable, &known, err);

	if (r < 0 && r != -ENOENT)
		return r;
	entry->lent = known.lent;
	entry->unsure = known.unsure;
	return lookup_object(fetchfs, entry, EXPECTED_BY_HASHING, ret, err);
}

int fetchfs_get_leased(struct fetchfs *fetchfs, const struct fetchfs_lease *lease, bool executable,
	bool plain, struct fetchfs_file **ret, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	CLEANUP(entry_releasep) struct entry entry = {0};
	int r = entry_of_lease(lease, executable, &entry, err);

	if (r == 0)
		r = open_leased(fetchfs, &entry, &object, err);
	/* whose bytes are copied may be an executable that has no twin */
	if (r == -ENOENT && !executable && !plain) {
		entry.executable = true;
		r = open_leased(fetchfs, &entry, &object, err);
	}
	if (r < 0)
		return r;
	entry.size = (int64_t)object.size;
	return file_of_object(fetchfs, NULL, &object, &entry, ret, err);
}
