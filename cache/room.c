#include "cache/room.h"

#include "base/units.h"
#include "cache/ballast.h"
#include "cache/db.h"
#include "cache/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* What the index (its log aside), folders of objects, and maps without a reservation yet may grow
 * by until the next one looks. */
#define HEADROOM (UINT64_C(256) << 10)

/* What the log may be of the limit, and at most: whoever opens the index after a crash reads it. */
#define LOG_PER 128
#define LOG_MAX (UINT64_C(32) << 20)

static uint64_t blocks_of(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

uint64_t room_of_log(const struct store *store)
{
	uint64_t part = store->limit / LOG_PER;

	if (part < DB_LOG_BYTES)
		return DB_LOG_BYTES;
	return part < LOG_MAX ? part : LOG_MAX;
}

/* What a cache occupies beside objects and partials: the index, small files, its folders. */
static uint64_t overhead(const struct store *store)
{
	const struct cachedir *dir = store->dir;
	static const char *const files[] = {"index.db", "index.db-shm", "index.damaged",
		"index.damaged-wal", "shared", "secret", JOURNAL};
	uint64_t sum = blocks_of(dir->fd, ".") + blocks_of(dir->fd, "partial") +
		       blocks_of(dir->fd, "trees");
	uint64_t log = blocks_of(dir->fd, "index.db-wal");
	uint64_t ballast = blocks_of(dir->fd, BALLAST) + ballast_lacking(store);
	struct stat st;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		sum += blocks_of(dir->fd, files[i]);
	sum += ballast + (log > room_of_log(store) ? log : room_of_log(store));
	/* objects/ab: a block each, where a folder's links count its folders */
	if (fstat(dir->objects_fd, &st) == 0)
		sum += (uint64_t)st.st_blocks * 512 + (uint64_t)st.st_nlink * 4096;
	return sum;
}

uint64_t room_within(const struct store *store)
{
	uint64_t other = overhead(store) + HEADROOM;

	return store->limit > other ? store->limit - other : 0;
}

int room_blame(const struct store *store, struct err *err)
{
	char free_text[UNITS_SIZE_TEXT], held[UNITS_SIZE_TEXT], others[UNITS_SIZE_TEXT];
	struct usage usage = {0};
	struct statvfs fs;
	uint64_t ours;
	uint64_t all;

	if (!err || err->code != ENOSPC || fstatvfs(store->dir->fd, &fs) < 0)
		return err ? -err->code : -ENOSPC;
	(void)catalog_usage(store->catalog, &usage, NULL);
	ours = usage.objects + usage.reserved;
	all = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	if (fs.f_files > 0 && fs.f_favail == 0)
		return err_context(err, "disk full: all %llu inodes are in use, %llu by the cache",
			(unsigned long long)fs.f_files, (unsigned long long)usage.object_count);
	units_format_size((uint64_t)fs.f_bavail * fs.f_frsize, free_text);
	units_format_size(ours, held);
	units_format_size(all > ours ? all - ours : 0, others);
	return err_context(
		err, "disk full: %s free, the cache holds %s, others %s", free_text, held, others);
}

uint64_t room_keep_free(const struct store *store)
{
	/* what the ballast gave up is not for what is new */
	return store->min_free + ballast_lacking(store);
}

int room_missing_on_disk(const struct store *store, uint64_t more, uint64_t *ret, struct err *err)
{
	return catalog_missing_on_disk(store->catalog, room_keep_free(store) + more, ret, err);
}
