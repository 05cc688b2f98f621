#include "sandbox/folder.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER_MODE 0755

int folder_absolute(const char *path, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *copy = str_copy(path);
	CLEANUP(str_freep) char *whole = realpath(path, NULL);
	CLEANUP(str_freep) char *parent = NULL;
	char *slash;

	if (!copy)
		return err_oom(err);
	if (whole) {
		*ret = str_steal(&whole);
		return 0;
	}
	for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	parent = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (!parent)
		return err_set(err, ERR_SYSTEM, errno, "find %s: %m", path);
	*ret = str_printf("%s/%s", str_equal(parent, "/") ? "" : parent, slash ? slash + 1 : copy);
	return *ret ? 0 : err_oom(err);
}

int folder_open(const char *path, const struct user *user, struct folder *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(str_freep) char *absolute = NULL;
	struct node node;
	int r;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open directory %s: %m", path);
	r = node_look(fd, "", &node);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "stat %s: %m", path);
	r = folder_absolute(path, &absolute, err);
	if (r < 0)
		return r;
	*ret = (struct folder){
		.fd = fd_steal(&fd),
		.path = str_steal(&absolute),
		.device = node.device,
		.id = node.id,
		.user = user,
	};
	return 0;
}

int folder_check_owner(const struct folder *folder, struct err *err)
{
	struct stat st;

	if (fstat(folder->fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat %s: %m", folder->path);
	if (st.st_uid == 0 || st.st_uid == geteuid() || st.st_uid == folder->user->uid)
		return 0;
	return err_set(err, ERR_SYSTEM, EPERM,
		"%s belongs to uid %u, neither to root nor to whom it is prepared for",
		folder->path, st.st_uid);
}

void folder_release(struct folder *folder)
{
	fd_close(&folder->fd);
	free(folder->path);
	folder->path = NULL;
}

const char *folder_last(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static int open_beneath(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Make and open the folder @segment of @dirfd. 1: made; 0: somebody else was quicker. */
static int make_one(int dirfd, const char *segment, int *ret, struct node_id *ret_id)
{
	CLEANUP(fd_closep) int fd = -1;
	struct node node;
	int r;
	bool made = mkdirat(dirfd, segment, FOLDER_MODE) == 0;

	if (!made && errno != EEXIST)
		return -errno;
	fd = open_beneath(dirfd, segment);
	if (fd < 0)
		return fd;
	/* the umask is the caller's business, not the sandbox's */
	if (made && fchmod(fd, FOLDER_MODE) < 0)
		return -errno;
	r = node_look(fd, "", &node);
	if (r < 0)
		return r;
	*ret_id = node.id;
	*ret = fd_steal(&fd);
	return made;
}

struct walk {
	const struct folder *folder;
	folder_made *made; /* NULL: make nothing */
	void *arg;
};

/* Step from @fd into the last segment of @prefix, a relative name. */
static int step(const struct walk *walk, int *fd, const char *prefix, struct err *err)
{
	CLEANUP(fd_closep) int next = -1;
	CLEANUP(user_return) struct user_guard guard = {0};
	const char *segment = folder_last(prefix);
	struct node_id id = {0};
	int r;

	r = user_become(walk->folder->user, &guard, err);
	if (r < 0)
		return r;
	next = open_beneath(*fd, segment);
	r = next < 0 ? next : 0;
	if (r == -ENOENT && walk->made)
		r = make_one(*fd, segment, &next, &id);
	user_return(&guard);
	if (r == 1)
		r = walk->made(prefix, &id, walk->arg, err);
	else if (r == -ELOOP || r == -ENOTDIR)
		return err_set(err, ERR_SYSTEM, -r, "%s/%s is no folder, or a symbolic link",
			walk->folder->path, prefix);
	else if (r < 0)
		return err_set(
			err, ERR_SYSTEM, -r, "open folder %s/%s: %m", walk->folder->path, prefix);
	if (r < 0)
		return r;
	fd_close(fd);
	*fd = fd_steal(&next);
	return 0;
}

static int walk_to_parent(const struct walk *walk, const char *name, int *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = fcntl(walk->folder->fd, F_DUPFD_CLOEXEC, 3);
	CLEANUP(str_freep) char *prefix = str_copy(name);

	if (!prefix)
		return err_oom(err);
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s: %m", walk->folder->path);
	for (char *slash = strchr(prefix, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = step(walk, &fd, prefix, err);
		if (r < 0)
			return r;
		*slash = '/';
	}
	*ret = fd_steal(&fd);
	return 0;
}

int folder_parent(const struct folder *folder, const char *name, int *ret, struct err *err)
{
	const struct walk walk = {.folder = folder};

	return walk_to_parent(&walk, name, ret, err);
}

int folder_make_parent(const struct folder *folder, const char *name, folder_made *made, void *arg,
	int *ret, struct err *err)
{
	const struct walk walk = {.folder = folder, .made = made, .arg = arg};

	return walk_to_parent(&walk, name, ret, err);
}

enum { REMOVE_FOLDER = 1, REMOVE_STUB = 2 };

/* Whether @node is what is to be removed. */
static bool is_ours(const struct node *node, const struct node_id *id, int flags)
{
	if (id->inode != 0 && !node_is(&node->id, id))
		return false;
	if (S_ISDIR(node->mode) != ((flags & REMOVE_FOLDER) != 0))
		return false;
	return !(flags & REMOVE_STUB) || !S_ISREG(node->mode) || node->size == 0;
}

static int remove_one(const struct folder *folder, const char *name, const struct node_id *id,
	int flags, struct err *err)
{
	bool is_folder = flags & REMOVE_FOLDER;
	CLEANUP(fd_closep) int parent = -1;
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
	r = -node_look(parent, last, &node);
	if (r == 0 && !is_ours(&node, id, flags))
		return FOLDER_FOREIGN;
	if (r == 0 && unlinkat(parent, last, is_folder ? AT_REMOVEDIR : 0) < 0)
		r = errno;
	if (r == 0)
		return FOLDER_REMOVED;
	if (r == ENOENT)
		return FOLDER_ABSENT;
	if (is_folder && (r == ENOTEMPTY || r == EEXIST))
		return FOLDER_NOT_EMPTY;
	return err_set(err, ERR_SYSTEM, r, "remove %s/%s: %m", folder->path, name);
}

int folder_remove(const struct folder *folder, const char *name, const struct node_id *id,
	bool is_folder, struct err *err)
{
	return remove_one(folder, name, id, is_folder ? REMOVE_FOLDER : 0, err);
}

int folder_remove_stub(const struct folder *folder, const char *name, const struct node_id *id,
	bool is_folder, struct err *err)
{
	return remove_one(folder, name, id, REMOVE_STUB | (is_folder ? REMOVE_FOLDER : 0), err);
}
