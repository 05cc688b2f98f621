#include "cache/store.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/evict.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_BYTES 4096

void store_path(const struct digest *digest, bool executable, char ret[STORE_PATH_SIZE])
{
	digest_hex(digest, ret + 3);
	memcpy(ret, ret + 3, 2);
	ret[2] = '/';
	if (executable)
		strcpy(ret + 3 + DIGEST_HEX_SIZE - 1, ".x");
}

bool store_parse_name(
	const char *folder, const char *name, struct digest *ret, bool *ret_executable)
{
	char hex[DIGEST_HEX_SIZE];
	size_t len = strlen(name);

	*ret_executable = len == DIGEST_HEX_SIZE + 1 && str_equal(name + len - 2, ".x");
	if (*ret_executable)
		len -= 2;
	if (len != DIGEST_HEX_SIZE - 1 || strncmp(name, folder, 2) != 0)
		return false;
	memcpy(hex, name, len);
	hex[len] = '\0';
	return str_from_hex(hex, sizeof(ret->bytes), ret->bytes);
}

int store_make_folder(const struct store *store, const char *path, struct err *err)
{
	const char folder[] = {path[0], path[1], '\0'};

	if (mkdirat(store->dir->objects_fd, folder, 0700) < 0 && errno != EEXIST)
		return err_set(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM, errno,
			"make objects/%s: %m", folder);
	return 0;
}

int store_prepare_folder(
	const struct store *store, const struct digest *digest, bool executable, struct err *err)
{
	char path[STORE_PATH_SIZE];
	char folder[3] = "";
	int r;

	store_path(digest, executable, path);
	memcpy(folder, path, 2);
	if (faccessat(store->dir->objects_fd, folder, F_OK, 0) == 0)
		return 0;
	r = store_make_folder(store, path, err);
	for (int i = 0; r == -ENOSPC && i < EVICT_TRIES; i++) {
		if (evict_some(store, FOLDER_BYTES, err) < 0)
			break;
		r = store_make_folder(store, path, err);
	}
	return r;
}

int store_remove(const struct store *store, int dirfd, const char *path)
{
	char gone[TREE_TMP_SIZE];

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (tree_tmp_name(TREE_GONE, gone) < 0 ||
		renameat(dirfd, path, store->dir->trees_fd, gone) < 0)
		return -errno;
	return 0;
}

/* Somebody has put something else where the object @path should be: that goes, and is a miss. */
static int clear_name(const struct store *store, const char *path, struct err *err)
{
	int r = store_remove(store, store->dir->objects_fd, path);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "remove what is no object, %s: %m", path);
	return err_set(err, ERR_INTEGRITY, ENOENT, "object %s was no file", path);
}

/*
 * Opening and marking happen under the digest's lock, shared. An evictor holds it exclusively
 * from its look for marks until the file is unlinked. So either we come first, and it sees our
 * mark and leaves the object alone; or it comes first, and we find no file. Marking first and
 * looking at st_nlink afterwards would not do: the evictor may have looked before our mark and
 * unlink after our look, and an open object's space would count as free.
 */
int store_open(const struct store *store, const struct digest *digest, bool executable,
	struct object *ret, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(fd_closep) int fd = -1;
	char path[STORE_PATH_SIZE];
	struct stat st;
	int r = cachedir_lock_digest(store->dir, digest, LOCK_SHARED, &lock);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock an object: %m");
	store_path(digest, executable, path);
	/* (nonblocking: it may be a pipe) */
	fd = openat(store->dir->objects_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno != ELOOP && errno != ENXIO)
		return err_set(err, ERR_SYSTEM, errno, "open object %s: %m", path);
	if (fd < 0 || (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)))
		return clear_name(store, path, err);
	r = lock_mark_open(fd);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "mark object %s: %m", path);
	if (fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat object %s: %m", path);

	*ret = (struct object){
		.fd = fd_steal(&fd),
		.digest = *digest,
		.executable = executable,
		.size = (uint64_t)st.st_size,
		.changed_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec,
		.linked = st.st_nlink > 1,
		.odd = st.st_uid != geteuid() || (st.st_mode & 07777) != (executable ? 0555 : 0444),
	};
	return 0;
}

void object_release(struct object *object)
{
	if (object)
		fd_close(&object->fd);
}

struct object object_steal(struct object *object)
{
	struct object given = *object;

	object->fd = -1;
	return given;
}
