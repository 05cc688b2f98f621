#include "cache/reconcile.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 256

/* ---- files without a row ---- */

/* 1, 0 or -errno. */
static int has_row(const struct store *store, const struct digest *digest, struct err *err)
{
	struct catalog_file file;
	int r = catalog_file(store->catalog, digest, false, &file, err);

	if (r == -ENOENT) /* a lease knows of it, perhaps */
		return catalog_is_held(store->catalog, digest, err);
	return r < 0 ? r : 1;
}

/* Whether somebody has it open, or it cannot be told: he may be about to give it a row. */
static bool is_open(const struct store *store, const char *path)
{
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
	r = has_row(store, digest, err);
	store_path(digest, executable, path);
	if (r != 0 || is_open(store, path) ||
		fstatat(store->dir->objects_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		unlinkat(store->dir->objects_fd, path, 0) < 0)
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
	int fd = openat(
		store->dir->objects_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(fd_close_list) DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *item;
	int r = 0;

	if (!list) {
		fd_close(&fd);
		return 0;
	}
	while (r == 0 && (item = readdir(list))) {
		struct digest digest;
		bool executable;

		if (!store_parse_name(folder, item->d_name, &digest, &executable))
			continue;
		r = has_row(store, &digest, err);
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

/* ---- rows without a file ---- */

static bool has_file(const struct store *store, const struct digest *digest)
{
	for (int executable = 0; executable <= 1; executable++) {
		char path[STORE_PATH_SIZE];

		store_path(digest, executable, path);
		if (faccessat(store->dir->objects_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
			errno != ENOENT)
			return true;
	}
	return false;
}

static int look_at_rows(const struct store *store, struct reconciled *sum, struct err *err)
{
	struct digest page[PAGE];
	struct digest after = {{0}};
	size_t count;

	do {
		int r = catalog_objects(store->catalog, &after, PAGE, page, &count, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < count; i++) {
			const struct object missing = {.fd = -1, .digest = page[i]};

			after = page[i];
			if (has_file(store, &page[i]))
				continue;
			r = store_let_go(store, &missing, "missing", err);
			if (r < 0 && r != -EAGAIN)
				return r;
			sum->missing += r == 0;
		}
	} while (count == PAGE);
	return 0;
}

int reconcile(const struct store *store, struct reconciled *ret, struct err *err)
{
	struct reconciled sum = {.orphans = 0};
	int r = look_at_files(store, &sum, err);

	if (r == 0)
		r = look_at_rows(store, &sum, err);
	if (r < 0)
		return r;
	unlinkat(store->dir->fd, "index.damaged", 0);
	unlinkat(store->dir->fd, "index.damaged-wal", 0);
	*ret = sum;
	return 0;
}
