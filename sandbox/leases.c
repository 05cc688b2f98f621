#include "sandbox/leases.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

void leases_release(struct leases *leases)
{
	for (size_t i = 0; i < leases->count; i++) {
		free(leases->items[i].directory);
		free(leases->items[i].name);
		free(leases->items[i].method);
		free(leases->items[i].uri);
	}
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
	struct leases leases = {0};
	struct load load = {.leases = &leases, .err = err};
	int r;

	r = fetchfs_leases(fetchfs, device, inode, load_one, &load, err);
	if (r < 0)
		leases_release(&leases);
	else
		*ret = leases;
	return r;
}

const struct fetchfs_lease *leases_find(const struct leases *leases, const char *name)
{
	for (size_t i = 0; i < leases->count; i++)
		if (str_equal(leases->items[i].name, name) &&
			!str_equal(leases->items[i].method, LEASES_FOLDER))
			return &leases->items[i];
	return NULL;
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

static int take_back_one(struct fetchfs *fetchfs, const struct folder *folder,
	const struct fetchfs_lease *lease, leases_notice *notice, void *arg, struct err *err)
{
	bool is_folder = str_equal(lease->method, LEASES_FOLDER);
	int r = folder_remove(folder, lease->name, lease->file_inode, is_folder, err);

	if (r < 0)
		return r;
	if (r == FOLDER_FOREIGN && notice)
		notice(lease->name, arg);
	return fetchfs_lease_drop(fetchfs, lease->id, err);
}

int leases_take_back(struct fetchfs *fetchfs, const struct folder *folder,
	const struct leases *leases, leases_notice *notice, void *arg, struct err *err)
{
	const struct fetchfs_lease **order = calloc(leases->count + 1, sizeof(*order));
	struct err first = ERR_INIT;

	if (!order)
		return err_oom(err);
	for (size_t i = 0; i < leases->count; i++)
		order[i] = &leases->items[i];
	qsort(order, leases->count, sizeof(*order), compare_order);
	for (size_t i = 0; i < leases->count; i++) {
		struct err one = ERR_INIT;

		if (take_back_one(fetchfs, folder, order[i], notice, arg, &one) < 0 && !first.code)
			first = one;
	}
	free(order);
	if (first.code && err)
		*err = first;
	return -first.code;
}
