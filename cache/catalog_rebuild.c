/*
 * The index made anew: from the journal, which knows what the URIs stand for, and from what lies in
 * the cache, which is the truth. What the journal says and has no bytes is not there; bytes of
 * which it says nothing are kept until their room is needed. All objects are unsure: their bytes
 * are compared before their first use.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/ballast.h"
#include "cache/catalog_private.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAFT "index.new"

struct rebuild {
	const struct cachedir *dir;
	struct catalog catalog; /* of the draft: only its database */
};

/* ---- what the journal says ---- */

static int run_on_key(struct db *db, const char *sql, const struct entry_key *key, int64_t number,
	struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, sql, &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, key->bytes, sizeof(key->bytes));
	db_bind_int(query, 2, number);
	return db_run(query, err);
}

static int drop_lease(struct db *db, int64_t id, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "DELETE FROM lease WHERE id = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_int(query, 1, id);
	return db_run(query, err);
}

static int replay(const struct journal_line *line, void *arg, struct err *err)
{
	struct catalog_object object = {.hash = line->hash};
	struct rebuild *rebuild = arg;
	struct db *db = rebuild->catalog.db;
	int r;

	switch (line->kind) {
	case JOURNAL_ENTRY:
		return catalog_put(&rebuild->catalog, &line->entry, &object, err);
	case JOURNAL_PIN:
		return run_on_key(db, "UPDATE entry SET pinned = ?2 WHERE key = ?1",
			&line->entry.key, line->entry.pinned, err);
	case JOURNAL_INCOMPLETE:
		return run_on_key(db,
			"UPDATE entry SET state = 0, digest = NULL WHERE key = ?1 AND ?2",
			&line->entry.key, 1, err);
	case JOURNAL_GONE:
		return run_on_key(
			db, "DELETE FROM entry WHERE key = ?1 AND ?2", &line->entry.key, 1, err);
	case JOURNAL_LEASE:
		r = drop_lease(db, line->lease.id, err);
		return r < 0 ? r
			     : catalog_put_lease(&rebuild->catalog, &line->lease, line->boot, err);
	case JOURNAL_LEASE_GONE:
		return drop_lease(db, line->lease.id, err);
	}
	return 0;
}

/* ---- what lies in the cache ---- */

static int open_list(int dirfd, const char *name, DIR **ret, struct err *err)
{
	int r = fd_open_list(dirfd, name, ret);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "list %s: %m", name) : 0;
}

/* An object's file, of which the journal may know nothing: then it is the first that goes. */
static int add_object(struct db *db, const struct digest *digest, bool executable,
	const struct stat *st, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db,
		"INSERT INTO object (digest, size, bytes, twin_bytes, xxh3, used, last_used, boot,"
		"	settled) VALUES (?1, ?2, ?3, ?4, 0, 0, 0, '', 0)"
		" ON CONFLICT (digest) DO UPDATE SET bytes = bytes + ?3,"
		"	twin_bytes = twin_bytes + ?4, boot = ''",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_int(query, 2, st->st_size);
	db_bind_int(query, 3, executable ? 0 : st->st_blocks * 512);
	db_bind_int(query, 4, executable ? st->st_blocks * 512 : 0);
	return db_run(query, err);
}

static int add_folder(struct rebuild *rebuild, const char *folder, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;
	int r = open_list(rebuild->dir->objects_fd, folder, &list, err);

	while (r == 0 && list && (item = readdir(list))) {
		struct digest digest;
		bool executable;
		struct stat st;

		if (store_parse_name(folder, item->d_name, &digest, &executable) &&
			fstatat(dirfd(list), item->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode))
			r = add_object(rebuild->catalog.db, &digest, executable, &st, err);
	}
	return r;
}

static int add_objects(struct rebuild *rebuild, struct err *err)
{
	/* rows of the journal: "?" until their file is found */
	int r = db_exec(rebuild->catalog.db,
		"UPDATE object SET bytes = 0, twin_bytes = 0, boot = '?'", err);

	for (int i = 0; i < 256 && r == 0; i++) {
		char folder[3];

		snprintf(folder, sizeof(folder), "%02x", (unsigned int)i);
		if (faccessat(rebuild->dir->objects_fd, folder, F_OK, 0) == 0)
			r = add_folder(rebuild, folder, err);
	}
	return r < 0 ? r
		     : db_exec(rebuild->catalog.db,
			       "DELETE FROM object WHERE boot = '?';"
			       "UPDATE entry SET state = 0, digest = NULL WHERE state = 1"
			       "	AND digest NOT IN (SELECT digest FROM object)",
			       err);
}

/* Whether a sandbox has something of the object. 1, 0 or -errno. */
static int is_leased(struct db *db, const struct digest *digest, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "SELECT 1 FROM lease WHERE digest = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	return db_step(query, err);
}

/* It is of no boot: it counts, and is unpacked again when it is asked for. */
static int count_tree(struct db *db, const struct digest *digest, uint64_t bytes, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "UPDATE object SET tree_bytes = tree_bytes + ?2 WHERE digest = ?1",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_int(query, 2, (int64_t)bytes);
	return db_run(query, err);
}

