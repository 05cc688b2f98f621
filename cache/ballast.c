#include "cache/ballast.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "cache/room.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SIZE_MAX_BYTES (UINT64_C(1) << 20)
#define SIZE_PER       64 /* of the limit, if that is less */
#define BLOCK          4096
#define STEP           (UINT64_C(128) << 10)

uint64_t ballast_size(const struct store *store)
{
	uint64_t size = store->limit / SIZE_PER;

	return size < SIZE_MAX_BYTES ? size / BLOCK * BLOCK : SIZE_MAX_BYTES;
}

static uint64_t blocks_of(const struct cachedir *dir)
{
	struct stat st;

	if (fstatat(dir->fd, BALLAST, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

uint64_t ballast_lacking(const struct store *store)
{
	uint64_t size = ballast_size(store);
	uint64_t is = blocks_of(store->dir);

	return is < size ? size - is : 0;
}

/* Its room in the limit is there unless the cache is of a time before there was ballast. */
static bool has_room(const struct store *store)
{
	struct usage usage;
	uint64_t missing;

	return room_missing_on_disk(store, 0, &missing, NULL) == 0 && missing == 0 &&
	       catalog_usage(store->catalog, &usage, NULL) == 0 &&
	       usage.objects + usage.reserved <= room_within(store);
}

void ballast_take(const struct store *store)
{
	CLEANUP(fd_closep) int fd = -1;
	uint64_t is = blocks_of(store->dir);

	if (ballast_lacking(store) == 0 || !has_room(store))
		return;
	fd = openat(store->dir->fd, BALLAST, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fallocate(fd, 0, 0, (off_t)ballast_size(store)) == 0)
		return;
	/* somebody was faster */
	if (is == 0 || ftruncate(fd, (off_t)is) < 0)
		unlinkat(store->dir->fd, BALLAST, 0);
}

/* Its inode, too, may be what is missing. */
static bool lacks_inodes(const struct cachedir *dir)
{
	struct statvfs fs;

	return fstatvfs(dir->fd, &fs) == 0 && fs.f_files > 0 && fs.f_favail == 0;
}

static int shorten(const struct cachedir *dir, uint64_t size)
{
	CLEANUP(fd_closep) int fd = openat(dir->fd, BALLAST, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -1 : ftruncate(fd, (off_t)size);
}

bool ballast_give_up(const struct cachedir *dir)
{
	uint64_t is = blocks_of(dir);

	/* (nothing is freed of a unit of allocation that is larger than a step) */
	if (is > STEP && !lacks_inodes(dir) && shorten(dir, is - STEP) == 0 && blocks_of(dir) < is)
		return true;
	return unlinkat(dir->fd, BALLAST, 0) == 0 && is > 0;
}
