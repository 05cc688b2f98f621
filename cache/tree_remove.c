/* Trees that end: names nobody goes by any more, and the removal of all that is below a folder. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* So often a folder is gone through whose deepest ones were brought up to its top. */
#define PASSES_MAX 100000

int tree_tmp_name(const char *prefix, char ret[TREE_TMP_SIZE])
{
	uint8_t random[8];
	char hex[sizeof(random) * 2 + 1];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	str_to_hex(random, sizeof(random), hex);
	snprintf(ret, TREE_TMP_SIZE, "%s%s", prefix, hex);
	return 0;
}

/* Whether @name in @dirfd is what is open as @fd. */
static bool leads_to(int dirfd, const char *name, int fd)
{
	struct stat named;
	struct stat opened;

	return fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
	       named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

int tree_folder(const struct store *store, const char *name)
{
	int trees = store->dir->trees_fd;
	int fd = openat(trees, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 || (errno != ENOTDIR && errno != ELOOP))
		return fd < 0 ? -errno : fd;
	/* (a folder that comes in between is not unlinked) */
	return unlinkat(trees, name, 0) < 0 && errno != ENOENT ? -errno : -ENOENT;
}

int tree_seize(const struct store *store, const char *name, int *ret)
{
	int trees = store->dir->trees_fd;
	CLEANUP(fd_closep) int fd = tree_folder(store, name);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	/* whoever had it before may have given it another name, or removed it */
	if (!leads_to(trees, name, fd))
		return -ENOENT;
	*ret = fd_steal(&fd);
	return 0;
}

/* ---- removing ---- */

static int clear(int top, int fd, unsigned int depth);

/* Bring the folder @name up to the top, where another pass finds it. */
static int hoist(int top, int fd, const char *name)
{
	char tmp[TREE_TMP_SIZE];
	int r = tree_tmp_name(TREE_GONE, tmp);

	return r == 0 && renameat(fd, name, top, tmp) < 0 ? -errno : r;
}

static int remove_folder(int top, int fd, const char *name, unsigned int depth)
{
	CLEANUP(fd_closep)
	int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (child < 0 && errno == EACCES && fchmodat(fd, name, 0700, 0) == 0)
		child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (child < 0 || fchmod(child, 0700) < 0)
		return -errno;
	if (depth >= TREE_DEPTH_MAX)
		return hoist(top, fd, name);
	r = clear(top, child, depth + 1);
	if (r == 0 && unlinkat(fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

/* Remove what is in @fd, a folder below (or the one itself) that is open as @top. */
static int clear(int top, int fd, unsigned int depth)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *item;
	int r = 0;

	if (copy < 0)
		return -errno;
	list = fdopendir(copy);
	if (!list) {
		close(copy);
		return -ENOMEM;
	}
	/* removing while reading skips nothing: POSIX promises it for names not yet returned */
	while (r == 0 && (item = readdir(list))) {
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		if (item->d_type != DT_DIR && unlinkat(fd, item->d_name, 0) == 0)
			continue;
		if (item->d_type != DT_DIR && errno != EISDIR && errno != EPERM)
			return -errno;
		r = remove_folder(top, fd, item->d_name, depth);
	}
	return r;
}

int tree_delete(const struct store *store, const char *name, int fd)
{
	int r = fchmod(fd, 0700) < 0 ? -errno : 0;

	for (unsigned int pass = 0; r == 0 && pass < PASSES_MAX; pass++) {
		r = clear(fd, fd, 1);
		if (r < 0 && r != -ENOTEMPTY)
			return r;
		if (unlinkat(store->dir->trees_fd, name, AT_REMOVEDIR) == 0)
			return 0;
		r = errno == ENOTEMPTY ? 0 : -errno;
	}
	return r < 0 ? r : -ENOTEMPTY;
}

int tree_remove(const struct store *store, const struct digest *digest, struct err *err)
{
	char name[DIGEST_HEX_SIZE];
	char gone[TREE_TMP_SIZE];
	CLEANUP(fd_closep) int fd = -1;
	int r;

	digest_hex(digest, name);
	r = tree_seize(store, name, &fd);
	if (r == -ENOENT) {
		tree_break_seal(store, digest);
		return 0;
	}
	if (r == -EAGAIN)
		return err_set(err, ERR_SYSTEM, EBUSY, "tree %s is being made", name);
	if (r == 0)
		r = tree_tmp_name(TREE_GONE, gone);
	/* by one step: half a tree has never the name of a whole one */
	if (r == 0 && renameat(store->dir->trees_fd, name, store->dir->trees_fd, gone) < 0)
		r = -errno;
	if (r == 0)
		tree_break_seal(store, digest);
	if (r == 0 && fault_hit("tree.remove"))
		r = -errno;
	if (r == 0)
		r = tree_delete(store, gone, fd);
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "remove tree %s: %m", name) : 0;
}

/* ---- damaged ones ---- */

void tree_name_bad(const struct digest *digest, char ret[TREE_BAD_SIZE])
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(digest, hex);
	snprintf(ret, TREE_BAD_SIZE, TREE_BAD "%s", hex);
}

bool tree_parse_name(const char *name, struct digest *ret)
{
	size_t len = strlen(TREE_BAD);

	if (str_has_prefix(name, TREE_BAD))
		name += len;
	return strlen(name) == DIGEST_HEX_SIZE - 1 &&
	       str_from_hex(name, sizeof(ret->bytes), ret->bytes);
}

/* A folder can change its parent only if it can be written to. */
static int move_into(int trees, const char *name, int fd, const char *bad)
{
	char path[TREE_BAD_SIZE + 1 + TREE_TMP_SIZE];
	char own[TREE_TMP_SIZE];
	struct stat st;
	int r = tree_tmp_name(TREE_GONE, own);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", bad, own);
	if ((mkdirat(trees, bad, 0700) < 0 && errno != EEXIST) || fstat(fd, &st) < 0 ||
		fchmod(fd, st.st_mode | S_IWUSR) < 0)
		return -errno;
	r = renameat(trees, name, trees, path) < 0 ? -errno : 0;
	(void)fchmod(fd, st.st_mode);
	return r;
}

int tree_set_aside(const struct store *store, const struct digest *digest, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	char name[DIGEST_HEX_SIZE];
	char bad[TREE_BAD_SIZE];
	int r;

	digest_hex(digest, name);
	tree_name_bad(digest, bad);
	r = tree_seize(store, name, &fd);
	if (r == 0)
		r = move_into(store->dir->trees_fd, name, fd, bad);
	if (r == 0)
		tree_break_seal(store, digest);
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "move tree %s away: %m", name) : 0;
}

