/* Leases, as the public header shows them: fetchfs_lease_add(), _lease_drop(), _leases(). */
#include "fetch/fetchfs.h"

#include "fetch/context.h"

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
	};
	int r = digest_parse(lease->sha256, &row.digest, err);

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
