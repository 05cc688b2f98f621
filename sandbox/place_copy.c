/* The bytes in a file of the user's own: copied, or sharing the blocks of the cached file. */
#include "sandbox/place_private.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int fill(const struct placement *placement)
{
	const struct place_order *order = &placement->order;
	int r;

	if (fault_hit("place.copy"))
		return -errno;
	if (order->method == PLAN_REFLINK)
		r = fd_clone(order->source, placement->own);
	else
		r = fd_copy(order->source, placement->own);
	if (r == 0 && fchmod(placement->own, order->mode) < 0)
		r = -errno;
	return r;
}

int place_copy_begin(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	CLEANUP(user_return) struct user_guard guard = {0};
	int r;

	r = place_make_file(placement, err);
	if (r == 0)
		r = user_become(order->folder->user, &guard, err);
	if (r < 0)
		return r;
	r = fill(placement);
	if (r == 0)
		place_set_time(placement);
	if (r == 0)
		r = place_note_id(placement, placement->own);
	if (r == -EOPNOTSUPP)
		return err_set(err, ERR_SYSTEM, EOPNOTSUPP,
			"reflink %s/%s: it and the cache are not on one file system that shares "
			"blocks",
			order->folder->path, order->name);
	return place_failed(placement, r, err);
}

int place_copy_commit(struct placement *placement, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r;

	r = user_become(placement->order.folder->user, &guard, err);
	return r < 0 ? r : place_failed(placement, place_give_name(placement), err);
}
