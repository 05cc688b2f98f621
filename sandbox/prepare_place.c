/* Placing what was fetched: each file under a lease that was written before it can be seen. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/mounts.h"
#include "sandbox/place.h"
#include "sandbox/prepare_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is under an item's name. */
enum there {
	THERE_NOTHING,
	THERE_PLACED,    /* the file, placed by an earlier call */
	THERE_UNMOUNTED, /* the file that an earlier call mounted on, and nothing is mounted */
};

static bool is_of(const struct fetchfs_lease *lease, const char *name)
{
	return leases_is_of_file(lease) && str_equal(lease->name, name);
}

static enum there compare(const struct fetchfs_lease *lease, const struct mounts_node *node)
{
	if (lease->mount == 0)
		return lease->file_inode == node->inode ? THERE_PLACED : THERE_NOTHING;
	if (lease->of_this_boot && lease->mount == node->mount)
		return THERE_PLACED;
	return lease->file_inode == node->inode && S_ISREG(node->mode) && node->size == 0
		       ? THERE_UNMOUNTED
		       : THERE_NOTHING;
}

/* The lease that says what @node is, with the best word on it. */
static const struct fetchfs_lease *find_lease(const struct prepare *prepare, const char *name,
	const struct mounts_node *node, enum there *ret)
{
	const struct fetchfs_lease *found = NULL;

	*ret = THERE_NOTHING;
	for (size_t i = 0; i < prepare->before.count && *ret != THERE_PLACED; i++) {
		const struct fetchfs_lease *lease = &prepare->before.items[i];
		enum there there = is_of(lease, name) ? compare(lease, node) : THERE_NOTHING;

		if (there == THERE_NOTHING)
			continue;
		*ret = there;
		found = lease;
	}
	return found;
}

/*
 * Whether the item's file is there, from an earlier call: an enum there, and its lease. -EEXIST
 * when something else has its name, or, unless @sha256 is NULL, when it is of other content.
 */
static int check_there(const struct prepare *prepare, int parent, const struct plan_item *item,
	const char *sha256, const struct fetchfs_lease **ret, struct err *err)
{
	struct mounts_node node;
	enum there there;
	int r = mounts_look(parent, folder_last(item->name), &node);

	if (r == -ENOENT)
		return THERE_NOTHING;
	if (r < 0)
		return err_set(
			err, ERR_SYSTEM, -r, "stat %s/%s: %m", prepare->folder.path, item->name);
	*ret = find_lease(prepare, item->name, &node, &there);
	if (there == THERE_NOTHING)
		return err_set(err, ERR_USAGE, EEXIST, "%s/%s exists and was not placed by prepare",
			prepare->folder.path, item->name);
	if (sha256 && !str_equal((*ret)->sha256, sha256))
		return err_set(err, ERR_USAGE, EEXIST,
			"%s/%s is what prepare placed before it changed: release first",
			prepare->folder.path, item->name);
	return there;
}

void prepare_check_names(struct prepare *prepare)
{
	for (size_t i = 0; i < prepare->plan->count; i++) {
		const struct plan_item *item = &prepare->plan->items[i];
		const struct fetchfs_lease *lease;
		CLEANUP(fd_closep) int parent = -1;
		struct err err = ERR_INIT;
		int r;

		r = folder_parent(&prepare->folder, item->name, &parent, &err);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = check_there(prepare, parent, item, NULL, &lease, &err);
		if (r < 0)
			prepare_fail(prepare, i, &err);
	}
}

/* ---- leases ---- */

/* An item on its way into its folder. */
struct placing {
	struct prepare *prepare;
	size_t i;
	const struct plan_item *item;
	struct prepared *result;
	int parent;
};

