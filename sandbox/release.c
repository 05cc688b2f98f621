#include "sandbox/release.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/user.h"
#include "sandbox/folder.h"

#include <errno.h>

static bool is_of(const struct fetchfs_lease *lease, const struct folder *folder)
{
	return lease->device == folder->device && lease->inode == folder->inode;
}

/* Leases of a directory that had this path, and is gone. */
static int drop_orphans(struct fetchfs *fetchfs, const struct leases *all,
	const struct folder *folder, const char *path, size_t *count, struct err *err)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct fetchfs_lease *lease = &all->items[i];
		int r;

		if (!str_equal(lease->directory, path) || (folder && is_of(lease, folder)))
			continue;
		r = fetchfs_lease_drop(fetchfs, lease->id, err);
		if (r < 0)
			return r;
		(*count)++;
	}
	return 0;
}

static int take_back(struct fetchfs *fetchfs, const struct leases *all, const struct folder *folder,
	leases_notice *notice, void *arg, size_t *count, struct err *err)
{
	CLEANUP(leases_release) struct leases of_folder = {0};
	int r = 0;

	for (size_t i = 0; i < all->count && r == 0; i++)
		if (is_of(&all->items[i], folder))
			r = leases_add(&of_folder, &all->items[i], err);
	if (r < 0)
		return r;
	*count += of_folder.count;
	return leases_take_back(fetchfs, folder, &of_folder, notice, arg, err);
}

int release_run(struct fetchfs *fetchfs, const char *directory, leases_notice *notice, void *arg,
	size_t *ret_count, struct err *err)
{
	CLEANUP(folder_release) struct folder folder = {.fd = -1};
	CLEANUP(leases_release) struct leases all = {0};
	CLEANUP(str_freep) char *path = NULL;
	struct user caller;
	size_t count = 0;
	bool gone;
	int r;

	r = user_find(NULL, &caller, err);
	if (r < 0)
		return r;
	r = folder_open(directory, &caller, &folder, err);
	gone = r == -ENOENT;
	if (r < 0 && !gone)
		return r;
	r = folder_absolute(directory, &path, err);
	if (r == 0)
		r = leases_load(fetchfs, 0, 0, &all, err);
	if (r == 0 && !gone)
		r = take_back(fetchfs, &all, &folder, notice, arg, &count, err);
	if (r == 0)
		r = drop_orphans(fetchfs, &all, gone ? NULL : &folder, path, &count, err);
	if (r == 0)
		*ret_count = count;
	return r;
}
