/*
 * The journal made short: a line for each thing that is there now, instead of one for each change.
 * The new one is written beside it without holding anybody up; what was written to the old one
 * meanwhile is put behind it, and then it takes the name. Whatever comes twice says the same.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/evict.h"
#include "cache/journal.h"
#include "cache/journal_private.h"
#include "cache/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A journal is long when it has twice as many bytes as it had when it was made short, and so many
 * more. A line takes so many on disk, with a usual URI. */
#define LONG   (UINT64_C(1) << 20)
#define LINE   512
#define SPARE  65536
#define BUFFER 65536

/* Making it short takes ten seconds for a million things. Who is about to make room does that only
 * if it gives back such a part of the limit: else objects are sooner gone. */
#define WORTH_PER 64

struct compaction {
	const struct store *store;
	struct journal *lines;
	int fd; /* of the draft */
	struct err *err;
};

static uint64_t size_of(const struct store *store)
{
	struct stat st;

	return fstatat(store->dir->fd, JOURNAL, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? (uint64_t)st.st_size
		       : 0;
}

static int count_lease(const struct lease *lease, void *arg)
{
	(void)lease;
	(*(uint64_t *)arg)++;
	return 0;
}

/* *ret_bytes: what it may take on disk when it is short. @worth: only if that is so much less than
 * it takes now. */
static int is_due(const struct store *store, uint64_t worth, uint64_t *ret_bytes, struct err *err)
{
	uint64_t size = size_of(store);
	uint64_t things = 0;
	uint64_t whole;
	struct usage usage;
	int r = 0;

	/* one that does not begin with all there was is of an older cache, or was removed */
	if (journal_whole(store->dir, &whole) && size >= whole && size <= 2 * whole + LONG)
		return 0;
	/* evictors ask again and again */
	if (worth > 0 && size < worth + SPARE)
		return 0;
	r = catalog_leases(store->catalog, 0, 0, count_lease, &things, err);
	if (r == 0)
		r = catalog_usage(store->catalog, &usage, err);
	if (r < 0)
		return r;
	things += usage.entries;
	*ret_bytes = SPARE + things * LINE;
	return worth > 0 ? size >= worth + *ret_bytes : size > 0 || things > 0;
}

/* What has been collected, into the draft. */
static int put(struct compaction *c)
{
	return journal_write_to(c->lines, c->fd, c->err);
}

static int put_many(struct compaction *c)
{
	return journal_collected(c->lines) < BUFFER ? 0 : put(c);
}

static int add_entry(const struct entry *entry, void *arg)
{
	struct compaction *c = arg;
	struct catalog_file file = {.hash = 0};
	struct entry line = *entry;

	if (entry->state != ENTRY_COMPLETE && !entry->pinned)
		return 0;
	if (entry->state == ENTRY_COMPLETE)
		(void)catalog_file(
			c->store->catalog, &entry->digest, entry->executable, &file, NULL);
	line.uid = file.uid;
	journal_entry(c->lines, &line, file.hash);
	return put_many(c);
}

static int add_lease(const struct lease *lease, void *arg)
{
	struct compaction *c = arg;

	journal_lease(c->lines, lease, lease->of_this_boot ? c->store->dir->boot_id : "");
	return put_many(c);
}

static int write_lines(struct compaction *c)
{
	struct catalog *catalog = c->store->catalog;
	int r = journal_begin_whole(c->fd, c->err);

	if (r == 0)
		r = catalog_list(catalog, "", NULL, add_entry, c, c->err);
	if (r == 0)
		r = catalog_leases(catalog, 0, 0, add_lease, c, c->err);
	if (r == 0)
		r = put(c);
	if (r == 0)
		r = journal_end_whole(c->fd, c->err);
	if (r == 0 && fdatasync(c->fd) < 0)
		r = err_set(c->err, ERR_SYSTEM, errno, "write " JOURNAL_DRAFT ": %m");
	return r;
}

/* What has been written to the old one since it had @from bytes. */
static int copy_rest(const struct store *store, int to, uint64_t from, struct err *err)
{
	CLEANUP(fd_closep)
	int fd = openat(store->dir->fd, JOURNAL, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(str_freep) char *buffer = malloc(BUFFER);
	ssize_t n = 0;
	int r = 0;

	if (!buffer)
		return err_oom(err);
	if (fd < 0)
		return errno == ENOENT ? 0
				       : err_set(err, ERR_SYSTEM, errno, "read the journal: %m");
	while (r == 0 && (n = pread(fd, buffer, BUFFER, (off_t)from)) > 0) {
		r = fd_write_all(to, buffer, (size_t)n);
		from += (uint64_t)n;
	}
	if (r == 0 && n < 0)
		r = -errno;
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write " JOURNAL_DRAFT ": %m") : 0;
}

static int take_place(const struct store *store, int fd, uint64_t from, struct err *err)
{
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	int r = cachedir_lock_writer(store->dir, &writer);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the index: %m");
	r = copy_rest(store, fd, from, err);
	if (r == 0 && fault_hit("journal.rename"))
		r = err_set(err, ERR_SYSTEM, errno, "rename " JOURNAL_DRAFT ": %m");
	if (r == 0 && renameat(store->dir->fd, JOURNAL_DRAFT, store->dir->fd, JOURNAL) < 0)
		r = err_set(err, ERR_SYSTEM, errno, "rename " JOURNAL_DRAFT ": %m");
	return r;
}

/* Where the lines begin that come from now on. */
static int note_end(const struct store *store, uint64_t *ret, struct err *err)
{
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	int r = cachedir_lock_writer(store->dir, &writer);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the index: %m");
	*ret = size_of(store);
	return 0;
}

static int compact(const struct store *store, int fd, struct err *err)
{
	struct compaction c = {.store = store, .fd = fd, .err = err};
	uint64_t from;
	int r = journal_new(store->dir, &c.lines, err);

	if (r == 0)
		r = note_end(store, &from, err);
	if (r == 0)
		r = write_lines(&c);
	if (r == 0)
		r = take_place(store, fd, from, err);
	journal_free(c.lines);
	return r;
}

/* A draft of our own: -EAGAIN when another process is at it. */
static int open_draft(const struct store *store, int *ret, struct err *err)
{
	CLEANUP(fd_closep)
	int fd = openat(
		store->dir->fd, JOURNAL_DRAFT, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat named, opened;

	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "make " JOURNAL_DRAFT ": %m");
	/* whose name was taken meanwhile is the journal by now */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &opened) < 0 ||
		fstatat(store->dir->fd, JOURNAL_DRAFT, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
		named.st_ino != opened.st_ino)
		return err_set(err, ERR_SYSTEM, EAGAIN, "another process is at it");
	if (ftruncate(fd, 0) < 0)
		return err_set(err, ERR_SYSTEM, errno, "make " JOURNAL_DRAFT ": %m");
	*ret = fd_steal(&fd);
	return 0;
}

/* What who died at it left: the draft, and the room for it. */
static int clear_draft(const struct store *store, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	uint64_t bytes;
	int r = catalog_reservation(store->catalog, JOURNAL_DRAFT, &bytes, err);

	if (r < 0 || bytes == 0 || open_draft(store, &fd, NULL) < 0)
		return r;
	unlinkat(store->dir->fd, JOURNAL_DRAFT, 0);
	return catalog_unreserve(store->catalog, JOURNAL_DRAFT, err);
}

/* Room for the draft. Who is about to make room himself makes none for this. */
static int reserve(const struct store *store, uint64_t bytes, bool may_evict, struct err *err)
{
	const struct room_wish wish = {.partial = JOURNAL_DRAFT,
		.bytes = bytes,
		.limit = room_within(store),
		.keep_free = room_keep_free(store)};
	struct room_lacking lacking;

	return may_evict ? evict_reserve(store, JOURNAL_DRAFT, 0, bytes, err)
			 : catalog_reserve(store->catalog, &wish, &lacking, err);
}

int journal_compact(const struct store *store, bool may_evict, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	uint64_t bytes;
	int r = is_due(store, may_evict ? 0 : store->limit / WORTH_PER, &bytes, err);

	if (r == 0)
		return clear_draft(store, err);
	if (r > 0)
		r = open_draft(store, &fd, err);
	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		return r;
	r = reserve(store, bytes, may_evict, err);
	if (r == 0)
		r = compact(store, fd, err);
	if (r < 0)
		unlinkat(store->dir->fd, JOURNAL_DRAFT, 0);
	(void)catalog_unreserve(store->catalog, JOURNAL_DRAFT, NULL);
	return r;
}
