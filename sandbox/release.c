#include "sandbox/release.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"
#include "sandbox/folder.h"

#include <errno.h>
#include <string.h>

/* How long a prepare of the same directory, which may be copying, is waited for. */
#define PATIENCE_MS 600000

/* The leases of @folder, and those of a directory that had the name @path and is gone. */
static int divide(const struct leases *all, const struct folder *folder, const char *path,
	struct leases *of_folder, struct leases *orphans, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < all->count && r == 0; i++) {
		const struct fetchfs_lease *lease = &all->items[i];

		if (folder && leases_is_of_directory(lease, folder->device, &folder->id, path))
			r = leases_add(of_folder, lease, err);
		else if (str_equal(lease->directory, path))
			r = leases_add(orphans, lease, err);
	}
	return r;
}

static int take_back(struct fetchfs *fetchfs, const struct folder *folder, const char *path,
	leases_notice *notice, void *arg, size_t *ret_count, struct err *err)
{
	CLEANUP(leases_release) struct leases all = {0};
	CLEANUP(leases_release) struct leases of_folder = {0};
	CLEANUP(leases_release) struct leases orphans = {0};
	int r;

	r = leases_load_near(fetchfs, folder ? folder->id.inode : 0, path, &all, err);
	if (r == 0)
		r = divide(&all, folder, path, &of_folder, &orphans, err);
	if (r == 0)
		r = leases_take_back(fetchfs, folder, &of_folder, notice, arg, err);
	if (r == 0)
		r = leases_take_back(fetchfs, NULL, &orphans, NULL, NULL, err);
	if (r == 0)
		*ret_count = of_folder.count + orphans.count;
	return r;
}

/* As it was written down; of a directory whose parent is gone, too. */
static int find_path(const char *directory, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	int r = folder_absolute(directory, ret, err);

	if (r == 0 || *directory != '/')
		return r;
	path = str_copy(directory);
	if (!path)
		return err_oom(err);
	for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	*ret = str_steal(&path);
	return 0;
}

int release_run(struct fetchfs *fetchfs, const char *directory, leases_notice *notice, void *arg,
	size_t *ret_count, struct err *err)
{
	CLEANUP(folder_release) struct folder folder = {.fd = -1};
	CLEANUP(str_freep) char *path = NULL;
	CLEANUP(fd_closep) int hold = -1;
	struct user caller;
	bool gone;
	int r;

	r = user_find(NULL, &caller, err);
	if (r < 0)
		return r;
	r = folder_open(directory, &caller, &folder, err);
	gone = r == -ENOENT;
	if (r < 0 && !gone)
		return r;
	r = find_path(directory, &path, err);
	if (r == 0 && !gone)
		r = fetchfs_hold_directory(
			fetchfs, folder.device, folder.id.inode, PATIENCE_MS, &hold, err);
	if (r == 0)
		r = take_back(fetchfs, gone ? NULL : &folder, path, notice, arg, ret_count, err);
	return r;
}