/* Trees go, but those that sandboxes have, which go with their object. */
static int drop_trees(struct rebuild *rebuild, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	struct db *db = rebuild->catalog.db;
	const struct dirent *item;
	int r = open_list(rebuild->dir->fd, "trees", &list, err);

	while (r >= 0 && list && (item = readdir(list))) {
		char gone[TREE_TMP_SIZE];
		struct digest digest;

		if (!tree_parse_name(item->d_name, &digest))
			continue;
		r = is_leased(db, &digest, err);
		if (r > 0)
			r = count_tree(db, &digest, tree_measure(dirfd(list), item->d_name), err);
		else if (r == 0 && tree_tmp_name(TREE_GONE, gone) == 0)
			(void)!renameat(dirfd(list), item->d_name, dirfd(list), gone);
	}
	return r < 0 ? r : 0;
}

/* What is on its way has its room. */
static int add_partial(struct rebuild *rebuild, const char *file, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	char name[PARTIAL_NAME_SIZE];
	struct entry_key key;
	uint32_t generation;
	struct stat st;
	int r;

	if (!partial_parse(file, &key, &generation) ||
		fstatat(rebuild->dir->partial_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	partial_name(&key, generation, name);
	r = db_query(rebuild->catalog.db,
		"INSERT INTO reservation (partial, bytes) VALUES (?1, ?2)"
		" ON CONFLICT (partial) DO UPDATE SET bytes = bytes + ?2",
		&query, err);
	if (r < 0)
		return r;
	db_bind_text(query, 1, name);
	db_bind_int(query, 2, st.st_blocks * 512);
	return db_run(query, err);
}

static int add_partials(struct rebuild *rebuild, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;
	int r = open_list(rebuild->dir->fd, "partial", &list, err);

	while (r == 0 && list && (item = readdir(list)))
		r = add_partial(rebuild, item->d_name, err);
	return r;
}

/* ---- the whole ---- */

static int fill(struct rebuild *rebuild, struct err *err)
{
	struct db *db = rebuild->catalog.db;
	int r = db_begin(db, err);

	if (r == 0)
		r = catalog_schema_make(db, err);
	if (r == 0)
		r = catalog_schema_bind_leases(db, false, err);
	if (r == 0)
		r = journal_read(rebuild->dir, replay, rebuild, err);
	if (r == 0)
		r = catalog_schema_bind_leases(db, true, err);
	if (r == 0)
		r = add_objects(rebuild, err);
	if (r == 0)
		r = add_partials(rebuild, err);
	if (r == 0)
		r = drop_trees(rebuild, err);
	if (r == 0)
		r = db_commit(db, err);
	else
		db_rollback(db);
	return r;
}

static void remove_draft(const struct cachedir *dir)
{
	static const char *const files[] = {DRAFT, DRAFT "-wal", DRAFT "-shm", DRAFT "-journal"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir->fd, files[i], 0);
}

/* SQLite would not say why it cannot. */
static int make_draft(const struct cachedir *dir, struct err *err)
{
	CLEANUP(fd_closep)
	int fd = openat(dir->fd, DRAFT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_set(err, ERR_SYSTEM, errno, "make " DRAFT ": %m") : 0;
}

/* The old one, if it is there, goes with its log; then the name is free. */
static int give_name(const struct cachedir *dir, struct err *err)
{
	struct stat st;

	/* what somebody who died here made is no evidence of anything */
	if (fstatat(dir->fd, "index.db", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0)
		unlinkat(dir->fd, "index.db", 0);
	if (fault_hit("rebuild.rename") ||
		(renameat(dir->fd, "index.db", dir->fd, "index.damaged") < 0 && errno != ENOENT))
		return err_set(err, ERR_SYSTEM, errno, "rename index.db: %m");
	if ((renameat(dir->fd, "index.db-wal", dir->fd, "index.damaged-wal") < 0 &&
		    errno != ENOENT) ||
		(unlinkat(dir->fd, "index.db-shm", 0) < 0 && errno != ENOENT) ||
		fault_hit("rebuild.renamed") || renameat(dir->fd, DRAFT, dir->fd, "index.db") < 0)
		return err_set(err, ERR_SYSTEM, errno, "rename " DRAFT ": %m");
	return 0;
}

static int rebuild_once(const struct cachedir *dir, struct err *err)
{
	CLEANUP(str_freep) char *path = str_printf("%s/" DRAFT, dir->path);
	struct rebuild rebuild = {.dir = dir, .catalog = {.dir = dir}};
	int r;

	remove_draft(dir);
	r = path ? make_draft(dir, err) : err_oom(err);
	if (r == 0)
		r = db_open_draft(path, &rebuild.catalog.db, err);
	if (r == 0)
		r = fill(&rebuild, err);
	db_close(rebuild.catalog.db);
	if (r == 0)
		r = give_name(dir, err);
	remove_draft(dir);
	return r < 0 ? err_context(err, "make the index anew") : 0;
}

/* On a full disk: what is of no use to anybody goes, and last the index that is damaged. Whether
 * there was something. */
static bool make_way(const struct cachedir *dir)
{
	static const char *const pairs[][2] = {
		{"index.damaged", "index.damaged-wal"},
		{BALLAST, "events.old"},
		{"index.db", "index.db-wal"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		bool first = unlinkat(dir->fd, pairs[i][0], 0) == 0;
		bool second = unlinkat(dir->fd, pairs[i][1], 0) == 0;

		if (first || second)
			return true;
	}
	return false;
}

int catalog_rebuild(const struct cachedir *dir, struct err *err)
{
	int r = rebuild_once(dir, err);

	while (r == -ENOSPC && make_way(dir))
		r = rebuild_once(dir, err);
	return r;
}
