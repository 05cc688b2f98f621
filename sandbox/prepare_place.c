/* Placing what was fetched: each thing under a lease that was written before it can be seen. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/mounts.h"
#include "sandbox/placing.h"
#include "sandbox/spaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many things at the top of an archive are mounted one by one, if they go into the directory
 * itself. */
#define BINDS_MAX 64

/* ---- leases ---- */

/* A folder keeps no bytes: what is in it has leases of its own. */
static void keep_nothing(struct fetchfs_lease *row)
{
	memset(row->sha256, '0', sizeof(row->sha256) - 1);
}

static void keep_content(const struct placing *placing, struct fetchfs_lease *row)
{
	memcpy(row->sha256, placing->content.sha256, sizeof(row->sha256));
	if (placing->content.lazy)
		memcpy(row->key, placing->content.key, sizeof(row->key));
	memcpy(row->expected, placing->content.expected, sizeof(row->expected));
	/* it is on one row: that of the file itself */
	if (placing->content.lazy && row->mount)
		memcpy(row->token, placing->content.token, sizeof(row->token));
}

int prepare_note_lease(const struct placing *placing, const char *name, const char *method,
	const struct node_id *id, uint64_t mount, struct err *err)
{
	struct prepare *prepare = placing->prepare;
	CLEANUP(str_freep) char *own_name = str_copy(name);
	CLEANUP(str_freep) char *own_method = str_copy(method);
	struct fetchfs_lease row = {
		.directory = prepare->folder.path,
		.device = prepare->folder.device,
		.inode = prepare->folder.id.inode,
		.born = prepare->folder.id.born,
		.name = own_name,
		.method = own_method,
		.file_inode = id->inode,
		.file_born = id->born,
		.mount = mount,
		.mount_space = mount ? spaces_own() : 0,
		.uid = prepare->folder.user->uid, /* with whose rights it is placed, and removed */
		.uri = placing->item->shown,
		.since = clock_wall(),
	};

	if (!own_name || !own_method)
		return err_oom(err);
	if (str_equal(method, LEASES_FOLDER))
		keep_nothing(&row);
	else
		keep_content(placing, &row);
	return leases_add(&prepare->ours, &row, err);
}

int prepare_write_leases(struct prepare *prepare, size_t from, struct err *err)
{
	struct leases *ours = &prepare->ours;
	int r = fetchfs_lease_add(prepare->fetchfs, ours->items + from, ours->count - from, err);

	(void)fault_hit("prepare.leased");
	return r;
}

/* Write the lease down, here and in the cache, before there is anything of it to be seen. */
static int lease(const struct placing *placing, const char *name, const char *method,
	const struct node_id *id, uint64_t mount, struct err *err)
{
	size_t from = placing->prepare->ours.count;
	int r = prepare_note_lease(placing, name, method, id, mount, err);

	return r < 0 ? r : prepare_write_leases(placing->prepare, from, err);
}

static int folder_was_made(const char *name, const struct node_id *id, void *arg, struct err *err)
{
	return lease(arg, name, LEASES_FOLDER, id, 0, err);
}

int prepare_intend(const char *name, void *arg, struct err *err)
{
	const struct placing *placing = arg;

	placing->prepare->had_temporary = true;
	return lease(placing, name, LEASES_TEMPORARY, &(struct node_id){0}, 0, err);
}

