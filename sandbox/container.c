#include "sandbox/container.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/str.h"
#include "sandbox/mounts.h"
#include "sandbox/prepare_private.h"
#include "sandbox/release.h"

#include <errno.h>
#include <string.h>

static bool is_pending_for(const struct fetchfs_lease *lease, uint64_t space)
{
	return leases_is_pending(lease) && lease->of_this_boot && lease->mount_space == space;
}

/* Drop what is pending for @space, and what will be pending for ever. */
static int drop_pending(struct prepare *prepare, uint64_t space, struct err *err)
{
	CLEANUP(leases_release) struct leases now = {0};
	int r = leases_load_of(prepare->fetchfs, &prepare->folder, &now, err);

	for (size_t i = 0; i < now.count && r == 0; i++)
		if (is_pending_for(&now.items[i], space) || leases_is_forlorn(&now.items[i]))
			r = fetchfs_lease_drop(prepare->fetchfs, &now.items[i].id, 1, err);
	return r;
}

static int begin(struct prepare *prepare, const struct container *container, struct err *err)
{
	int r = prepare_begin(prepare, container->root, container->owner, err);

	if (r == 0)
		r = folder_check_owner(&prepare->folder, err);
	if (r == 0)
		r = methods_find(
			prepare->fetchfs, prepare->plan, &prepare->folder, &prepare->methods, err);
	return r;
}

/* ---- fetching ---- */

static int add_pending(struct prepare *prepare, size_t i, uint64_t space, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	struct prepared *result = &prepare->results[i];
	CLEANUP(str_freep) char *method = str_copy(LEASES_PENDING);
	struct fetchfs_lease row = {
		.directory = prepare->folder.path,
		.device = prepare->folder.device,
		.inode = prepare->folder.id.inode,
		.born = prepare->folder.id.born,
		.name = item->name,
		.method = method,
		.mount_space = space,
		.uid = prepare->user->uid,
		.uri = item->shown,
		.since = clock_wall(),
	};
	struct fetchfs_info info;
	int r;

	if (!method)
		return err_oom(err);
	r = fetchfs_file_info(prepare->files[i], &info, err);
	if (r < 0)
		return r;
	result->size = info.size > 0 ? (uint64_t)info.size : 0;
	memcpy(result->sha256, info.sha256, sizeof(result->sha256));
	memcpy(row.sha256, info.sha256, sizeof(row.sha256));
	fetchfs_info_release(&info);
	r = fetchfs_lease_add(prepare->fetchfs, &row, 1, err);
	(void)fault_hit("container.leased");
	return r;
}

static int fetch(struct prepare *prepare, uint64_t space, struct err *err)
{
	int r = drop_pending(prepare, space, err);

	if (r == 0)
		r = prepare_fetch(prepare, err);
	if (r == 0 && prepare_goes_on(prepare))
		r = prepare_unpack(prepare, err);
	if (r == 0)
		r = prepare_outcome(prepare, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < prepare->plan->count && r == 0; i++)
		r = add_pending(prepare, i, space, err);
	if (r < 0)
		(void)drop_pending(prepare, space, NULL);
	return r;
}

int container_fetch(struct fetchfs *fetchfs, const struct container *container,
	const struct plan *plan, struct prepared *ret, struct err *err)
{
	struct prepare prepare = {
		.fetchfs = fetchfs,
		.plan = plan,
		.user = container->user,
		.results = ret,
		.below_roots = true,
	};
	int r = begin(&prepare, container, err);

	if (r == 0)
		r = fetch(&prepare, container->space, err);
	prepare_end(&prepare);
	return r;
}

/* ---- placing ---- */

static const struct fetchfs_lease *find_pending(
	const struct leases *leases, const char *name, uint64_t space)
{
	for (size_t i = 0; i < leases->count; i++)
		if (is_pending_for(&leases->items[i], space) &&
			str_equal(leases->items[i].name, name))
			return &leases->items[i];
	return NULL;
}

static int open_pending(struct prepare *prepare, uint64_t space, struct err *err)
{
	CLEANUP(leases_release) struct leases now = {0};
	int r = leases_load_of(prepare->fetchfs, &prepare->folder, &now, err);

	for (size_t i = 0; i < prepare->plan->count && r == 0; i++) {
		const struct plan_item *item = &prepare->plan->items[i];
		const struct fetchfs_lease *lease = find_pending(&now, item->name, space);

		if (!lease)
			return err_set(err, ERR_USAGE, ENOENT,
				"%s was not fetched for this container", item->name);
		r = fetchfs_get_leased(prepare->fetchfs, lease,
			methods_need_executable(&prepare->methods, item),
			methods_need_plain(&prepare->methods, item), &prepare->files[i], err);
	}
	return r;
}

static int place(struct prepare *prepare, uint64_t space, struct err *err)
{
	int r = open_pending(prepare, space, err);

	if (r == 0)
		r = prepare_unpack(prepare, err);
	if (r == 0)
		r = prepare_commit(prepare, err);
	if (r == 0)
		r = prepare_outcome(prepare, err);
	(void)fault_hit("container.placed");
	if (drop_pending(prepare, space, r == 0 ? err : NULL) < 0 && r == 0)
		r = -err->code;
	return r;
}

int container_place(struct fetchfs *fetchfs, const struct container *container,
	const struct plan *plan, struct prepared *ret, struct err *err)
{
	struct prepare prepare = {
		.fetchfs = fetchfs,
		.plan = plan,
		.user = container->user,
		.results = ret,
	};
	int r = begin(&prepare, container, err);

	if (r == 0)
		r = place(&prepare, container->space, err);
	prepare_end(&prepare);
	return r;
}

int container_release(struct fetchfs *fetchfs, const char *root, leases_notice *notice, void *arg,
	struct err *err)
{
	struct err why = ERR_INIT;
	size_t count;
	int r = release_run(fetchfs, root, notice, arg, &count, &why);

	if (r == 0 || r == -EBUSY)
		return 0;
	*err = why;
	return r;
}
