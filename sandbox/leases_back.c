/* Taking back what was handed out: mounts, files, folders, then their leases. */
#include "sandbox/leases.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/mounts.h"
#include "sandbox/plan.h"
#include "sandbox/spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* So many leases are dropped in one transaction. */
#define GONE_MAX 64

/* The files of trees are lent, too: all links to one of them are taken back together. */
struct tree_loan {
	const char *sha256;
	int fd;
	bool is_right;
};

/* What to take back, in this order. */
struct order {
	const struct fetchfs_lease **items;
	bool *stays; /* of each: it is in use elsewhere */
	struct tree_loan *loans;
	size_t count;
	int64_t gone[GONE_MAX]; /* what is removed, and whose lease is not dropped yet */
	size_t gone_count;
};

/* Files first; then folders, and of those the deepest, whose names are the longest, first. */
static int compare_order(const void *a, const void *b)
{
	const struct fetchfs_lease *x = *(const struct fetchfs_lease *const *)a;
	const struct fetchfs_lease *y = *(const struct fetchfs_lease *const *)b;
	bool x_folder = str_equal(x->method, LEASES_FOLDER);
	bool y_folder = str_equal(y->method, LEASES_FOLDER);
	size_t x_len = strlen(x->name), y_len = strlen(y->name);

	if (x_folder != y_folder)
		return x_folder - y_folder;
	return (x_len < y_len) - (x_len > y_len);
}

/* Nothing of a sandbox can be removed that is mounted upon. */
static int take_down(
	const struct folder *folder, const struct fetchfs_lease *lease, struct err *err)
{
	switch (mounts_state(lease)) {
	case MOUNTS_HERE:
		return leases_is_pending(lease) ? 0 : mounts_take_down(folder, lease, err);
	case MOUNTS_ELSEWHERE:
		return err_set(err, ERR_SYSTEM, EBUSY,
			"%s/%s is mounted in another mount namespace, that of process %d: release "
			"it there",
			lease->directory, lease->name, spaces_user_of(lease->mount_space));
	default:
		return 0;
	}
}

static bool is_hardlink(const struct fetchfs_lease *lease)
{
	return str_has_prefix(lease->method, plan_method_name(PLAN_HARDLINK));
}

/* The cached file is to be known for what it is also with one name less. */
static int remove_hardlink(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, struct err *err)
{
	const struct node_id id = leases_file_id(lease);
	struct fetchfs_loan loan = {.fd = -1};
	int r;

	(void)fetchfs_loan_of_lease(fetchfs, lease, &loan, NULL);
	r = folder_remove(folder, lease->name, &id, false, err);
	(void)fetchfs_loan_end(fetchfs, &loan, NULL);
	return r;
}

