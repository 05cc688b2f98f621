/*
 * Which file the index is. It may be made anew, by any process, from the journal: then others find
 * that the one they have open has lost its name, and open the new one. They look before each
 * transaction, and whenever the change counter has moved, as it does when an index has been made.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/ballast.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* An index that is damaged again as soon as it was made is not made again all the time: that takes
 * a process at most one part of so many of its time. */
#define REBUILD_SHARE 10

/* Nor by who opens it. */
#define REBUILDS 3

static int make_schema(struct db *db, struct err *err)
{
	int r = db_begin(db, err);

	if (r == 0)
		r = catalog_schema_make(db, err);
	if (r == 0)
		r = db_commit(db, err);
	if (r < 0)
		db_rollback(db);
	return r;
}

static int open_file(
	const struct cachedir *dir, struct db **ret, int64_t *ret_version, struct err *err)
{
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", dir->path);
	CLEANUP(db_closep) struct db *db = NULL;
	int r = !path            ? err_oom(err)
		: dir->read_only ? db_open_readable(path, &db, err)
				 : db_open(path, &db, err);

	if (r == 0)
		r = catalog_schema_version(db, ret_version, err);
	if (r == 0 && *ret_version > CATALOG_SCHEMA)
		return err_set(err, ERR_USAGE, ENOTSUP,
			"%s was made by a newer fetchfs (schema %lld, this one knows %d)", path,
			(long long)*ret_version, CATALOG_SCHEMA);
	if (r < 0)
		return r;
	*ret = db;
	db = NULL;
	return 0;
}

static bool has_objects(const struct cachedir *dir)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;

	if (fd_open_list(dir->objects_fd, ".", &list) < 0)
		return false;
	while ((item = readdir(list)))
		if (item->d_name[0] != '.')
			return true;
	return false;
}

/*
 * No index beside what it should know. SQLite is not asked: it would make one, and go by the log
 * and the shared memory of the one that was there, which others may have open.
 */
