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

void leases_forget(struct leases *leases, size_t from)
{
	while (leases->count > from) {
		struct fetchfs_lease *last = &leases->items[--leases->count];

		free(last->directory);
		free(last->name);
		free(last->method);
		free(last->uri);
	}
}

void leases_release(struct leases *leases)
{
	leases_forget(leases, 0);
	free(leases->items);
	*leases = (struct leases){0};
}

int leases_add(struct leases *leases, const struct fetchfs_lease *lease, struct err *err)
{
	struct fetchfs_lease *items =
		reallocarray(leases->items, leases->count + 1, sizeof(*items));
	struct fetchfs_lease *own;

	if (!items)
		return err_oom(err);
	leases->items = items;
	own = &items[leases->count++];
	*own = *lease;
	own->directory = str_copy(lease->directory);
	own->name = str_copy(lease->name);
	own->method = str_copy(lease->method);
	own->uri = str_copy(lease->uri ? lease->uri : "");
	return own->directory && own->name && own->method && own->uri ? 0 : err_oom(err);
}

static struct leases leases_steal(struct leases *leases)
{
	struct leases ret = *leases;

	*leases = (struct leases){0};
	return ret;
}

struct load {
	struct leases *leases;
	struct err *err;
};

static int load_one(const struct fetchfs_lease *lease, void *arg)
{
	struct load *load = arg;

	return leases_add(load->leases, lease, load->err);
}

int leases_load(struct fetchfs *fetchfs, uint64_t device, uint64_t inode, struct leases *ret,
	struct err *err)
{
	CLEANUP(leases_release) struct leases leases = {0};
	struct load load = {.leases = &leases, .err = err};
	int r = fetchfs_leases(fetchfs, device, inode, load_one, &load, err);

	if (r == 0)
		*ret = leases_steal(&leases);
	return r;
}

int leases_load_near(struct fetchfs *fetchfs, uint64_t inode, const char *path, struct leases *ret,
	struct err *err)
{
	CLEANUP(leases_release) struct leases leases = {0};
	struct load load = {.leases = &leases, .err = err};
	int r = fetchfs_leases_near(fetchfs, inode, path, load_one, &load, err);

	if (r == 0)
		*ret = leases_steal(&leases);
	return r;
}

static int compare_directories(const struct fetchfs_lease *x, const struct fetchfs_lease *y)
{
	int r = strcmp(x->directory, y->directory);

	if (r == 0)
		r = (x->device > y->device) - (x->device < y->device);
	return r != 0 ? r : (x->inode > y->inode) - (x->inode < y->inode);
}

static int compare_age(const void *a, const void *b)
{
	const struct fetchfs_lease *x = a, *y = b;
	int r = compare_directories(x, y);

	return r != 0 ? r : (x->id > y->id) - (x->id < y->id);
}

void leases_sort(struct leases *leases)
{
	if (leases->count > 0)
		qsort(leases->items, leases->count, sizeof(*leases->items), compare_age);
}

size_t leases_group_end(const struct leases *leases, size_t from)
{
	size_t end = from + 1;

	while (end < leases->count &&
		compare_directories(&leases->items[from], &leases->items[end]) == 0)
		end++;
	return end;
}

/* Another boot may have numbered devices otherwise; but the roots of all volumes of a kind have the
 * same inode, so that then the path counts, too. */
bool leases_is_of_directory(
	const struct fetchfs_lease *lease, uint64_t device, uint64_t inode, const char *path)
{
	if (lease->inode != inode)
		return false;
	return lease->device == device ||
	       (!lease->of_this_boot && str_equal(lease->directory, path));
}

bool leases_is_of_file(const struct fetchfs_lease *lease)
{
	return !str_equal(lease->method, LEASES_FOLDER) &&
	       !str_equal(lease->method, LEASES_TEMPORARY) && !leases_is_pending(lease);
}

bool leases_is_pending(const struct fetchfs_lease *lease)
{
	return str_equal(lease->method, LEASES_PENDING);
}

