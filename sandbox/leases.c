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

int leases_load(struct fetchfs *fetchfs, struct leases *ret, struct err *err)
{
	CLEANUP(leases_release) struct leases leases = {0};
	struct load load = {.leases = &leases, .err = err};
	int r = fetchfs_leases(fetchfs, 0, 0, load_one, &load, err);

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

int leases_load_of(
	struct fetchfs *fetchfs, const struct folder *folder, struct leases *ret, struct err *err)
{
	CLEANUP(leases_release) struct leases near = {0};
	CLEANUP(leases_release) struct leases leases = {0};
	int r = leases_load_near(fetchfs, folder->id.inode, folder->path, &near, err);

	for (size_t i = 0; i < near.count && r == 0; i++)
		if (leases_is_of_directory(
			    &near.items[i], folder->device, &folder->id, folder->path))
			r = leases_add(&leases, &near.items[i], err);
	if (r == 0)
		*ret = leases_steal(&leases);
	return r;
}

static int compare_directories(const struct fetchfs_lease *x, const struct fetchfs_lease *y)
{
	int r = strcmp(x->directory, y->directory);

	if (r == 0)
		r = (x->device > y->device) - (x->device < y->device);
	if (r == 0)
		r = (x->inode > y->inode) - (x->inode < y->inode);
	return r != 0 ? r : (x->born > y->born) - (x->born < y->born);
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
bool leases_is_of_directory(const struct fetchfs_lease *lease, uint64_t device,
	const struct node_id *id, const char *path)
{
	const struct node_id own = {.inode = lease->inode, .born = lease->born};

	if (!node_is(&own, id))
		return false;
	return lease->device == device ||
	       (!lease->of_this_boot && str_equal(lease->directory, path));
}

struct node_id leases_file_id(const struct fetchfs_lease *lease)
{
	return (struct node_id){.inode = lease->file_inode, .born = lease->file_born};
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

bool leases_is_within(const char *name, const char *above)
{
	size_t len = strlen(above);

	return str_has_prefix(name, above) && (!name[len] || name[len] == '/');
}

/* Mounts do not, nor what has no name of its own yet; folders are there for what is in them. */
static bool outlives_boot(const struct fetchfs_lease *lease)
{
	return lease->of_this_boot || (leases_is_of_file(lease) && lease->mount == 0);
}

bool leases_ended_with_boot(const struct leases *leases, const struct fetchfs_lease *lease)
{
	if (outlives_boot(lease))
		return false;
	for (size_t i = 0; i < leases->count; i++)
		if (outlives_boot(&leases->items[i]) &&
			leases_is_within(leases->items[i].name, lease->name))
			return false;
	return true;
}

bool leases_knows_content(const struct fetchfs_lease *lease)
{
	return lease->sha256[strspn(lease->sha256, "0")] != '\0';
}
