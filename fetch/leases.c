/* Leases, as the public header shows them: fetchfs_lease_add(), _lease_drop(), _leases(). */
#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/context.h"
#include "fetch/file.h"
#include "fetch/lookup.h"

#include <errno.h>
#include <string.h>

int fetchfs_lease_add(struct fetchfs *fetchfs, const struct fetchfs_lease *lease, struct err *err)
{
	struct lease row = {
		.directory = lease->directory,
		.device = lease->device,
		.inode = lease->inode,
		.name = lease->name,
		.method = lease->method,
		.file_inode = lease->file_inode,
		.since = lease->since,
		.mount = lease->mount,
		.mount_space = lease->mount_space,
		.uid = lease->uid,
		.uri = lease->uri,
		.awaited = *lease->awaits,
	};
	int r = 0;

	if (!row.awaited)
		r = digest_parse(lease->sha256, &row.digest, err);
	else if (!str_from_hex(lease->awaits, sizeof(row.key.bytes), row.key.bytes))
		r = err_set(err, ERR_USAGE, EINVAL, "no key: %s", lease->awaits);
	return r < 0 ? r : catalog_lease_add(fetchfs->catalog, &row, err);
}

int fetchfs_lease_drop(struct fetchfs *fetchfs, int64_t id, struct err *err)
{
	return catalog_lease_drop(fetchfs->catalog, id, err);
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
		.name = row->name,
		.method = row->method,
		.file_inode = row->file_inode,
		.since = row->since,
		.mount = row->mount,
		.mount_space = row->mount_space,
		.uid = row->uid,
		.uri = row->uri,
		.of_this_boot = row->of_this_boot,
	};

	digest_hex(&row->digest, lease.sha256);
	if (row->awaited)
		str_to_hex(row->key.bytes, sizeof(row->key.bytes), lease.awaits);
	return walk->visit(&lease, walk->arg);
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

/* Whose it is nobody knows any more: not everybody's. */
#define SCOPE_LEASED "leased"

/* Under no name: the row of its URI may be of other bytes by now, or gone. */
static int entry_of_lease(
	const struct fetchfs_lease *lease, bool executable, struct entry *ret, struct err *err)
{
	*ret = (struct entry){
		.scope = str_copy(SCOPE_LEASED),
		.uri = str_copy(lease->uri ? lease->uri : ""),
		.state = ENTRY_COMPLETE,
		.executable = executable,
		.modified = TIME_UNKNOWN,
		.fetched = TIME_UNKNOWN,
		.verified = TIME_UNKNOWN,
		.expires = TIME_UNKNOWN,
		.last_used = TIME_UNKNOWN,
	};
	if (!ret->scope || !ret->uri)
		return err_oom(err);
	return digest_parse(lease->sha256, &ret->digest, err);
}

int fetchfs_get_leased(struct fetchfs *fetchfs, const struct fetchfs_lease *lease, bool executable,
	struct fetchfs_file **ret, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	CLEANUP(entry_releasep) struct entry entry = {0};
	int r = entry_of_lease(lease, executable, &entry, err);

	if (r == 0)
		r = lookup_object(fetchfs, &entry, EXPECTED_BY_HASHING, &object, err);
	if (r < 0)
		return r;
	entry.size = (int64_t)object.size;
	return file_of_object(fetchfs, NULL, &object, &entry, ret, err);
}