bool leases_is_forlorn(const struct fetchfs_lease *lease)
{
	return leases_is_pending(lease) && mounts_state(lease) == MOUNTS_NONE;
}

bool leases_is_extracted(const struct fetchfs_lease *lease)
{
	return strchr(lease->method, ':') && !leases_is_lazy(lease);
}

bool leases_is_lazy(const struct fetchfs_lease *lease)
{
	return str_has_suffix(lease->method, LEASES_LAZY);
}

char *leases_method(const struct fetchfs_lease *lease)
{
	return str_printf("%.*s", (int)strcspn(lease->method, ":"), lease->method);
}

bool leases_knows_content(const struct fetchfs_lease *lease)
{
	return lease->sha256[strspn(lease->sha256, "0")] != '\0';
}

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
	struct fetchfs_loan loan = {.fd = -1};
	int r;

	(void)fetchfs_loan_of_lease(fetchfs, lease, &loan, NULL);
	r = folder_remove(folder, lease->name, lease->file_inode, false, err);
	(void)fetchfs_loan_end(fetchfs, &loan, NULL);
	return r;
}

/* A folder of what was in an archive: what the task made in it stays. */
static int remove_extracted(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, struct err *err)
{
	CLEANUP(fd_closep) int whole = -1;
	CLEANUP(fd_closep) int entry = -1;
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
	return folder_remove_tree(
		folder, lease->name, lease->file_inode, entry >= 0 ? entry : whole, err);
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
		    ? folder_remove_tree(&own, lease->name, 0, -1, err)
		    : remove_extracted(fetchfs, &own, lease, err);
	/* what its user may not remove is not what was placed for them */
	return own.user != folder->user && (r == -EACCES || r == -EPERM) ? FOLDER_FOREIGN : r;
}

/* An enum folder_removal or -errno. */
static int remove_placed(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, struct err *err)
{
	bool is_folder = str_equal(lease->method, LEASES_FOLDER);
	bool is_temporary = str_equal(lease->method, LEASES_TEMPORARY);
	int r = is_hardlink(lease) && !leases_is_extracted(lease)
			? remove_hardlink(fetchfs, folder, lease, err)
			: folder_remove(folder, lease->name, lease->file_inode, is_folder, err);

	if (r != FOLDER_FOREIGN || (!is_temporary && !leases_is_extracted(lease)))
		return r;
	/* where a mount was there is an empty folder */
	r = folder_remove(folder, lease->name, lease->file_inode, true, err);
	if (r != FOLDER_NOT_EMPTY || lease->mount != 0)
		return r;
	return remove_below(fetchfs, folder, lease, err);
}

static int take_back_one(struct fetchfs *fetchfs, const struct folder *folder,
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
	return fetchfs_lease_drop(fetchfs, lease->id, err);
}

/* The files of trees are lent, too: all links to one of them are taken back together. */
struct tree_loan {
	const char *sha256;
	int fd;
	bool is_right;
};

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

/* What to take back, in this order. */
struct order {
	const struct fetchfs_lease **items;
	bool *stays; /* of each: it is in use elsewhere */
	struct tree_loan *loans;
	size_t count;
};

static bool is_at_or_in(const char *name, const char *above)
{
	size_t len = strlen(above);

	return str_has_prefix(name, above) && (!name[len] || name[len] == '/');
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
			is_at_or_in(order->items[i]->name, lease->name))
			return true;
	return false;
}

/* To remove the file would take the mount down wherever it is. */
static int take_back_beside(struct fetchfs *fetchfs, const struct folder *folder,
	const struct order *order, const struct fetchfs_lease *lease, leases_notice *notice,
	void *arg, struct err *err)
{
	if (!is_needed(order, lease))
		return take_back_one(fetchfs, folder, lease, notice, arg, err);
	if (str_equal(lease->method, LEASES_FOLDER))
		return 0;
	return take_back_one(fetchfs, NULL, lease, NULL, NULL, err);
}

static int take_back_all(struct fetchfs *fetchfs, const struct folder *folder,
	const struct order *order, leases_notice *notice, void *arg, struct err *err)
{
	struct err first = ERR_INIT;

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