/* A folder of what was in an archive: what the task made in it stays. */
static int remove_extracted(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, struct err *err)
{
	CLEANUP(fd_closep) int whole = -1;
	CLEANUP(fd_closep) int entry = -1;
	const struct node_id id = leases_file_id(lease);
	int r = fetchfs_tree_open_names(fetchfs, lease->sha256, &whole, err);

	/* nobody can tell any more what was placed */
	if (r == -ENOENT)
		return FOLDER_NOT_EMPTY;
	if (r < 0)
		return r;
	if (str_has_suffix(lease->method, LEASES_ENTRY)) {
		entry = openat(whole, folder_last(lease->name),
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (entry < 0)
			return FOLDER_NOT_EMPTY;
	}
	return folder_remove_tree(folder, lease->name, &id, entry >= 0 ? entry : whole, err);
}

/*
 * A folder with what is in it, with the rights with which it was placed: whose the sandbox is may
 * have moved something else to where it was.
 */
static int remove_below(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, struct err *err)
{
	CLEANUP(user_release) struct user user = {0};
	struct folder own = *folder;
	int r;

	if (lease->uid >= 0 && lease->uid != (int64_t)folder->user->uid) {
		r = user_of((uid_t)lease->uid, &user, err);
		if (r < 0)
			return r;
		own.user = &user;
	}
	r = str_equal(lease->method, LEASES_TEMPORARY)
		    ? folder_remove_tree(&own, lease->name, &(struct node_id){0}, -1, err)
		    : remove_extracted(fetchfs, &own, lease, err);
	/* what its user may not remove is not what was placed for them */
	return own.user != folder->user && (r == -EACCES || r == -EPERM) ? FOLDER_FOREIGN : r;
}

/* One thing, which is not looked into. */
static int remove_thing(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, bool is_folder, struct err *err)
{
	const struct node_id id = leases_file_id(lease);

	if (lease->mount != 0)
		return folder_remove_stub(folder, lease->name, &id, is_folder, err);
	if (is_hardlink(lease) && !leases_is_extracted(lease))
		return remove_hardlink(fetchfs, folder, lease, err);
	return folder_remove(folder, lease->name, &id, is_folder, err);
}

/* An enum folder_removal or -errno. */
static int remove_placed(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, struct err *err)
{
	bool is_folder = str_equal(lease->method, LEASES_FOLDER);
	bool is_temporary = str_equal(lease->method, LEASES_TEMPORARY);
	const struct node_id id = leases_file_id(lease);
	int r = remove_thing(fetchfs, folder, lease, is_folder, err);

	if (r != FOLDER_FOREIGN || (!is_temporary && !leases_is_extracted(lease)))
		return r;
	/* where a mount was there is an empty folder */
	r = folder_remove(folder, lease->name, &id, true, err);
	if (r != FOLDER_NOT_EMPTY || lease->mount != 0)
		return r;
	return remove_below(fetchfs, folder, lease, err);
}

/* Their leases, at once. */
static int drop_gone(struct fetchfs *fetchfs, struct order *order, struct err *err)
{
	size_t count = order->gone_count;

	order->gone_count = 0;
	return count > 0 ? fetchfs_lease_drop(fetchfs, order->gone, count, err) : 0;
}

static int take_back_one(struct fetchfs *fetchfs, const struct folder *folder, struct order *order,
	const struct fetchfs_lease *lease, leases_notice *notice, void *arg, struct err *err)
{
	bool is_there = folder && !leases_is_pending(lease);
	int r = is_there ? remove_placed(fetchfs, folder, lease, err) : FOLDER_ABSENT;

	if (r < 0)
		return r;
	(void)fault_hit("release.removed");
	if (notice &&
		(r == FOLDER_FOREIGN || (r == FOLDER_NOT_EMPTY && leases_is_extracted(lease))))
		notice(lease->name, arg);
	order->gone[order->gone_count++] = lease->id;
	return order->gone_count < GONE_MAX ? 0 : drop_gone(fetchfs, order, err);
}

static bool begins_loan(const struct fetchfs_lease *const *order, size_t i)
{
	const struct fetchfs_lease *lease = order[i];

	if (!lease || !is_hardlink(lease) || !leases_is_extracted(lease))
		return false;
	for (size_t k = 0; k < i; k++)
		if (order[k] && is_hardlink(order[k]) && leases_is_extracted(order[k]) &&
			str_equal(order[k]->sha256, lease->sha256))
			return false;
	return true;
}

static void begin_loans(struct fetchfs *fetchfs, const struct fetchfs_lease *const *order,
	size_t count, struct tree_loan *loans)
{
	for (size_t i = 0; i < count; i++) {
		struct tree_loan *loan = &loans[i];

		*loan = (struct tree_loan){.fd = -1};
		if (!begins_loan(order, i))
			continue;
		loan->sha256 = order[i]->sha256;
		if (fetchfs_tree_open_names(fetchfs, loan->sha256, &loan->fd, NULL) == 0)
			(void)fetchfs_tree_lend(
				fetchfs, loan->sha256, loan->fd, &loan->is_right, NULL);
	}
}

static void end_loans(struct fetchfs *fetchfs, struct tree_loan *loans, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (loans[i].is_right)
			(void)fetchfs_tree_lent(fetchfs, loans[i].sha256, loans[i].fd, NULL);
		fd_close(&loans[i].fd);
	}
}

