#include "sandbox/prepare.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/prepare_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long another who changes the same directory, and may be copying, is waited for. */
#define PATIENCE_MS 600000

void prepare_fail(struct prepare *prepare, size_t i, const struct err *err)
{
	prepare->results[i].err = *err;
	prepare->failed = true;
}

bool prepare_goes_on(const struct prepare *prepare)
{
	return !prepare->failed || prepare->plan->keep_going;
}

char *prepare_name(const struct plan_item *item, const struct prepared *result)
{
	if (!result->extracted || item->named)
		return str_copy(item->name);
	return result->single ? fetchfs_tree_single_name(item->name) : str_copy("");
}

/* ---- undo ---- */

static bool is_ours(const struct prepare *prepare, size_t from, const struct fetchfs_lease *lease)
{
	for (size_t i = from; i < prepare->ours.count; i++) {
		const struct fetchfs_lease *own = &prepare->ours.items[i];

		if (own->file_inode == lease->file_inode && own->mount == lease->mount &&
			str_equal(own->name, lease->name) && str_equal(own->method, lease->method))
			return true;
	}
	return false;
}

/* The cache gave our leases their ids: read them back, and take back what is ours. */
int prepare_take_back(struct prepare *prepare, size_t from, struct err *err)
{
	CLEANUP(leases_release) struct leases now = {0};
	CLEANUP(leases_release) struct leases ours = {0};
	int r;

	if (prepare->ours.count == from)
		return 0;
	r = leases_load_of(prepare->fetchfs, &prepare->folder, &now, err);
	for (size_t i = 0; i < now.count && r == 0; i++)
		if (is_ours(prepare, from, &now.items[i]))
			r = leases_add(&ours, &now.items[i], err);
	if (r == 0)
		r = leases_take_back(prepare->fetchfs, &prepare->folder, &ours, NULL, NULL, err);
	if (r < 0)
		return err_context(err, "take back what was placed in %s", prepare->folder.path);
	leases_forget(&prepare->ours, from);
	return 0;
}

/* ---- the call ---- */

/* What a killed process left under a name for the moment, and the leases of ours that are. */
static int clear_temporary(struct prepare *prepare, const struct leases *leases, struct err *err)
{
	CLEANUP(leases_release) struct leases temporary = {0};
	int r = 0;

	for (size_t i = 0; i < leases->count && r == 0; i++)
		if (str_equal(leases->items[i].method, LEASES_TEMPORARY))
			r = leases_add(&temporary, &leases->items[i], err);
	if (r == 0 && temporary.count > 0)
		r = leases_take_back(
			prepare->fetchfs, &prepare->folder, &temporary, NULL, NULL, err);
	return r;
}

/* A reboot may have given its device another number. */
int prepare_load_before(struct prepare *prepare, struct err *err)
{
	leases_release(&prepare->before);
	return leases_load_of(prepare->fetchfs, &prepare->folder, &prepare->before, err);
}

static int end_temporary(struct prepare *prepare, struct err *err)
{
	CLEANUP(leases_release) struct leases now = {0};
	int r;

	if (!prepare->had_temporary)
		return 0;
	r = leases_load_of(prepare->fetchfs, &prepare->folder, &now, err);
	return r < 0 ? r : clear_temporary(prepare, &now, err);
}

/* All is here: from now on nobody else changes the directory. */
int prepare_commit(struct prepare *prepare, struct err *err)
{
	CLEANUP(fd_closep) int hold = -1;
	int r;

	r = fetchfs_hold_directory(prepare->fetchfs, prepare->folder.device,
		prepare->folder.id.inode, PATIENCE_MS, &hold, err);
	if (r == 0)
		r = prepare_load_before(prepare, err);
	if (r == 0)
		r = clear_temporary(prepare, &prepare->before, err);
	if (r < 0)
		return r;
	if (prepare_goes_on(prepare))
		prepare_place(prepare);
	if (!prepare_goes_on(prepare))
		r = prepare_take_back(prepare, 0, err);
	/* what cannot be cleared away now is by the next call: nothing that was placed depends on
	 * it */
	if (r == 0)
		(void)end_temporary(prepare, NULL);
	return r;
}

static int run(struct prepare *prepare, struct err *err)
{
	int r;

	r = folder_check_owner(&prepare->folder, err);
	if (r == 0)
		r = methods_find(
			prepare->fetchfs, prepare->plan, &prepare->folder, &prepare->methods, err);
	if (r == 0)
		r = prepare_load_before(prepare, err);
	if (r < 0)
		return r;
	prepare_check_names(prepare);
	if (prepare->plan->dry_run) {
		r = prepare_look(prepare, err);
		return r < 0 ? r : prepare_outcome(prepare, err);
	}
	if (prepare_goes_on(prepare))
		r = prepare_fetch(prepare, err);
	if (r == 0 && prepare_goes_on(prepare))
		r = prepare_unpack(prepare, err);
	if (r == 0 && prepare_goes_on(prepare))
		r = prepare_commit(prepare, err);
	return r < 0 ? r : prepare_outcome(prepare, err);
}

int prepare_begin(
	struct prepare *prepare, const char *directory, const struct user *owner, struct err *err)
{
	size_t count = prepare->plan->count;

	prepare->folder.fd = -1;
	prepare->files = calloc(count + 1, sizeof(struct fetchfs_file *));
	prepare->trees = calloc(count + 1, sizeof(struct fetchfs_tree *));
	prepare->pieces = calloc(count + 1, sizeof(struct pieces));
	if (!prepare->files || !prepare->trees || !prepare->pieces)
		return err_oom(err);
	memset(prepare->results, 0, count * sizeof(*prepare->results));
	if (prepare->plan->timeout_ms > 0)
		prepare->until_ms = clock_monotonic_ms() + prepare->plan->timeout_ms;
	return folder_open(directory, owner, &prepare->folder, err);
}

void prepare_end(struct prepare *prepare)
{
	folder_release(&prepare->folder);
	for (size_t i = 0; i < prepare->plan->count; i++) {
		if (prepare->pieces)
			prepare_pieces_release(&prepare->pieces[i]);
		if (prepare->trees)
			fetchfs_tree_free(prepare->trees[i]);
		if (prepare->files)
			fetchfs_file_free(prepare->files[i]);
	}
	free(prepare->pieces);
	free(prepare->trees);
	free(prepare->files);
	prepare_lazy_free(prepare->lazy, prepare->plan->count);
	fetchfs_digests_free(prepare->digests);
	leases_release(&prepare->before);
	leases_release(&prepare->ours);
}

int prepare_outcome(const struct prepare *prepare, struct err *err)
{
	if (!prepare->failed)
		return 0;
	*err = ERR_INIT; /* the items say it all */
	return -EIO;
}

int prepare_run(struct fetchfs *fetchfs, const char *directory, const struct plan *plan,
	const struct user *user, struct prepared *ret, struct err *err)
{
	struct prepare prepare = {
		.fetchfs = fetchfs,
		.plan = plan,
		.user = user,
		.results = ret,
	};
	int r = prepare_begin(&prepare, directory, user, err);

	if (r == 0)
		r = run(&prepare, err);
	prepare_end(&prepare);
	return r;
}
