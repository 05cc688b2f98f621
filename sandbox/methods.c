#include "sandbox/methods.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCKS "locks" /* a file that every cache has */

/* Binds would fail one by one, too; but an executable twin is not made in vain for them. */
static bool may_mount(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN));
}

static bool can_reflink(int cache, const struct folder *folder)
{
	CLEANUP(fd_closep) int from = openat(cache, LOCKS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(fd_closep) int to = -1;
	CLEANUP(user_return) struct user_guard guard = {0};

	if (from < 0 || user_become(folder->user, &guard, NULL) < 0)
		return false;
	to = openat(folder->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	return to >= 0 && fd_clone(from, to) == 0;
}

static bool is_asked_for(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].method == PLAN_AUTO)
			return true;
	return false;
}

int methods_find(struct fetchfs *fetchfs, const struct plan *plan, const struct folder *folder,
	struct methods *ret, struct err *err)
{
	const char *path = fetchfs_cache_path(fetchfs);
	const struct user *user = folder->user;
	CLEANUP(fd_closep) int cache = -1;
	struct statvfs fs;
	struct stat st;

	*ret = (struct methods){.hardlink = false};
	if (!is_asked_for(plan))
		return 0;
	cache = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cache < 0 || fstat(cache, &st) < 0 || fstatvfs(cache, &fs) < 0)
		return err_set(err, ERR_SYSTEM, errno, "look at %s: %m", path);
	*ret = (struct methods){
		.hardlink = fetchfs_hardlink_allowed(fetchfs) && user->other && user->uid != 0 &&
			    user->uid != st.st_uid,
		.reflink = can_reflink(cache, folder),
		.bind = !plan->no_bind && (user->uid != 0 || plan->confined) && may_mount(),
		.noexec = fs.f_flag & ST_NOEXEC,
	};
	return 0;
}

size_t methods_of(const struct methods *methods, const struct plan_item *item, bool is_public,
	enum plan_method *ret)
{
	size_t count = 0;

	if (item->method != PLAN_AUTO) {
		ret[0] = item->method;
		return 1;
	}
	/* what has a mode of its own is made anew */
	if (methods->hardlink && is_public && item->mode < 0)
		ret[count++] = PLAN_HARDLINK;
	if (methods->reflink)
		ret[count++] = PLAN_REFLINK;
	else if (methods->bind && item->mode < 0 &&
		 !((item->executable || item->extract) && methods->noexec))
		ret[count++] = PLAN_BIND;
	ret[count++] = PLAN_COPY;
	return count;
}

/* Whether the cached file itself may be what is placed. */
static bool may_place_object(const struct methods *methods, const struct plan_item *item)
{
	enum plan_method order[METHODS_MAX];
	size_t count = methods_of(methods, item, true, order);

	for (size_t i = 0; i < count; i++)
		if (plan_is_of_object(order[i]))
			return true;
	return false;
}

bool methods_need_executable(const struct methods *methods, const struct plan_item *item)
{
	return item->executable && may_place_object(methods, item);
}

bool methods_need_plain(const struct methods *methods, const struct plan_item *item)
{
	/* a symlink leads to what the mount shows */
	return !item->executable && item->method != PLAN_SYMLINK && may_place_object(methods, item);
}
