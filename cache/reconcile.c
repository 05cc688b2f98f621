#include "cache/reconcile.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 256

/* What cannot be looked at is taken to be there. */
static bool is_there(int dirfd, const char *path)
{
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* ---- files without a row ---- */

/*
 * Whether the file @path is accounted for. 1, 0 or -errno. An object's row may know of its twin
 * only: who made the other one died before he said so.
 */
static int is_known(const struct store *store, const struct digest *digest, bool executable,
	const char *path, struct err *err)
{
	struct catalog_file file;
	struct stat st;
	int r = catalog_file(store->catalog, digest, executable, &file, err);

	if (r == -ENOENT) /* a lease knows of it, perhaps */
		return catalog_is_held(store->catalog, digest, err);
	if (r < 0 || file.bytes > 0)
		return r < 0 ? r : 1;
	/* a small one may be in its inode */
	return fstatat(store->dir->objects_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	       st.st_blocks == 0;
}

/* Whether somebody has it open, or it cannot be told: he may be about to give it a row. To what is
 * no file nobody does. */
static bool is_open(const struct store *store, const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return false;
	CLEANUP(fd_closep)
	int fd = openat(
		store->dir->objects_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 || lock_is_marked(fd) != 0;
}

/* Under the digest's lock nobody else is between a file and its row. */
static int remove_orphan(const struct store *store, const struct digest *digest, bool executable,
	struct reconciled *sum, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	char path[STORE_PATH_SIZE];
	struct stat st;
	int r;

	if (cachedir_let_pass(store->dir) < 0 ||
		cachedir_lock_digest(store->dir, digest, LOCK_EXCLUSIVE, &lock) < 0)
		return 0;
	store_path(digest, executable, path);
	r = is_known(store, digest, executable, path, err);
	if (r != 0 || fstatat(store->dir->objects_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		is_open(store, path, &st) || store_remove(store, store->dir->objects_fd, path) < 0)
		return r < 0 ? r : 0;
	sum->orphans++;
	sum->bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

int reconcile_object(const struct store *store, const struct digest *digest, struct err *err)
{
	struct reconciled sum = {.orphans = 0};
	int r = 0;

	for (int executable = 0; executable <= 1 && r == 0; executable++)
		r = remove_orphan(store, digest, executable, &sum, err);
	return r;
}

static int look_at_folder(
	const struct store *store, const char *folder, struct reconciled *sum, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;
	int r = 0;

	if (fd_open_list(store->dir->objects_fd, folder, &list) < 0)
		return 0;
	while (r == 0 && (item = readdir(list))) {
		char path[STORE_PATH_SIZE];
		struct digest digest;
		bool executable;

		if (!store_parse_name(folder, item->d_name, &digest, &executable))
			continue;
		store_path(&digest, executable, path);
		r = is_known(store, &digest, executable, path, err);
		if (r == 0)
			r = remove_orphan(store, &digest, executable, sum, err);
		if (r > 0)
			r = 0;
	}
	return r;
}

static int look_at_files(const struct store *store, struct reconciled *sum, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; i < 256 && r == 0; i++) {
		char folder[3];

		snprintf(folder, sizeof(folder), "%02x", i & 0xff);
		r = look_at_folder(store, folder, sum, err);
	}
	return r;
}

/* ---- trees without a row of their object ---- */

/* 1, 0 or -errno. */
static int has_owner(const struct store *store, const struct digest *digest, struct err *err)
{
	struct catalog_file file;
	int r = catalog_file(store->catalog, digest, false, &file, err);

	return r == -ENOENT ? catalog_is_held(store->catalog, digest, err) : r < 0 ? r : 1;
}

/* What has a @name of @digest in trees/. Under the digest's lock nobody gives it one. */
static int remove_tree(const struct store *store, const char *name, const struct digest *digest,
	struct reconciled *sum, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	uint64_t bytes;
	int r;

	if (cachedir_let_pass(store->dir) < 0 ||
		cachedir_lock_digest(store->dir, digest, LOCK_EXCLUSIVE, &lock) < 0)
		return 0;
	r = has_owner(store, digest, err);
	if (r != 0)
		return r < 0 ? r : 0;
	bytes = tree_measure(store->dir->trees_fd, name);
	r = str_has_prefix(name, TREE_BAD) ? tree_remove_bad(store, digest, NULL)
					   : tree_remove(store, digest, NULL);
	if (r < 0 || is_there(store->dir->trees_fd, name))
		return 0;
	sum->orphans++;
	sum->bytes += bytes;
	return 0;
}

static int look_at_trees(const struct store *store, struct reconciled *sum, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;
	int r = 0;

	if (fd_open_list(store->dir->trees_fd, ".", &list) < 0)
		return 0;
	while (r == 0 && (item = readdir(list))) {
		struct digest digest;

		if (!tree_parse_name(item->d_name, &digest))
			continue;
		r = has_owner(store, &digest, err);
		if (r == 0)
			r = remove_tree(store, item->d_name, &digest, sum, err);
		if (r > 0)
			r = 0;
	}
	return r;
}

/* ---- rows without a file ---- */

static bool has_file(const struct store *store, const struct digest *digest, bool executable)
{
	char path[STORE_PATH_SIZE];

	store_path(digest, executable, path);
	return is_there(store->dir->objects_fd, path);
}

static int remove_row(const struct store *store, const struct digest *digest,
	struct reconciled *sum, struct err *err)
{
	const struct object missing = {.fd = -1, .digest = *digest};
	int r;

	if (has_file(store, digest, false) || has_file(store, digest, true))
		return 0;
	r = store_let_go(store, &missing, "missing", err);
	sum->missing += r == 0;
	return r < 0 && r != -EAGAIN ? r : 0;
}

/* One file of an object of which the other one is there. Under the digest's lock. */
static int correct_file(const struct store *store, const struct digest *digest, bool executable,
	struct reconciled *sum, struct err *err)
{
	struct catalog_file file;
	int r;

	if (has_file(store, digest, executable) || !has_file(store, digest, !executable))
		return 0;
	r = catalog_file(store->catalog, digest, executable, &file, err);
	if (r < 0 || file.bytes == 0)
		return r == -ENOENT ? 0 : r;
	sum->missing++;
	return catalog_file_gone(store->catalog, digest, executable, err);
}

/* Under the digest's lock. */
static int correct_tree(const struct store *store, const struct digest *digest, struct err *err)
{
	char name[DIGEST_HEX_SIZE];
	struct catalog_tree tree;
	int r;

	digest_hex(digest, name);
	if (is_there(store->dir->trees_fd, name))
		return 0;
	r = catalog_tree_find(store->catalog, digest, &tree, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return tree_forget(store, digest, err);
}

/* What a row counts besides its file, and is not there. */
static int correct_row(const struct store *store, const struct digest *digest,
	struct reconciled *sum, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	int r = 0;

	if (cachedir_let_pass(store->dir) < 0 ||
		cachedir_lock_digest(store->dir, digest, LOCK_EXCLUSIVE, &lock) < 0)
		return 0;
	for (int executable = 0; executable <= 1 && r == 0; executable++)
		r = correct_file(store, digest, executable, sum, err);
	return r < 0 ? r : correct_tree(store, digest, err);
}

typedef int list_rows(struct catalog *catalog, const struct digest *after, size_t max,
	struct digest *ret, size_t *ret_count, struct err *err);
typedef int visit_row(const struct store *store, const struct digest *digest,
	struct reconciled *sum, struct err *err);

static int look_at_rows(const struct store *store, list_rows *list, visit_row *visit,
	struct reconciled *sum, struct err *err)
{
	struct digest page[PAGE];
	struct digest after = {{0}};
	size_t count;

	do {
		int r = list(store->catalog, &after, PAGE, page, &count, err);

		for (size_t i = 0; r == 0 && i < count; i++) {
			after = page[i];
			r = visit(store, &page[i], sum, err);
		}
		if (r < 0)
			return r;
	} while (count == PAGE);
	return 0;
}

int reconcile(const struct store *store, struct reconciled *ret, struct err *err)
{
	struct reconciled sum = {.orphans = 0};
	/* first of all: rows that are damaged know nothing of their files */
	int r = look_at_rows(store, catalog_objects, remove_row, &sum, err);

	if (r == 0)
		r = look_at_rows(store, catalog_composed, correct_row, &sum, err);
	if (r == 0)
		r = look_at_files(store, &sum, err);
	if (r == 0)
		r = look_at_trees(store, &sum, err);
	if (r == 0)
		r = catalog_recount(store->catalog, err);
	if (r < 0)
		return r;
	sum.recounted = r > 0;
	unlinkat(store->dir->fd, "index.damaged", 0);
	unlinkat(store->dir->fd, "index.damaged-wal", 0);
	*ret = sum;
	return 0;
}
