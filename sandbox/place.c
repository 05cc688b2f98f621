#include "sandbox/place.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/place_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct method {
	int (*begin)(struct placement *placement, struct err *err);
	int (*commit)(struct placement *placement, struct err *err);
};

static const struct method methods[] = {
	[PLAN_HARDLINK] = {place_hardlink_begin, place_hardlink_commit},
	[PLAN_REFLINK] = {place_copy_begin, place_copy_commit},
	[PLAN_BIND] = {place_bind_begin, place_bind_commit},
	[PLAN_SYMLINK] = {place_symlink_begin, place_symlink_commit},
	[PLAN_COPY] = {place_copy_begin, place_copy_commit},
};

static const struct method of_folders = {place_folder_begin, place_folder_commit};

static const struct method *method_of(const struct place_order *order)
{
	bool made = order->method != PLAN_BIND && order->method != PLAN_SYMLINK;

	return order->is_folder && made ? &of_folders : &methods[order->method];
}

/* ---- for the methods ---- */

int place_choose_temp(struct placement *placement, struct err *err)
{
	const struct place_order *order = &placement->order;
	size_t before = (size_t)(folder_last(order->name) - order->name);
	CLEANUP(str_freep) char *name = NULL;
	char temp[PLACE_TEMP_SIZE];
	uint64_t random;
	int r = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, ERR_SYSTEM, EIO, "no random number for a name");
	snprintf(temp, sizeof(temp), ".fetchfs.%016llx", (unsigned long long)random);
	name = str_printf("%.*s%s", (int)before, order->name, temp);
	if (!name)
		return err_oom(err);
	if (order->intend)
		r = order->intend(name, order->arg, err);
	if (r == 0)
		str_fit(placement->temp, sizeof(placement->temp), temp);
	return r;
}

/* With the user's rights. -errno. */
static int make_file(struct placement *placement, const char *name, int flags, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	int r = user_become(placement->order.folder->user, &guard, err);

	if (r < 0)
		return r;
	if (flags == O_TMPFILE && fault_hit("place.tmpfile"))
		return -errno;
	placement->own = openat(placement->order.parent, name, flags | O_RDWR | O_CLOEXEC, 0600);
	return placement->own < 0 ? -errno : 0;
}

int place_make_file(struct placement *placement, struct err *err)
{
	int r = make_file(placement, ".", O_TMPFILE, err);

	if (r == -EOPNOTSUPP || r == -EISDIR || r == -EINVAL) {
		r = place_choose_temp(placement, err);
		if (r < 0)
			return r;
		r = make_file(placement, placement->temp, O_CREAT | O_EXCL | O_NOFOLLOW, err);
		if (r < 0)
			placement->temp[0] = '\0'; /* what has that name is not ours */
	}
	return place_failed(placement, r, err);
}

int place_link(int fd, int parent, const char *last)
{
	char proc[32];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, parent, last, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* without /proc: needs CAP_DAC_READ_SEARCH */
	if (errno == ENOENT && linkat(fd, "", parent, last, AT_EMPTY_PATH) == 0)
		return 0;
	return -errno;
}

int place_give_name(struct placement *placement)
{
	const struct place_order *order = &placement->order;
	const char *last = folder_last(order->name);

	if (fault_hit("place.link"))
		return -errno;
	if (!placement->temp[0])
		return place_link(placement->own, order->parent, last);
	if (renameat2(order->parent, placement->temp, order->parent, last, RENAME_NOREPLACE) < 0)
		return -errno;
	placement->temp[0] = '\0';
	return 0;
}

int place_note_id(struct placement *placement, int fd)
{
	struct node node;
	int r = node_look(fd, "", &node);

	if (r == 0)
		placement->id = node.id;
	return r;
}

void place_set_time(const struct placement *placement)
{
	const struct timespec *modified = placement->order.modified;
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_NOW}, modified ? *modified : (struct timespec){.tv_nsec = 0}};

	if (modified)
		(void)futimens(placement->own, times); /* no reason to fail */
}

int place_failed(const struct placement *placement, int r, struct err *err)
{
	const struct place_order *order = &placement->order;

	if (r == 0)
		return 0;
	if (r == -EEXIST)
		return err_set(err, ERR_USAGE, EEXIST, "%s/%s is in the way", order->folder->path,
			order->name);
	return err_set(err, ERR_SYSTEM, -r, "%s %s/%s: %m", plan_method_name(order->method),
		order->folder->path, order->name);
}

/* ---- the placement ---- */

int place_begin(const struct place_order *order, struct placement *ret, struct err *err)
{
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	int r;

	assert(order->method != PLAN_AUTO);
	placement.order = *order;
	r = method_of(order)->begin(&placement, err);
	if (r < 0)
		return r;
	(void)fault_hit("place.begun");
	*ret = placement;
	placement = PLACEMENT_INIT;
	return 0;
}

int place_commit(struct placement *placement, struct err *err)
{
	int r = method_of(&placement->order)->commit(placement, err);

	(void)fault_hit("place.committed");
	return r;
}

bool place_is_refusal(int r)
{
	return r == -EXDEV || r == -EMLINK || r == -EPERM || r == -EOPNOTSUPP;
}

/* What we made of it so far. */
static void remove_folder(struct placement *placement)
{
	const struct place_order *order = &placement->order;
	struct folder parent = *order->folder;

	parent.fd = order->parent;
	if (order->method == PLAN_BIND)
		(void)folder_remove(&parent, placement->temp, &placement->id, true, NULL);
	else
		(void)folder_remove_tree(&parent, placement->temp, &placement->id, -1, NULL);
	placement->temp[0] = '\0';
}

void place_release(struct placement *placement)
{
	const struct place_order *order = &placement->order;
	struct user_guard guard = {0};

	if (placement->temp[0] && order->is_folder) {
		remove_folder(placement);
	} else if (placement->temp[0] && user_become(order->folder->user, &guard, NULL) == 0) {
		unlinkat(order->parent, placement->temp, 0);
		placement->temp[0] = '\0';
		user_return(&guard);
	}
	fd_close(&placement->own);
	fd_close(&placement->tree);
}
