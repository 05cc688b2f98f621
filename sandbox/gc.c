#include "sandbox/gc.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"
#include "sandbox/folder.h"
#include "sandbox/leases.h"
#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 1000

/* Who changes the directory has it in hand: nothing there was left behind. */
#define IN_HAND 2

static int hold(struct fetchfs *fetchfs, uint64_t device, uint64_t inode, int *ret, struct err *err)
{
	struct err why = ERR_INIT;
	int r = fetchfs_hold_directory(fetchfs, device, inode, PATIENCE_MS, ret, &why);

	if (r == -EBUSY)
		return IN_HAND;
	if (r < 0 && err)
		*err = why;
	return r;
}

/* 1: @path is the directory of @lease; 0: it is not; -errno: who knows. */
static int is_at(const struct fetchfs_lease *lease, const char *path)
{
	CLEANUP(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct node node;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	r = fd < 0 ? -errno : node_look(fd, "", &node);
	return r < 0 ? r : leases_is_of_directory(lease, node.device, &node.id, path);
}

bool gc_is_gone(const struct fetchfs_lease *lease)
{
	return is_at(lease, lease->directory) == 0;
}

/*
 * Where the directory of @lease is now, as its mount tells; the caller's to free(). NULL: it has no
 * mount any more, or that was moved out of the directory.
 */
static int find_moved(const struct fetchfs_lease *lease, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *point = NULL;
	size_t len, name = strlen(lease->name);
	int r = mounts_find(lease, &point, err);

	*ret = NULL;
	if (r < 0 || !point)
		return r;
	len = strlen(point);
	if (len <= name + 1 || point[len - name - 1] != '/' ||
		!str_equal(point + len - name, lease->name))
		return 0;
	point[len - name - 1] = '\0';
	if (is_at(lease, point) == 1)
		*ret = str_steal(&point);
	return 0;
}

/* What there is of it, before it is released. */
static int look(
	const struct leases *group, struct gc_sandbox *sandbox, char **ret_moved, struct err *err)
{
	for (size_t i = 0; i < group->count && !*ret_moved; i++) {
		const struct fetchfs_lease *lease = &group->items[i];
		CLEANUP(str_freep) char *point = NULL;
		int r;

		sandbox->files += leases_is_of_file(lease);
		if (lease->mount == 0)
			continue;
		r = mounts_find(lease, &point, err);
		if (r == 0 && point)
			r = find_moved(lease, ret_moved, err);
		if (r < 0)
			return r;
		sandbox->mounts += point != NULL;
	}
	return 0;
}

static int release(struct fetchfs *fetchfs, const struct leases *group, struct gc_sandbox *sandbox,
	char **ret_moved, struct err *err)
{
	const struct fetchfs_lease *first = &group->items[0];
	CLEANUP(fd_closep) int held = -1;
	int r;

	r = hold(fetchfs, first->device, first->inode, &held, err);
	if (r == 0)
		r = look(group, sandbox, ret_moved, err);
	if (r == 0 && !*ret_moved)
		r = leases_take_back(fetchfs, NULL, group, NULL, NULL, err);
	return r;
}

/* Whether it seems so: others of the same directory may have another number of its device. */
static bool is_of_earlier_boot(const struct leases *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (leases_ended_with_boot(group, &group->items[i]))
			return true;
	return false;
}

/* Who hears of what is left alone, and of which directory. */
struct leaving {
	const char *directory;
	gc_left *left;
	void *arg;
};

static void leave(const char *name, void *arg)
{
	const struct leaving *leaving = arg;

	leaving->left(leaving->directory, name, leaving->arg);
}

/*
 * Take back what ended with the boot, as release would: the bytes are in the sandbox no longer, and
 * who prepares it again finds nothing in his way. What prepare has mounted again meanwhile is of
 * this boot. 1: something was taken back; 0: there is nothing such; IN_HAND; -errno.
 */
static int release_of_boot(struct fetchfs *fetchfs, struct gc_sandbox *sandbox,
	struct leaving *leaving, struct err *err)
{
	CLEANUP(folder_release) struct folder folder = {.fd = -1};
	CLEANUP(leases_release) struct leases all = {0};
	CLEANUP(leases_release) struct leases ended = {0};
	CLEANUP(fd_closep) int held = -1;
	struct user caller;
	int r = user_find(NULL, &caller, err);

	if (r == 0)
		r = folder_open(sandbox->directory, &caller, &folder, err);
	if (r == 0)
		r = hold(fetchfs, folder.device, folder.id.inode, &held, err);
	if (r == 0)
		r = leases_load_of(fetchfs, &folder, &all, err);
	for (size_t i = 0; i < all.count && r == 0; i++) {
		if (!leases_ended_with_boot(&all, &all.items[i]))
			continue;
		sandbox->files += leases_is_of_file(&all.items[i]);
		r = leases_add(&ended, &all.items[i], err);
	}
	if (r == 0)
		r = leases_take_back(fetchfs, &folder, &ended, leave, leaving, err);
	return r == 0 ? ended.count > 0 : r;
}

/* What was fetched for a container that did not come to be. */
static int drop_forlorn(struct fetchfs *fetchfs, struct err *err)
{
	CLEANUP(leases_release) struct leases all = {0};
	int first = leases_load(fetchfs, &all, err);

	for (size_t i = 0; i < all.count; i++) {
		int r = 0;

		if (leases_is_forlorn(&all.items[i]))
			r = fetchfs_lease_drop(fetchfs, &all.items[i].id, 1, err);
		if (first == 0)
			first = r;
	}
	return first;
}

int gc_sandboxes(struct fetchfs *fetchfs, gc_told *told, gc_left *left, void *arg, struct err *err)
{
	CLEANUP(leases_release) struct leases all = {0};
	int first = drop_forlorn(fetchfs, err);
	int r = leases_load(fetchfs, &all, err);

	if (r < 0)
		return r;
	leases_sort(&all);
	for (size_t from = 0, end; from < all.count; from = end) {
		struct gc_sandbox sandbox = {.directory = all.items[from].directory};
		struct leaving leaving = {sandbox.directory, left, arg};
		CLEANUP(str_freep) char *moved = NULL;
		struct leases group;

		end = leases_group_end(&all, from);
		group = (struct leases){.items = all.items + from, .count = end - from};
		sandbox.is_there = !gc_is_gone(&all.items[from]);
		if (sandbox.is_there && !is_of_earlier_boot(&group))
			continue;
		r = sandbox.is_there ? release_of_boot(fetchfs, &sandbox, &leaving, &sandbox.err)
				     : release(fetchfs, &group, &sandbox, &moved, &sandbox.err);
		if (r == IN_HAND || (sandbox.is_there && r == 0))
			continue;
		sandbox.moved_to = moved;
		told(&sandbox, arg);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}