/* Leases of earlier calls on a file that is gone, or on a mount that has been made again. */
static int drop_stale(const struct placing *placing, struct err *err)
{
	const struct leases *before = &placing->prepare->before;

	for (size_t i = 0; i < before->count; i++) {
		const struct fetchfs_lease *stale = &before->items[i];
		int r;

		if (!prepare_is_lease_of(stale, placing->piece->name) ||
			mounts_state(stale) == MOUNTS_ELSEWHERE)
			continue;
		r = fetchfs_lease_drop(placing->prepare->fetchfs, &stale->id, 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- one piece ---- */

int prepare_commit_piece(
	const struct placing *placing, struct placement *placement, struct err *err)
{
	struct prepare *prepare = placing->prepare;
	struct fetchfs_loan loan;
	int r;

	if (placement->order.method != PLAN_HARDLINK || placing->piece->kind != PIECE_FILE)
		return place_commit(placement, err);
	r = fetchfs_loan_of_file(prepare->files[placing->i], &loan, err);
	if (r < 0)
		return r;
	r = place_commit(placement, err);
	(void)fetchfs_loan_end(prepare->fetchfs, &loan, NULL);
	return r;
}

/* Place the piece by one method, under a lease. */
static int place_by(const struct placing *placing, enum plan_method method, struct err *err)
{
	CLEANUP(prepare_means_release) struct placing_means means = PLACING_MEANS_INIT;
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	CLEANUP(str_freep) char *said = prepare_lease_method(placing->piece, method);
	struct place_order order;
	int r;

	if (!said)
		return err_oom(err);
	r = prepare_order(placing, method, &means, &order, err);
	if (r == 0)
		r = place_begin(&order, &placement, err);
	if (r == 0)
		r = lease(placing, placing->piece->name, said, &placement.id, placement.mount, err);
	return r < 0 ? r : prepare_commit_piece(placing, &placement, err);
}

/*
 * Mount again what an earlier call had mounted. It stays when this call fails: that call promised
 * it. Its old lease goes last, so that there always is one.
 */
static int mount_again(struct placing *placing, const struct fetchfs_lease *old, struct err *err)
{
	CLEANUP(prepare_means_release) struct placing_means means = PLACING_MEANS_INIT;
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	CLEANUP(str_freep) char *method = prepare_lease_method(placing->piece, PLAN_BIND);
	struct prepare *prepare = placing->prepare;
	const struct node_id id = leases_file_id(old);
	size_t from = prepare->ours.count;
	struct place_order order;
	int r;

	if (!method)
		return err_oom(err);
	/* what it was it stays; it came by this key */
	if (placing->content.lazy && leases_knows_content(old) &&
		str_equal(old->key, placing->content.key))
		memcpy(placing->content.sha256, old->sha256, sizeof(old->sha256));
	r = prepare_order(placing, PLAN_BIND, &means, &order, err);
	if (r == 0)
		r = place_begin_again(&order, &id, &placement, err);
	if (r == 0)
		r = lease(
			placing, placing->piece->name, method, &placement.id, placement.mount, err);
	leases_forget(&prepare->ours, from);
	if (r == 0)
		r = place_commit(&placement, err);
	return r < 0 ? r : drop_stale(placing, err);
}

/* ---- one item ---- */

static int learn(struct placing *placing, struct err *err)
{
	struct prepared *result = placing->result;
	struct fetchfs_info info;
	int r;

	if (result->lazy) {
		prepare_learn_lazy(placing->prepare, placing->i, &placing->content);
		return 0;
	}
	r = fetchfs_file_info(placing->prepare->files[placing->i], &info, err);
	if (r < 0)
		return r;
	result->size = info.size > 0 ? (uint64_t)info.size : 0;
	memcpy(result->sha256, info.sha256, sizeof(result->sha256));
	placing->content = (struct content){.lazy = false};
	memcpy(placing->content.sha256, info.sha256, sizeof(info.sha256));
	placing->is_public = info.is_public;
	fetchfs_info_release(&info);
	return 0;
}

/* What is missing, all of it by one method. When that fails nothing is left of it. */
static int place_all_by(
	struct placing *placing, enum plan_method method, const bool *missing, struct err *err)
{
	struct prepare *prepare = placing->prepare;
	const struct pieces *pieces = &prepare->pieces[placing->i];
	bool lends = method == PLAN_HARDLINK && placing->result->extracted;
	int tree = lends ? fetchfs_tree_fd(prepare->trees[placing->i]) : -1;
	const char *sha256 = placing->result->sha256;
	size_t from = prepare->ours.count;
	bool is_right = false;
	int r = lends ? fetchfs_tree_lend(prepare->fetchfs, sha256, tree, &is_right, err) : 0;

	for (size_t k = 0; k < pieces->count && r == 0; k++) {
		placing->piece = &pieces->items[k];
		if (missing[k])
			r = place_by(placing, method, err);
	}
	if (is_right)
		(void)fetchfs_tree_lent(prepare->fetchfs, sha256, tree, NULL);
	if (r == 0)
		placing->result->method = method;
	else
		(void)prepare_take_back(prepare, from, NULL);
	return r;
}

int prepare_place_missing(
	struct placing *placing, const bool *missing, size_t first, struct err *err)
{
	enum plan_method order[METHODS_MAX];
	size_t count =
		methods_of(&placing->prepare->methods, placing->item, placing->is_public, order);
	size_t pieces = placing->prepare->pieces[placing->i].count;
	int r = 0;

	for (size_t i = first; i < count; i++) {
		if (order[i] == PLAN_BIND && pieces > BINDS_MAX)
			r = err_set(err, ERR_USAGE, EMLINK,
				"%zu things at the top of an archive are too many mounts: say "
				"output_file",
				pieces);
		else
			r = place_all_by(placing, order[i], missing, err);
		if (!place_is_refusal(r))
			break;
	}
	return r;
}

/* What is lazy is a bind; where there can be none after all, the bytes are fetched. */
static int place_lazy(struct placing *placing, const bool *missing, struct err *err)
{
	int r = place_all_by(placing, PLAN_BIND, missing, err);

	if (!place_is_refusal(r) || placing->item->method != PLAN_AUTO)
		return r;
	placing->prepare->pieces[placing->i].items[0].kind = PIECE_FILE;
	r = prepare_fetch_lazy(placing->prepare, placing->i, err);
	if (r == 0)
		r = learn(placing, err);
	return r < 0 ? r : prepare_place_missing(placing, missing, 0, err);
}

/* What an earlier call placed stays, or is mounted again; the rest is missing. How much is. */
static int look(struct placing *placing, bool *missing, struct err *err)
{
	const struct pieces *pieces = &placing->prepare->pieces[placing->i];
	int count = 0;

	placing->result->was_there = true;
	for (size_t k = 0; k < pieces->count; k++) {
		CLEANUP(str_freep) char *method = NULL;
		const struct fetchfs_lease *old = NULL;
		int r;

		placing->piece = &pieces->items[k];
		r = prepare_check_there(placing->prepare, placing->parent, placing->piece,
			&placing->content, &old, err);
		missing[k] = r == THERE_NOTHING;
		count += missing[k];
		placing->result->was_there &= r == THERE_PLACED;
		if (r == THERE_NOTHING)
			r = drop_stale(placing, err);
		else if (r == THERE_UNMOUNTED)
			r = mount_again(placing, old, err);
		if (r < 0)
			return r;
		method = old ? leases_method(old) : NULL;
		if (method && plan_method_parse(method, &placing->result->method, err) < 0)
			return -EINVAL;
	}
	return count;
}

static int place_item(struct placing *placing, struct together *together, struct err *err)
{
	struct prepare *prepare = placing->prepare;
	const struct pieces *pieces = &prepare->pieces[placing->i];
	const char *name = pieces->count > 0 ? pieces->items[0].name : "";
	bool *missing = calloc(pieces->count + 1, sizeof(*missing));
	int r = missing ? learn(placing, err) : err_oom(err);

	/* they all are in the same folder */
	if (r == 0)
		r = folder_make_parent(
			&prepare->folder, name, folder_was_made, placing, &placing->parent, err);
	if (r == 0)
		r = look(placing, missing, err);
	if (r > 0 && placing->content.lazy)
		r = place_lazy(placing, missing, err);
	else if (r > 0 && prepare_together_suits(placing))
		r = prepare_together_begin(together, placing, err);
	else if (r > 0 || (r == 0 && pieces->count == 0))
		r = prepare_place_missing(placing, missing, 0, err);
	free(missing);
	return r;
}

static void place_one(struct prepare *prepare, size_t i, struct together *together)
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
	int r = place_item(&placing, together, &err);

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
	struct together *together = prepare_together_new(prepare);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < prepare->plan->count && prepare_goes_on(prepare); i++) {
		if (!together)
			prepare_fail(prepare, i, (err_oom(&err), &err));
		else if (!prepare->results[i].err.code)
			place_one(prepare, i, together);
	}
	prepare_together_free(together);
}
