/*
 * The cached file, mounted read-only on an empty file of the user's; or a folder on an empty
 * folder.
 *
 * The mount exists, and has its id, before it is attached to anything: so it can be written down
 * first. What is empty has mode 0000: if the mount is lost, whoever opens it is refused, instead
 * of taking nothing for the artifact.
 */
#include "sandbox/mounts.h"
#include "sandbox/place_private.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A mount of the cached file alone, attached to nothing. */
static int make_tree(struct placement *placement, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.propagation = MS_PRIVATE,
	};
	const struct place_order *order = &placement->order;
	struct node node;
	int r;

	placement->tree = fault_hit("place.tree")
				  ? -1
				  : open_tree(order->source, "",
					    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (placement->tree < 0 ||
		mount_setattr(placement->tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		/* an old kernel, or a cache that is in no mount of this namespace */
		r = errno == ENOSYS || errno == EINVAL ? EOPNOTSUPP : errno;
		return err_set(err, ERR_SYSTEM, r, "bind %s/%s: %s%m", order->folder->path,
			order->name, r == EPERM ? "needs CAP_SYS_ADMIN: " : "");
	}
	r = node_look(placement->tree, "", &node);
	if (r < 0)
		return place_failed(placement, r, err);
	placement->mount = node.mount;
	return 0;
}

int place_bind_begin(struct placement *placement, struct err *err)
{
	int r = make_tree(placement, err);

	/* by O_PATH: nobody may open it otherwise */
	if (r == 0 && placement->order.is_folder)
		return place_make_folder(placement, 0, O_PATH, err);
	if (r == 0)
		r = place_make_file(placement, err);
	if (r < 0)
		return r;
	r = fchmod(placement->own, 0) < 0 ? -errno : place_note_id(placement, placement->own);
	return place_failed(placement, r, err);
}

/* Mount it on what has the name now, if that is the empty file. */
static int attach(struct placement *placement)
{
	const struct place_order *order = &placement->order;
	CLEANUP(fd_closep)
	int fd = openat(order->parent, folder_last(order->name), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct node node;
	int r = fd < 0 ? -errno : node_look(fd, "", &node);

	if (r < 0)
		return r;
	if (!node_is(&node.id, &placement->id) ||
		!(order->is_folder ? S_ISDIR(node.mode) : S_ISREG(node.mode) && node.size == 0))
		return -ESTALE;
	if (!fault_hit("place.mount") &&
		move_mount(placement->tree, "", fd, "",
			MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
		return 0;
	/* there are as many mounts as there may be */
	return errno == ENOSPC ? -EMLINK : -errno;
}

static int name_file(struct placement *placement, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r = user_become(placement->order.folder->user, &guard, err);

	return r < 0 ? r : place_failed(placement, place_give_name(placement), err);
}

int place_bind_commit(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	bool again = placement->own < 0;
	int r = again ? 0 : name_file(placement, err);

	if (r < 0)
		return r;
	(void)fault_hit("place.stub");
	r = attach(placement);
	if (r < 0 && !again)
		(void)folder_remove_stub(
			order->folder, order->name, &placement->id, order->is_folder, NULL);
	return place_failed(placement, r, err);
}

int place_begin_again(const struct place_order *order, const struct node_id *id,
	struct placement *ret, struct err *err)
{
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	int r;

	placement.order = *order;
	placement.id = *id;
	r = make_tree(&placement, err);
	if (r < 0)
		return r;
	*ret = placement;
	placement = PLACEMENT_INIT;
	return 0;
}
