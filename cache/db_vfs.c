/*
 * SQLite shares memory between processes by mapping a file, to which it gives blocks by writing a
 * byte of each page. Where the blocks of the file system are smaller than that, holes are left, and
 * whoever touches one on a full disk gets SIGBUS. So all pages are made to have blocks, or the
 * mapping fails, before anybody uses it.
 */
#include "cache/db_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#define NAME "fetchfs"

static sqlite3_vfs *below;
static sqlite3_vfs vfs;
static bool registered;

/* What an open database has behind the room for the file of the VFS below. */
struct extra {
	const sqlite3_io_methods *below;
	sqlite3_io_methods methods;
};

static int extra_offset(void)
{
	const int align = (int)_Alignof(struct extra);

	return (below->szOsFile + align - 1) / align * align;
}

static struct extra *extra_of(sqlite3_file *file)
{
	return (struct extra *)((char *)file + extra_offset());
}

static int map_shared(
	sqlite3_file *file, int region, int bytes, int extend, void volatile **ret_memory)
{
	int code = extra_of(file)->below->xShmMap(file, region, bytes, extend, ret_memory);

	if (code != SQLITE_OK || !extend || !*ret_memory)
		return code;
	/* (kernels before 5.14 do not know it) */
	if (madvise((void *)(uintptr_t)*ret_memory, (size_t)bytes, MADV_POPULATE_WRITE) == 0 ||
		errno != EFAULT)
		return SQLITE_OK;
	*ret_memory = NULL; /* it is asked for again */
	return SQLITE_FULL;
}

static int open_file(
	sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	int code = below->xOpen(below, name, file, flags, ret_flags);
	struct extra *extra = extra_of(file);

	(void)self;
	if (code != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB) || file->pMethods->iVersion < 2)
		return code;
	extra->below = file->pMethods;
	extra->methods = *file->pMethods;
	extra->methods.xShmMap = map_shared;
	file->pMethods = &extra->methods;
	return SQLITE_OK;
}

static void set_up(void)
{
	below = sqlite3_vfs_find(NULL);
	if (!below)
		return;
	vfs = *below;
	vfs.zName = NAME;
	vfs.szOsFile = extra_offset() + (int)sizeof(struct extra);
	vfs.xOpen = open_file;
	registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}

const char *db_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_up);
	return registered ? NAME : NULL;
}