/* Write the lease down, here and in the cache, before there is anything of it to be seen. */
static int lease(const struct placing *placing, const char *name, const char *method,
	uint64_t inode, uint64_t mount, struct err *err)
{
	struct prepare *prepare = placing->prepare;
	CLEANUP(str_freep) char *own_name = str_copy(name);
	CLEANUP(str_freep) char *own_method = str_copy(method);
	struct fetchfs_lease row = {
		.directory = prepare->folder.path,
		.device = prepare->folder.device,
		.inode = prepare->folder.inode,
		.name = own_name,
		.method = own_method,
		.file_inode = inode,
		.mount = mount,
		.mount_space = mount ? mounts_space() : 0,
		.uid = prepare->user->uid,
		.uri = placing->item->shown,
		.since = clock_wall(),
	};
	int r;

	if (!own_name || !own_method)
		return err_oom(err);
	memcpy(row.sha256, placing->result->sha256, sizeof(row.sha256));
	r = leases_add(&prepare->ours, &row, err);
	if (r < 0)
		return r;
	r = fetchfs_lease_add(prepare->fetchfs, &row, err);
	(void)fault_hit("prepare.leased");
	return r;
}

static int folder_was_made(const char *name, uint64_t inode, void *arg, struct err *err)
{
	return lease(arg, name, LEASES_FOLDER, inode, 0, err);
}

static int intend_temporary(const char *name, void *arg, struct err *err)
{
	const struct placing *placing = arg;

	placing->prepare->had_temporary = true;
	return lease(placing, name, LEASES_TEMPORARY, 0, 0, err);
}

