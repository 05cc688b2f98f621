/*
 * A folder of what was in an archive: made under a name for the moment, with all that is in it, and
 * given its own name when it is whole.
 */
#include "sandbox/place_private.h"
#include "sandbox/unfold.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0755

/* With the user's rights. -errno. */
static int make_folder(struct placement *placement, mode_t mode, int flags, struct err *err)
{
	const struct place_order *order = &placement->order;
	CLEANUP(user_return) struct user_guard guard = {0};
	int r = user_become(order->folder->user, &guard, err);

	if (r < 0)
		return r;
	if (mkdirat(order->parent, placement->temp, mode) < 0) {
		r = -errno;
		placement->temp[0] = '\0'; /* what has that name is not ours */
		return r;
	}
	placement->own = openat(
		order->parent, placement->temp, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return placement->own < 0 ? -errno : place_note_id(placement, placement->own);
}

int place_make_folder(struct placement *placement, mode_t mode, int flags, struct err *err)
{
	int r = place_choose_temp(placement, err);

	if (r < 0)
		return r;
	r = place_failed(placement, make_folder(placement, mode, flags, err), err);
	(void)fault_hit("place.folder");
	return r;
}

static int dress(const struct placement *placement)
{
	const struct place_order *order = &placement->order;
	CLEANUP(user_return) struct user_guard guard = {0};
	int r = user_become(order->folder->user, &guard, NULL);

	if (r < 0)
		return r;
	if (fchmod(placement->own, FOLDER_MODE) < 0)
		return -errno;
	place_set_time(placement);
	return 0;
}

/* Another file system is found out before anything is made. */
static int check_device(const struct placement *placement)
{
	const struct place_order *order = &placement->order;
	struct stat tree, parent;

	if (fstat(order->source, &tree) < 0 || fstat(order->parent, &parent) < 0)
		return -errno;
	if (order->method == PLAN_HARDLINK && tree.st_dev != parent.st_dev)
		return -EXDEV;
	return 0;
}

int place_folder_begin(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	CLEANUP(str_freep) char *path = NULL;
	struct folder inside;
	struct unfold unfold;
	int r = place_failed(placement, check_device(placement), err);

	if (r == 0)
		r = place_make_folder(placement, 0700, O_RDONLY, err);
	if (r < 0)
		return r;
	path = str_printf("%s/%s", order->folder->path, order->name);
	if (!path)
		return err_oom(err);
	inside = (struct folder){.fd = placement->own, .path = path, .user = order->folder->user};
	unfold = (struct unfold){
		.folder = &inside,
		.tree = order->source,
		.hardlink = order->method == PLAN_HARDLINK,
		.only = order->method != PLAN_COPY,
		.exclusive = true,
	};
	r = unfold_tree(&unfold, err);
	return r < 0 ? err_context(err, "%s", plan_method_name(order->method))
		     : place_failed(placement, dress(placement), err);
}

int place_folder_commit(struct placement *placement, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r;

	r = user_become(placement->order.folder->user, &guard, err);
	return r < 0 ? r : place_failed(placement, place_give_name(placement), err);
}
