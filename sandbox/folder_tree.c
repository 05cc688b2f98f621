/* Removing a folder of a sandbox with what is in it, whatever its owner does there meanwhile. */
#include "sandbox/folder.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 256

static void close_listp(DIR **list)
{
	if (*list)
		closedir(*list);
}

static bool is_dots(const char *name)
{
	return str_equal(name, ".") || str_equal(name, "..");
}

/* A folder of the same mount: what is mounted in it is nobody's to empty. */
static int open_here(int fd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	long child = syscall(SYS_openat2, fd, name, &how, sizeof(how));

	return child < 0 ? -errno : (int)child;
}

static int remove_content(int fd, int tree, unsigned int depth);

/* A folder. -ENOTEMPTY: things stay in it. What is no folder any more is somebody else's. */
static int remove_folder(int fd, const char *name, int tree, unsigned int depth)
{
	CLEANUP(fd_closep) int child = -1;
	CLEANUP(fd_closep) int below = -1;
	int r;

	if (depth >= DEPTH_MAX)
		return -ELOOP;
	r = child = open_here(fd, name);
	if (r == -ENOTDIR || r == -ELOOP || r == -EXDEV)
		return -ENOTEMPTY;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (tree >= 0) {
		below = openat(tree, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (below < 0)
			return -errno;
	}
	r = remove_content(child, below, depth + 1);
	if (r < 0)
		return r;
	return unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_name(int fd, const char *name, bool is_folder, int tree, unsigned int depth)
{
	if (is_folder)
		return remove_folder(fd, name, tree, depth);
	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* a folder has taken its place */
	return errno == EISDIR || errno == EPERM ? -ENOTEMPTY : -errno;
}

/* Whether the name in a list is of a folder: the file system may not say so there. */
static bool is_folder(int fd, const struct dirent *item)
{
	struct stat st;

	if (item->d_type != DT_UNKNOWN)
		return item->d_type == DT_DIR;
	return fstatat(fd, item->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* What is in @tree (-1: whatever is there) goes from @fd. The first reason why it did not. */
static int remove_content(int fd, int tree, unsigned int depth)
{
	CLEANUP(close_listp) DIR *list = NULL;
	const struct dirent *item;
	int from = tree >= 0 ? tree : fd;
	int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int first = 0;

	list = copy < 0 ? NULL : fdopendir(copy);
	if (!list) {
		fd_close(&copy);
		return -errno;
	}
	while ((item = readdir(list))) {
		int r;

		if (is_dots(item->d_name))
			continue;
		r = remove_name(fd, item->d_name, is_folder(from, item), tree, depth);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

int folder_remove_tree(const struct folder *folder, const char *name, const struct node_id *id,
	int tree, struct err *err)
{
	CLEANUP(fd_closep) int parent = -1;
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(user_return) struct user_guard guard = {0};
	const char *last = folder_last(name);
	struct node node;
	int r;

	r = folder_parent(folder, name, &parent, err);
	if (r == -ENOENT)
		return FOLDER_ABSENT;
	if (r == -ELOOP || r == -ENOTDIR)
		return FOLDER_FOREIGN;
	if (r == 0)
		r = user_become(folder->user, &guard, err);
	if (r < 0)
		return r;
	r = fd = open_here(parent, last);
	if (r == -ENOENT)
		return FOLDER_ABSENT;
	if (r == -ENOTDIR || r == -ELOOP || r == -EXDEV)
		return FOLDER_FOREIGN;
	if (r >= 0)
		r = node_look(fd, "", &node);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "open folder %s/%s: %m", folder->path, name);
	if (id->inode != 0 && !node_is(&node.id, id))
		return FOLDER_FOREIGN;
	r = remove_content(fd, tree, 1);
	if (r == 0 && unlinkat(parent, last, AT_REMOVEDIR) < 0)
		r = -errno;
	if (r == -ENOTEMPTY || r == -EEXIST)
		return FOLDER_NOT_EMPTY;
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "remove %s/%s: %m", folder->path, name)
		     : FOLDER_REMOVED;
}
