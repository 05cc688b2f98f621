/* From folder to folder of a tree in the making, over no link; and what is said of what is wrong.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/treemaker_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A rename anywhere on the machine makes the kernel ask for another try at a walk. */
#define TRIES 1000

/* What failed there may be the disk, the names, or an error of ours. */
int treemaker_failed(const char *name, const char *what, int code, struct err *err)
{
	char shown[ENTRYNAME_SHOWN];

	entryname_show(name, shown);
	return err_set(err, code == ENOSPC || code == EDQUOT ? ERR_SPACE : ERR_SYSTEM, code,
		"entry %s: %s: %m", shown, what);
}

int treemaker_refuse(const char *name, const char *why, struct err *err)
{
	char shown[ENTRYNAME_SHOWN];

	entryname_show(name, shown);
	return err_set(err, ERR_INTEGRITY, EBADMSG, "entry %s: %s", shown, why);
}

/* @path below @dirfd, over no link. */
int treemaker_open_at(int dirfd, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* Remember the folder @path for treemaker_finish(). */
int treemaker_note_folder(
	struct treemaker *maker, const char *path, const struct timespec *time, struct err *err)
{
	struct treemaker_folder *folder = malloc(sizeof(*folder) + strlen(path) + 1);

	if (!folder)
		return err_oom(err);
	*folder = (struct treemaker_folder){.next = maker->folders, .time = *time};
	strcpy(folder->path, path);
	maker->folders = folder;
	return 0;
}

int treemaker_make_folder(
	struct treemaker *maker, int dirfd, const char *name, const char *path, struct err *err)
{
	static const struct timespec unknown = {.tv_nsec = UTIME_OMIT};
	int r = treemaker_count_entry(maker, name, err);

	if (r == 0)
		r = treemaker_take_room(maker, maker->block, err);
	if (r < 0)
		return r;
	if (mkdirat(dirfd, name, 0700) < 0)
		return treemaker_failed(path, "make it", errno, err);
	return treemaker_note_folder(maker, path, &unknown, err);
}

/* The folder @path, made as far as it is not there, with all above it. *ret is the caller's. */
static int walk(struct treemaker *maker, char *path, int *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = treemaker_open_at(maker->top, ".", O_PATH | O_DIRECTORY);
	char *segment = path;

	while (fd >= 0 && *segment) {
		size_t len = strcspn(segment, "/");
		char end = segment[len];
		int child;
		int r = 0;

		segment[len] = '\0';
		child = treemaker_open_at(fd, segment, O_PATH | O_DIRECTORY);
		if (child == -ENOENT) {
			r = treemaker_make_folder(maker, fd, segment, path, err);
			child = r < 0 ? r : treemaker_open_at(fd, segment, O_PATH | O_DIRECTORY);
		}
		if (r == 0 && (child == -ELOOP || child == -ENOTDIR))
			r = treemaker_refuse(
				path, "it is no folder, and something is to be in it", err);
		else if (r == 0 && child < 0)
			r = treemaker_failed(path, "open it", -child, err);
		segment[len] = end;
		if (r < 0)
			return r;
		fd_close(&fd);
		fd = child;
		segment += len + (end == '/');
	}
	if (fd < 0)
		return treemaker_failed(path, "open it", -fd, err);
	*ret = fd_steal(&fd);
	return 0;
}

/* Where the entry @maker->name belongs, as @maker->parent. */
int treemaker_open_parent(struct treemaker *maker, struct err *err)
{
	const struct entryname *name = &maker->name;
	char path[PATH_MAX];
	size_t len = name->last > 0 ? name->last - 1 : 0;
	int r;

	memcpy(path, name->path, len);
	path[len] = '\0';
	/* archives have what is in one folder together */
	if (maker->parent >= 0 && str_equal(path, maker->parent_path))
		return 0;
	fd_close(&maker->parent);
	r = treemaker_open_at(maker->top, len > 0 ? path : ".", O_PATH | O_DIRECTORY);
	if (r >= 0)
		maker->parent = r;
	else
		r = walk(maker, path, &maker->parent, err);
	if (r < 0)
		return r;
	memcpy(maker->parent_path, path, len + 1);
	return 0;
}