/*
 * Whether something that stays is mounted on the file of @lease, or is in its folder, or will be.
 * What is pending does not need the file: it finds none, and makes its own.
 */
static bool is_needed(const struct order *order, const struct fetchfs_lease *lease)
{
	bool is_folder = str_equal(lease->method, LEASES_FOLDER);

	for (size_t i = 0; i < order->count; i++)
		if (order->stays[i] && (is_folder || !leases_is_pending(order->items[i])) &&
			leases_is_within(order->items[i]->name, lease->name))
			return true;
	return false;
}

/* Whether the same name was given anew: a release died between the file and its lease, and prepare
 * came again. What is there now is not this lease's, but ours all the same. */
static bool has_successor(const struct order *order, const struct fetchfs_lease *lease)
{
	for (size_t i = 0; i < order->count; i++)
		if (order->items[i]->id > lease->id &&
			str_equal(order->items[i]->name, lease->name))
			return true;
	return false;
}

/* To remove the file would take the mount down wherever it is. */
static int take_back_beside(struct fetchfs *fetchfs, const struct folder *folder,
	struct order *order, const struct fetchfs_lease *lease, leases_notice *notice, void *arg,
	struct err *err)
{
	if (has_successor(order, lease))
		notice = NULL;
	if (!is_needed(order, lease))
		return take_back_one(fetchfs, folder, order, lease, notice, arg, err);
	if (str_equal(lease->method, LEASES_FOLDER))
		return 0;
	return take_back_one(fetchfs, NULL, order, lease, NULL, NULL, err);
}

static int take_back_all(struct fetchfs *fetchfs, const struct folder *folder, struct order *order,
	leases_notice *notice, void *arg, struct err *err)
{
	struct err first = ERR_INIT;
	struct err last = ERR_INIT;

	/* all mounts of a name before the name */
	for (size_t i = 0; i < order->count; i++) {
		struct err one = ERR_INIT;

		order->stays[i] = take_down(folder, order->items[i], &one) < 0;
		if (order->stays[i] && !first.code)
			first = one;
	}
	for (size_t i = 0; i < order->count; i++) {
		struct err one = ERR_INIT;

		if (!order->stays[i] &&
			take_back_beside(
				fetchfs, folder, order, order->items[i], notice, arg, &one) < 0 &&
			!first.code)
			first = one;
	}
	if (drop_gone(fetchfs, order, &last) < 0 && !first.code)
		first = last;
	if (first.code && err)
		*err = first;
	return -first.code;
}

int leases_take_back(struct fetchfs *fetchfs, const struct folder *folder,
	const struct leases *leases, leases_notice *notice, void *arg, struct err *err)
{
	struct order order = {
		.items = calloc(leases->count + 1, sizeof(*order.items)),
		.stays = calloc(leases->count + 1, sizeof(*order.stays)),
		.loans = calloc(leases->count + 1, sizeof(*order.loans)),
		.count = leases->count,
	};
	size_t lent = folder ? leases->count : 0;
	int r;

	if (order.items && order.stays && order.loans) {
		for (size_t i = 0; i < leases->count; i++)
			order.items[i] = &leases->items[i];
		qsort(order.items, leases->count, sizeof(*order.items), compare_order);
		begin_loans(fetchfs, order.items, lent, order.loans);
		r = take_back_all(fetchfs, folder, &order, notice, arg, err);
		end_loans(fetchfs, order.loans, lent);
	} else {
		r = err_oom(err);
	}
	free(order.items);
	free(order.stays);
	free(order.loans);
	return r;
}