static bool is_lost(const struct cachedir *dir)
{
	struct stat st;

	if (fstatat(dir->fd, "index.db", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
		return false;
	return journal_is_there(dir) || has_objects(dir);
}

static int open_right(const struct cachedir *dir, bool rebuild, struct db **ret, struct err *err)
{
	CLEANUP(db_closep) struct db *db = NULL;
	int64_t version = 0;
	int r = is_lost(dir) ? -EBADMSG : open_file(dir, &db, &version, err);

	if (dir->read_only && (r == -EBADMSG || (r == 0 && version < CATALOG_SCHEMA)))
		return err_set(err, ERR_SYSTEM, EROFS,
			"%s/index.db has to be made anew, or brought up to date: %m", dir->path);

	/* one of a newer version is not ours to replace */
	if (r == 0 && rebuild) {
		db_closep(&db);
		r = -EBADMSG;
	}
	for (int i = 0; i < REBUILDS && r == -EBADMSG; i++) {
		r = catalog_rebuild(dir, err);
		if (r == 0)
			r = open_file(dir, &db, &version, err);
		/* for those who have another one open */
		cachedir_changed(dir);
	}
	if (r == 0 && version < CATALOG_SCHEMA)
		r = make_schema(db, err);
	if (r < 0)
		return err_context(err, "open %s/index.db", dir->path);
	*ret = db;
	db = NULL;
	return 0;
}

/* Whether the file that is open still has its name. */
static bool is_current(const struct catalog *catalog)
{
	struct stat st;

	return fstatat(catalog->dir->fd, "index.db", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == catalog->device && st.st_ino == catalog->inode;
}

/* *ret is open, and was called index.db a moment later: *ret_stat. */
static int open_named(const struct cachedir *dir, bool rebuild, struct db **ret,
	struct stat *ret_stat, struct err *err)
{
	/* one that is taken away meanwhile is lost like any other */
	for (int i = 0; i < REBUILDS; i++) {
		struct db *db;
		int r = open_right(dir, rebuild, &db, err);

		if (r < 0)
			return r;
		(void)fault_hit("index.opened");
		if (fstatat(dir->fd, "index.db", ret_stat, AT_SYMLINK_NOFOLLOW) == 0) {
			*ret = db;
			return 0;
		}
		db_abandon(db);
		rebuild = false;
	}
	return err_set_retry(
		err, ERR_SYSTEM, EAGAIN, 0, "index: somebody has just taken it away, try again");
}

static int attach(struct catalog *catalog, bool rebuild, struct err *err)
{
	struct db *db;
	struct stat st;
	int r = open_named(catalog->dir, rebuild, &db, &st, err);

	/* even to look at it takes some room, and it is what knows what may go */
	while (r == -ENOSPC && ballast_give_up(catalog->dir))
		r = open_named(catalog->dir, rebuild, &db, &st, err);
	if (r < 0)
		return r;
	catalog_detach(catalog);
	catalog->db = db;
	atomic_store(&catalog->damaged, false);
	db_tell_damage(db, &catalog->damaged);
	db_leave_log(db);
	catalog->device = st.st_dev;
	catalog->inode = st.st_ino;
	return catalog->log_bytes > 0 ? db_bound_log(db, catalog->log_bytes, err) : 0;
}

int catalog_attach(struct catalog *catalog, struct err *err)
{
	return attach(catalog, false, err);
}

/* That of the file that is open, or none: somebody may just have taken it away. */
static void open_emptier(struct catalog *catalog)
{
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", catalog->dir->path);

	if (!catalog->emptier && path && db_open_emptier(path, &catalog->emptier, NULL) == 0 &&
		!is_current(catalog)) {
		db_abandon(catalog->emptier);
		catalog->emptier = NULL;
	}
}

/* false: there is none, for want of descriptors, say. */
static bool empty_beside(struct catalog *catalog)
{
	WITH_LOCK(&catalog->log_mu);

	open_emptier(catalog);
	if (catalog->emptier)
		db_empty_log(catalog->emptier);
	return catalog->emptier != NULL;
}

void catalog_empty_log(struct catalog *catalog)
{
	if (empty_beside(catalog))
		return;
	WITH_LOCK(&catalog->mu);
	if (catalog->db && is_current(catalog))
		db_empty_log(catalog->db);
}

static void close_emptier(struct catalog *catalog)
{
	WITH_LOCK(&catalog->log_mu);

	if (catalog->emptier)
		db_abandon(catalog->emptier);
	catalog->emptier = NULL;
}

void catalog_detach(struct catalog *catalog)
{
	close_emptier(catalog);
	if (!catalog->db)
		return;
	if (is_current(catalog))
		db_close(catalog->db);
	else
		db_abandon(catalog->db);
	catalog->db = NULL;
}

/* Whether it is damaged, and has not just been made anew. */
static bool must_rebuild(const struct catalog *catalog)
{
	return atomic_load(&catalog->damaged) &&
	       clock_monotonic_ms() >= atomic_load(&catalog->not_before_ms);
}

int catalog_follow_locked(struct catalog *catalog, struct err *err)
{
	int64_t now = clock_monotonic_ms();
	bool damaged = must_rebuild(catalog);
	bool current = is_current(catalog);
	int r;

	if (current && !damaged)
		return 0;
	/* if it is not current, somebody has seen to it that it is not damaged any more */
	r = attach(catalog, current, err);
	if (current)
		atomic_store(&catalog->not_before_ms,
			now + (clock_monotonic_ms() - now) * REBUILD_SHARE);
	return r;
}

void catalog_follow(struct catalog *catalog)
{
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	uint32_t changes = cachedir_changes(catalog->dir);
	bool right;

	if (atomic_load(&catalog->followed) == changes && !must_rebuild(catalog))
		return;
	{
		WITH_LOCK(&catalog->mu);
		right = is_current(catalog) && !must_rebuild(catalog);
	}
	if (!right && cachedir_lock_writer(catalog->dir, &writer) == 0) {
		WITH_LOCK(&catalog->mu);
		right = catalog_follow_locked(catalog, NULL) == 0;
	}
	if (right)
		atomic_store(&catalog->followed, changes);
}
