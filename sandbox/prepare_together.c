/* Many files into a directory: their leases are one transaction. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/placing.h"

#include <stdlib.h>
#include <string.h>

/* Each has two descriptors. */
#define TOGETHER_MAX 32

/* A file that is ready. Its placement refers to the rest. */
struct ready {
	struct placing placing;
	struct placing_means means;
	struct placement placement;
	size_t next;  /* the number of the method to be tried after this one … */
	bool is_last; /* … if there is one */
};

struct together {
	struct prepare *prepare;
	size_t count;
	struct ready items[TOGETHER_MAX];
};

struct together *prepare_together_new(struct prepare *prepare)
{
	struct together *together = calloc(1, sizeof(*together));

	if (together)
		together->prepare = prepare;
	return together;
}

bool prepare_together_suits(const struct placing *placing)
{
	const struct pieces *pieces = &placing->prepare->pieces[placing->i];

	return pieces->count == 1 && pieces->items[0].kind == PIECE_FILE &&
	       !strchr(pieces->items[0].name, '/');
}

static void forget(struct together *together)
{
	for (size_t i = 0; i < together->count; i++) {
		struct ready *ready = &together->items[i];

		place_release(&ready->placement);
		prepare_means_release(&ready->means);
		fd_close(&ready->placing.parent);
	}
	together->count = 0;
}

/* ---- they get their names ---- */

static int note_leases(struct together *together, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < together->count && r == 0; i++) {
		const struct ready *ready = &together->items[i];
		const struct placement *placement = &ready->placement;
		CLEANUP(str_freep)
		char *said = prepare_lease_method(ready->placing.piece, placement->order.method);

		r = said ? prepare_note_lease(&ready->placing, ready->placing.piece->name, said,
				   &placement->id, placement->mount, err)
			 : err_oom(err);
	}
	return r;
}

/* Its lease is number @own of ours. */
static int give_name(struct ready *ready, size_t own, struct err *err)
{
	struct prepare *prepare = ready->placing.prepare;
	const bool missing = true;
	int r = prepare_commit_piece(&ready->placing, &ready->placement, err);

	if (r == 0) {
		ready->placing.result->method = ready->placement.order.method;
		return 0;
	}
	place_release(&ready->placement);
	if (!place_is_refusal(r) || ready->is_last) {
		/* one that stays is dropped with its directory */
		(void)fetchfs_lease_drop(prepare->fetchfs, &prepare->ours.items[own].id, 1, NULL);
		return r;
	}
	/* what comes next has a lease of its own; two would be one too many */
	r = fetchfs_lease_drop(prepare->fetchfs, &prepare->ours.items[own].id, 1, err);
	if (r < 0)
		return r;
	return prepare_place_missing(&ready->placing, &missing, ready->next, err);
}

static void place_all(struct together *together)
{
	struct prepare *prepare = together->prepare;
	size_t from = prepare->ours.count;
	struct err err = ERR_INIT;
	int r = note_leases(together, &err);

	if (r == 0)
		r = prepare_write_leases(prepare, from, &err);
	else
		leases_forget(&prepare->ours, from);
	for (size_t i = 0; i < together->count && (r < 0 || prepare_goes_on(prepare)); i++) {
		struct ready *ready = &together->items[i];
		struct err one = err;

		if (r < 0 || give_name(ready, from + i, &one) < 0)
			prepare_fail(prepare, ready->placing.i, &one);
	}
	forget(together);
}

void prepare_together_free(struct together *together)
{
	if (!together)
		return;
	if (together->count > 0 && prepare_goes_on(together->prepare))
		place_all(together);
	forget(together);
	free(together);
}

/* ---- they are made ready ---- */

static int make_ready(struct ready *ready, struct err *err)
{
	enum plan_method methods[METHODS_MAX];
	struct placing *placing = &ready->placing;
	size_t count =
		methods_of(&placing->prepare->methods, placing->item, placing->is_public, methods);
	struct place_order order;
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		ready->next = i + 1;
		ready->is_last = ready->next == count;
		r = prepare_order(placing, methods[i], &ready->means, &order, err);
		if (r == 0)
			r = place_begin(&order, &ready->placement, err);
		if (!place_is_refusal(r))
			break;
		prepare_means_release(&ready->means);
	}
	return r;
}

int prepare_together_begin(struct together *together, struct placing *placing, struct err *err)
{
	struct ready *ready = &together->items[together->count++];
	int r;

	placing->piece = &placing->prepare->pieces[placing->i].items[0];
	*ready = (struct ready){
		.placing = *placing, .means = PLACING_MEANS_INIT, .placement = PLACEMENT_INIT};
	placing->parent = -1;
	r = make_ready(ready, err);
	if (r < 0) {
		prepare_means_release(&ready->means);
		fd_close(&ready->placing.parent);
		together->count--;
	} else if (together->count == TOGETHER_MAX) {
		place_all(together);
	}
	return r;
}
