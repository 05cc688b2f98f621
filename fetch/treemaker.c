#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/treemaker_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define BLOCK_MIN UINT64_C(4096)
#define BLOCK_MAX UINT64_C(65536)

/* A link whose target is longer occupies a block of its own. */
#define LINK_INSIDE 59

int treemaker_init(struct treemaker *maker, struct err *err)
{
	struct statfs fs;

	maker->parent = maker->file = -1;
	if (fstatfs(maker->top, &fs) < 0)
		return err_set(err, ERR_SYSTEM, errno, "look at the file system of trees: %m");
	maker->block = (uint64_t)fs.f_bsize;
	if (maker->block < BLOCK_MIN)
		maker->block = BLOCK_MIN;
	if (maker->block > BLOCK_MAX)
		maker->block = BLOCK_MAX;
	return 0;
}

void treemaker_release(struct treemaker *maker)
{
	fd_close(&maker->parent);
	fd_close(&maker->file);
	while (maker->folders) {
		struct treemaker_folder *next = maker->folders->next;

		free(maker->folders);
		maker->folders = next;
	}
}

/* ---- names ---- */

static const char *last_name(const struct treemaker *maker)
{
	return maker->name.path + maker->name.last;
}

/* Begin an entry: its name, its place, and that it counts. */
static int begin(struct treemaker *maker, const char *text, struct err *err)
{
	int r = entryname_parse(text, maker->limits, &maker->name, err);

	if (r == 0 && maker->name.len == 0)
		r = treemaker_refuse(text, "it stands for the whole, and is no folder", err);
	if (r == 0)
		r = treemaker_open_parent(maker, err);
	return r < 0 ? r : treemaker_count_entry(maker, last_name(maker), err);
}

/* What an earlier entry made of that name goes. 0 also if there was nothing. */
static int make_way(struct treemaker *maker, struct err *err)
{
	if (unlinkat(maker->parent, last_name(maker), 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR || errno == EPERM)
		return treemaker_refuse(
			maker->name.path, "there is a folder of that name already", err);
	return treemaker_failed(maker->name.path, "replace an earlier one", errno, err);
}

/* ---- entries ---- */

int treemaker_folder(struct treemaker *maker, const struct treemaker_entry *entry, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	int r = entryname_parse(entry->name, maker->limits, &maker->name, err);

	if (r < 0)
		return r;
	if (maker->name.len > 0) {
		r = treemaker_open_parent(maker, err);
		if (r < 0)
			return r;
		fd = treemaker_open_at(maker->parent, last_name(maker), O_PATH | O_DIRECTORY);
		if (fd == -ENOENT)
			r = treemaker_make_folder(
				maker, maker->parent, last_name(maker), maker->name.path, err);
		else if (fd == -ELOOP || fd == -ENOTDIR)
			r = treemaker_refuse(maker->name.path,
				"there is something else of that name already", err);
		else if (fd < 0)
			r = treemaker_failed(maker->name.path, "open it", -fd, err);
		else
			r = treemaker_count_entry(maker, "", err);
	}
	return r < 0 ? r : treemaker_note_folder(maker, maker->name.path, &entry->time, err);
}

int treemaker_symlink(struct treemaker *maker, const struct treemaker_entry *entry,
	const char *target, struct err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, entry->time};
	int r = begin(maker, entry->name, err);

	if (r == 0)
		r = entryname_check_link(&maker->name, target, maker->limits, err);
	if (r == 0 && strlen(target) > LINK_INSIDE)
		r = treemaker_take_room(maker, maker->block, err);
	if (r == 0)
		r = make_way(maker, err);
	if (r < 0)
		return r;
	if (symlinkat(target, maker->parent, last_name(maker)) < 0)
		return treemaker_failed(maker->name.path, "make it", errno, err);
	if (utimensat(maker->parent, last_name(maker), times, AT_SYMLINK_NOFOLLOW) < 0)
		return treemaker_failed(maker->name.path, "set its time", errno, err);
	return 0;
}