/* Leases of earlier calls on a file that is gone, or on a mount that has been made again. */
static int drop_stale(const struct placing *placing, struct err *err)
{
	const struct leases *before = &placing->prepare->before;

	for (size_t i = 0; i < before->count; i++) {
		const struct fetchfs_lease *stale = &before->items[i];
		int r;

		if (!is_of(stale, placing->item->name) || mounts_state(stale) == MOUNTS_ELSEWHERE)
			continue;
		r = fetchfs_lease_drop(placing->prepare->fetchfs, stale->id, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- one item ---- */

static int commit(const struct placing *placing, struct placement *placement, struct err *err)
{
	struct prepare *prepare = placing->prepare;
	struct fetchfs_loan loan;
	int r;

	if (placement->order.method != PLAN_HARDLINK)
		return place_commit(placement, err);
	r = fetchfs_loan_of_file(prepare->files[placing->i], &loan, err);
	if (r < 0)
		return r;
	r = place_commit(placement, err);
	(void)fetchfs_loan_end(prepare->fetchfs, &loan, NULL);
	return r;
}

/* What it takes to make an order. */
struct means {
	int named;    /* the cached file by its name, of which alone there can be mounts */
	char *target; /* of a symlink */
};

#define MEANS_INIT                                                                                 \
	(struct means)                                                                             \
	{                                                                                          \
		.named = -1                                                                        \
	}

static void means_release(struct means *means)
{
	fd_close(&means->named);
	free(means->target);
	*means = MEANS_INIT;
}

static int make_target(const struct placing *placing, struct means *means, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	int r = fetchfs_mount_path(placing->item->uri, &name, err);

	if (r < 0)
		return r;
	means->target = str_printf("%s/%s", placing->prepare->plan->mount, name);
	return means->target ? 0 : err_oom(err);
}

/* What is placed, by @method; @means must outlive it. */
static int make_order(const struct placing *placing, enum plan_method method, struct means *means,
	struct place_order *ret, struct err *err)
{
	const struct plan_item *item = placing->item;
	struct fetchfs_file *file = placing->prepare->files[placing->i];
	int mode = item->mode >= 0 ? item->mode : item->executable ? 0755 : 0644;
	int r = 0;

	if (method == PLAN_BIND)
		r = fetchfs_file_open_named(file, &means->named, err);
	else if (method == PLAN_SYMLINK)
		r = make_target(placing, means, err);
	*ret = (struct place_order){
		.folder = &placing->prepare->folder,
		.parent = placing->parent,
		.name = item->name,
		.method = method,
		.source = method == PLAN_BIND ? means->named : fetchfs_file_fd(file),
		.target = means->target,
		.mode = (mode_t)mode,
		.intend = intend_temporary,
		.arg = (void *)(uintptr_t)placing,
	};
	return r;
}

/* Place it by one method, under a lease. When that fails nothing is left of it. */
static int place_by(const struct placing *placing, enum plan_method method, struct err *err)
{
	CLEANUP(means_release) struct means means = MEANS_INIT;
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	size_t from = placing->prepare->ours.count;
	struct place_order order;
	int r;

	r = make_order(placing, method, &means, &order, err);
	if (r == 0)
		r = place_begin(&order, &placement, err);
	if (r == 0)
		r = lease(placing, placing->item->name, plan_method_name(method), placement.inode,
			placement.mount, err);
	if (r == 0)
		r = commit(placing, &placement, err);
	if (r == 0) {
		placing->result->method = method;
		return 0;
	}
	place_release(&placement);
	placement = PLACEMENT_INIT;
	(void)prepare_take_back(placing->prepare, from, NULL);
	return r;
}

/*
 * Mount again what an earlier call had mounted. It stays when this call fails: that call promised
 * it. Its old lease goes last, so that there always is one.
 */
static int mount_again(
	const struct placing *placing, const struct fetchfs_lease *old, struct err *err)
{
	CLEANUP(means_release) struct means means = MEANS_INIT;
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	struct prepare *prepare = placing->prepare;
	size_t from = prepare->ours.count;
	struct place_order order;
	int r;

	r = make_order(placing, PLAN_BIND, &means, &order, err);
	if (r == 0)
		r = place_begin_again(&order, old->file_inode, &placement, err);
	if (r == 0)
		r = lease(placing, placing->item->name, old->method, placement.inode,
			placement.mount, err);
	leases_forget(&prepare->ours, from);
	if (r == 0)
		r = place_commit(&placement, err);
	return r < 0 ? r : drop_stale(placing, err);
}

static int learn(const struct placing *placing, bool *ret_public, struct err *err)
{
	struct prepared *result = placing->result;
	struct fetchfs_info info;
	int r;

	r = fetchfs_file_info(placing->prepare->files[placing->i], &info, err);
	if (r < 0)
		return r;
	result->size = info.size > 0 ? (uint64_t)info.size : 0;
	memcpy(result->sha256, info.sha256, sizeof(result->sha256));
	*ret_public = info.is_public;
	fetchfs_info_release(&info);
	return 0;
}

/* By the first method that can be had. */
static int place_anew(const struct placing *placing, bool is_public, struct err *err)
{
	enum plan_method order[METHODS_MAX];
	size_t count = methods_of(&placing->prepare->methods, placing->item, is_public, order);
	int r = drop_stale(placing, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		r = place_by(placing, order[i], err);
		if (!place_is_refusal(r))
			break;
	}
	return r;
}

static int place_item(struct placing *placing, struct err *err)
{
	struct prepare *prepare = placing->prepare;
	struct prepared *result = placing->result;
	const struct fetchfs_lease *old = NULL;
	bool is_public = false;
	int r;

	r = learn(placing, &is_public, err);
	if (r == 0)
		r = folder_make_parent(&prepare->folder, placing->item->name, folder_was_made,
			placing, &placing->parent, err);
	if (r == 0)
		r = check_there(prepare, placing->parent, placing->item, result->sha256, &old, err);
	if (r < 0)
		return r;
	if (r == THERE_NOTHING || !old)
		return place_anew(placing, is_public, err);
	result->was_there = r == THERE_PLACED;
	r = result->was_there ? 0 : mount_again(placing, old, err);
	return r < 0 ? r : plan_method_parse(old->method, &result->method, err);
}

static void place_one(struct prepare *prepare, size_t i)
{
	struct placing placing = {
		.prepare = prepare,
		.i = i,
		.item = &prepare->plan->items[i],
		.result = &prepare->results[i],
		.parent = -1,
	};
	size_t from = prepare->ours.count;
	struct err err = ERR_INIT;
	int r = place_item(&placing, &err);

	fd_close(&placing.parent);
	if (r == 0)
		return;
	prepare_fail(prepare, i, &err);
	/* of the folders that were made for it, too */
	if (prepare->plan->keep_going)
		(void)prepare_take_back(prepare, from, NULL);
}

void prepare_place(struct prepare *prepare)
{
	for (size_t i = 0; i < prepare->plan->count && prepare_goes_on(prepare); i++)
		if (!prepare->results[i].err.code)
			place_one(prepare, i);
}