int tree_part_with(const struct store *store, const struct digest *digest, struct err *err)
{
	int r = catalog_is_held(store->catalog, digest, err);

	if (r >= 0)
		r = r > 0 ? tree_set_aside(store, digest, err) : tree_remove(store, digest, err);
	return r == -ENOENT ? 0 : r;
}

static uint64_t measure_bad(const struct store *store, const struct digest *digest)
{
	char bad[TREE_BAD_SIZE];

	tree_name_bad(digest, bad);
	return tree_measure(store->dir->trees_fd, bad);
}

int tree_record(const struct store *store, const struct digest *digest, uint64_t bytes,
	const char *partial, struct err *err)
{
	return catalog_tree_record(
		store->catalog, digest, bytes + measure_bad(store, digest), partial, err);
}

int tree_forget(const struct store *store, const struct digest *digest, struct err *err)
{
	return catalog_tree_forget(store->catalog, digest, measure_bad(store, digest), err);
}

int tree_remove_bad(const struct store *store, const struct digest *digest, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	char bad[TREE_BAD_SIZE];
	int r;

	tree_name_bad(digest, bad);
	r = tree_seize(store, bad, &fd);
	if (r == 0)
		r = tree_delete(store, bad, fd);
	return r < 0 && r != -ENOENT ? err_set(err, ERR_SYSTEM, -r, "remove %s: %m", bad) : 0;
}

void tree_sweep(const struct store *store)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	int copy = openat(store->dir->trees_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *item;

	list = copy < 0 ? NULL : fdopendir(copy);
	if (!list) {
		fd_close(&copy);
		return;
	}
	while ((item = readdir(list))) {
		CLEANUP(fd_closep) int fd = -1;

		if (!str_has_prefix(item->d_name, TREE_NEW) &&
			!str_has_prefix(item->d_name, TREE_GONE))
			continue;
		if (tree_seize(store, item->d_name, &fd) == 0)
			(void)tree_delete(store, item->d_name, fd);
	}
}