int treemaker_hardlink(struct treemaker *maker, const struct treemaker_entry *entry,
	const char *target, struct err *err)
{
	CLEANUP(fd_closep) int folder = -1;
	struct entryname from;
	struct stat st;
	int r = begin(maker, entry->name, err);

	if (r < 0)
		return r;
	r = entryname_parse(target, maker->limits, &from, err);
	if (r == -EBADMSG)
		return treemaker_refuse(maker->name.path, "it is a link that leads outside", err);
	if (r < 0)
		return r;
	if (str_equal(from.path, maker->name.path))
		return treemaker_refuse(maker->name.path, "it is a link to itself", err);
	if (from.last > 0)
		from.path[from.last - 1] = '\0';
	folder = treemaker_open_at(
		maker->top, from.last > 0 ? from.path : ".", O_PATH | O_DIRECTORY);
	if (folder < 0 || fstatat(folder, from.path + from.last, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISREG(st.st_mode))
		return treemaker_refuse(maker->name.path,
			"it is a link to what is no file before it in the archive", err);
	r = make_way(maker, err);
	if (r < 0)
		return r;
	if (linkat(folder, from.path + from.last, maker->parent, last_name(maker), 0) < 0)
		return treemaker_failed(maker->name.path, "link it", errno, err);
	return 0;
}

/* ---- files ---- */

int treemaker_file(struct treemaker *maker, const struct treemaker_entry *entry, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	mode_t mode = entry->executable ? 0555 : 0444;
	int r = begin(maker, entry->name, err);

	maker->file_end = maker->file_size = maker->last_block = 0;
	if (r == 0 && entry->size > 0) {
		maker->file_size = (uint64_t)entry->size;
		r = treemaker_count_logical(maker, maker->file_size, err);
	}
	if (r < 0)
		return r;
	maker->file = openat(maker->parent, last_name(maker), flags, mode);
	if (maker->file < 0 && errno == EEXIST) {
		r = make_way(maker, err);
		if (r < 0)
			return r;
		maker->file = openat(maker->parent, last_name(maker), flags, mode);
	}
	if (maker->file < 0)
		return treemaker_failed(maker->name.path, "make it", errno, err);
	maker->file_time = entry->time;
	return 0;
}

/* Room for the blocks of [@offset, @offset + @len) that have none: a block in which the last write
 * ended has. */
static int take_blocks(struct treemaker *maker, uint64_t offset, uint64_t len, struct err *err)
{
	uint64_t first = offset / maker->block + 1;
	uint64_t last = (offset + len - 1) / maker->block + 1;
	uint64_t count = last - first + 1 - (first == maker->last_block);
	int r = treemaker_take_room(maker, count * maker->block, err);

	maker->last_block = last;
	return r;
}

int treemaker_write(
	struct treemaker *maker, const void *buf, size_t len, uint64_t offset, struct err *err)
{
	uint64_t end = offset + len;
	int r = 0;

	if (len == 0)
		return 0;
	if (end < offset || end > INT64_MAX)
		return treemaker_refuse(maker->name.path, "its bytes are beyond all bounds", err);
	if (end > maker->file_size) {
		r = treemaker_count_logical(maker, end - maker->file_size, err);
		maker->file_size = end;
	}
	if (r == 0)
		r = treemaker_count_written(maker, len, err);
	if (r == 0)
		r = take_blocks(maker, offset, len, err);
	if (r < 0)
		return r;
	r = fd_pwrite_all(maker->file, buf, len, offset);
	if (r < 0)
		return treemaker_failed(maker->name.path, "write it", -r, err);
	if (end > maker->file_end)
		maker->file_end = end;
	return 0;
}

int treemaker_file_end(struct treemaker *maker, struct err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, maker->file_time};

	if (maker->file_end < maker->file_size &&
		ftruncate(maker->file, (off_t)maker->file_size) < 0)
		return treemaker_failed(maker->name.path, "write its end", errno, err);
	if (maker->file_time.tv_nsec != UTIME_OMIT && futimens(maker->file, times) < 0)
		return treemaker_failed(maker->name.path, "set its time", errno, err);
	fd_close(&maker->file);
	return 0;
}

/* ---- the end ---- */

/* The last record of a folder is the first of the list, and counts. */
int treemaker_finish(struct treemaker *maker, struct err *err)
{
	struct treemaker_folder *list = NULL;

	fd_close(&maker->parent);
	while (maker->folders) { /* in their order, then: later records win */
		struct treemaker_folder *folder = maker->folders;

		maker->folders = folder->next;
		folder->next = list;
		list = folder;
	}
	maker->folders = list;
	for (const struct treemaker_folder *folder = list; folder; folder = folder->next) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, folder->time};
		bool top = folder->path[0] == '\0';
		CLEANUP(fd_closep)
		int fd = treemaker_open_at(
			maker->top, top ? "." : folder->path, O_RDONLY | O_DIRECTORY);

		if (fd < 0)
			return treemaker_failed(folder->path, "open it", -fd, err);
		/* the whole stays open to who made it until it is published */
		if (!top && fchmod(fd, 0555) < 0)
			return treemaker_failed(folder->path, "change its mode", errno, err);
		if (folder->time.tv_nsec != UTIME_OMIT && futimens(fd, times) < 0)
			return treemaker_failed(folder->path, "set its time", errno, err);
	}
	return 0;
}
