/* Links: a second name of the cached file, or a symbolic link into the mount. */
#include "sandbox/place_private.h"

#include "base/cleanup.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The link is root's doing, so ask whether the user may do it. */
int place_hardlink_begin(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	CLEANUP(user_return) struct user_guard guard = {0};
	struct stat st, parent;
	int r;

	r = user_become(order->folder->user, &guard, err);
	if (r < 0)
		return r;
	if (faccessat(order->parent, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_set(
			err, ERR_SYSTEM, errno, "link %s/%s: %m", order->folder->path, order->name);
	if (fstat(order->source, &st) < 0 || fstat(order->parent, &parent) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat %s: %m", order->name);
	if (st.st_dev != parent.st_dev)
		return place_failed(placement, -EXDEV, err);
	return place_failed(placement, place_note_id(placement, order->source), err);
}

int place_hardlink_commit(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	int r = fault_hit("place.link")
			? -errno
			: place_link(order->source, order->parent, folder_last(order->name));

	return place_failed(placement, r, err);
}

int place_symlink_begin(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	CLEANUP(user_return) struct user_guard guard = {0};
	struct node node;
	int r;

	r = place_choose_temp(placement, err);
	if (r == 0)
		r = user_become(order->folder->user, &guard, err);
	if (r < 0)
		return r;
	if (symlinkat(order->target, order->parent, placement->temp) < 0) {
		r = -errno;
		placement->temp[0] = '\0';
		return place_failed(placement, r, err);
	}
	r = node_look(order->parent, placement->temp, &node);
	if (r == 0)
		placement->id = node.id;
	return place_failed(placement, r, err);
}

int place_symlink_commit(struct placement *placement, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r;

	r = user_become(placement->order.folder->user, &guard, err);
	return r < 0 ? r : place_failed(placement, place_give_name(placement), err);
}
