/*
 * Objects that are let go while somebody reads them: the damaged ones, that is. Their blocks are in
 * use until he closes. So they keep a name, that of a partial without a map, of a key that no entry
 * has; and its reservation. Who needs room, or sweeps, takes away both when nobody has it open any
 * more.
 */
#include "base/lock.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first half is CATALOG_UNLINKED; hashes do not begin so. */
static bool make_name(char name[PARTIAL_NAME_SIZE])
{
	struct entry_key key;
	size_t half = sizeof(key.bytes) / 2;

	memset(key.bytes, 0xff, half);
	if (getrandom(key.bytes + half, sizeof(key.bytes) - half, 0) !=
		(ssize_t)(sizeof(key.bytes) - half))
		return false;
	partial_name(&key, 1, name);
	return true;
}

/* Its bytes count twice for a moment, never not at all. */
static int keep(const struct store *store, const char *path, uint64_t bytes)
{
	struct room_wish wish = {.bytes = bytes, .limit = UINT64_MAX};
	struct room_lacking lacking;
	char name[PARTIAL_NAME_SIZE];
	char file[PARTIAL_FILE_SIZE];
	int r;

	if (!make_name(name))
		return -EIO;
	wish.partial = name;
	r = catalog_reserve(store->catalog, &wish, &lacking, NULL);
	if (r < 0)
		return r;
	partial_data_file(name, file);
	if (renameat(store->dir->objects_fd, path, store->dir->partial_fd, file) == 0)
		return 0;
	r = -errno;
	(void)catalog_unreserve(store->catalog, name, NULL);
	return r;
}

int store_unlink_open(const struct store *store, const char *path, int fd)
{
	struct stat st;

	/* on a disk that is too full to write it down it is not counted */
	if (fd >= 0 && lock_is_marked(fd) > 0 && fstat(fd, &st) == 0 &&
		keep(store, path, (uint64_t)st.st_blocks * 512) == 0)
		return 0;
	return unlinkat(store->dir->objects_fd, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}
