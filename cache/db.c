#include "cache/db.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/str.h"
#include "base/uri.h"
#include "cache/db_private.h"
#include "cache/db_vfs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Who opens the database first reads all of the log (a megabyte takes half a millisecond). So long,
 * in pages, the last one leaves it: to empty it he waits for the disk, twice. */
#define LOG_LEFT 512

/* Whether no more files can be made beside the database. */
static bool has_no_inodes(sqlite3 *handle)
{
	const char *path = handle ? sqlite3_db_filename(handle, "main") : NULL;
	struct statvfs fs;

	return path && statvfs(path, &fs) == 0 && fs.f_files > 0 && fs.f_favail == 0;
}

static int translate(sqlite3 *handle, int code, int *ret_kind)
{
	*ret_kind = ERR_SYSTEM;
	/* somebody has taken the file away: who comes next opens another one */
	if (code == SQLITE_READONLY_DBMOVED)
		return EAGAIN;
	switch (code & 0xff) {
	case SQLITE_FULL:
		*ret_kind = ERR_SPACE;
		return ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		*ret_kind = ERR_INTEGRITY;
		return EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EAGAIN;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		/* the system's own word is better, where there is one */
		code = handle ? sqlite3_system_errno(handle) : 0;
		/* of another try: to open what it could not make */
		if (code == ENOENT && has_no_inodes(handle))
			code = ENOSPC;
		if (code == ENOSPC || code == EDQUOT)
			*ret_kind = ERR_SPACE;
		return code > 0 ? code : EIO;
	default:
		return EIO;
	}
}

int db_fail(sqlite3 *handle, int code, struct err *err)
{
	int kind;
	int number = translate(handle, code, &kind);
	const char *text = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);

	if (number == EAGAIN)
		return err_set_retry(err, ERR_SYSTEM, EAGAIN, 0, "index: %s", text);
	if (kind == ERR_SPACE &&
		(code & 0xff) != SQLITE_FULL) /* sqlite's text says no more than EIO */
		return err_set(err, ERR_SPACE, number, "index: %s: %m", text);
	return err_set(err, (enum err_kind)kind, number, "index: %s", text);
}

/* Whether @code is what damage makes SQLite say; all our statements are right. */
static bool is_damage(sqlite3 *handle, int code)
{
	const char *path = sqlite3_db_filename(handle, "main");

	/* by its first page it may be written by nobody */
	if (code == SQLITE_READONLY)
		return path && access(path, W_OK) == 0;
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ||
	       code == SQLITE_ERROR || code == SQLITE_IOERR_SHORT_READ;
}

int db_damaged(struct db *db, const char *what, struct err *err)
{
	if (!db->damaged)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "index: %s", what);
	atomic_store(db->damaged, true);
	return err_set_retry(
		err, ERR_SYSTEM, EAGAIN, 0, "index: %s; it is made anew, try again", what);
}

static int fail_db(struct db *db, int code, struct err *err)
{
	return is_damage(db->handle, code) ? db_damaged(db, sqlite3_errmsg(db->handle), err)
					   : db_fail(db->handle, code, err);
}

void db_tell_damage(struct db *db, atomic_bool *damaged)
{
	db->damaged = damaged;
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fail_db(db, code, err);
}

/* Nobody asks how much memory SQLite has; counting it takes a lock for each allocation. Without
 * effect in a program that has used SQLite before us. */
static void count_no_memory(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_as(const char *path, int flags, const char *mode, struct db **ret, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	CLEANUP(db_closep) struct db *db = calloc(1, sizeof(*db));
	int code;
	int r;

	if (!db)
		return err_oom(err);
	pthread_once(&once, count_no_memory);
	code = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, db_vfs());
	if (code != SQLITE_OK)
		return db_fail(db->handle, code, err);
	sqlite3_wal_hook(db->handle, db_on_logged, db);
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, DB_BUSY_MS);

	r = db_exec(db,
		"PRAGMA synchronous = NORMAL;"
		"PRAGMA temp_store = MEMORY;"
		"PRAGMA trusted_schema = OFF",
		err);
	if (r == 0)
		r = db_exec(db, mode, err);
	if (r == 0)
		r = db_bound_log(db, DB_LOG_BYTES, err);
	if (r < 0)
		return r;

	*ret = db;
	db = NULL;
	return 0;
}

int db_open(const char *path, struct db **ret, struct err *err)
{
	return open_as(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		"PRAGMA journal_mode = WAL", ret, err);
}

int db_open_draft(const char *path, struct db **ret, struct err *err)
{
	/* keys come in no order: with less memory each page would be written again and again */
	return open_as(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		"PRAGMA journal_mode = OFF; PRAGMA cache_size = -32768", ret, err);
}

/* SQLite reads a log where it can write nothing, but needs its shared memory's file for that; where
 * there is no log, it has to be told that there will be none. */
int db_open_readable(const char *path, struct db **ret, struct err *err)
{
	CLEANUP(str_freep) char *log = str_printf("%s-wal", path);
	CLEANUP(str_freep) char *quoted = uri_escape(path, "/");
	CLEANUP(str_freep) char *uri = quoted ? str_printf("file:%s?immutable=1", quoted) : NULL;

	if (!log || !uri)
		return err_oom(err);
	return open_as(access(log, F_OK) == 0 ? path : uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
		"PRAGMA query_only = ON", ret, err);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->count; i++)
		sqlite3_finalize(db->queries[i].stmt);
	/* else the last one empties the log, and whoever fetched a little would wait for the disk
	 */
	if (db->handle && db->log_pages < LOG_LEFT)
		sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(db->handle);
	free(db);
}

void db_abandon(struct db *db)
{
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	db->log_pages = 0;
	db_close(db);
}

void db_closep(struct db **db)
{
	db_close(*db);
	*db = NULL;
}

int db_begin(struct db *db, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r;

	if (fault_hit("db.begin"))
		return err_set(err, ERR_SYSTEM, errno, "index: %m");
	r = db_query(db, "BEGIN IMMEDIATE", &query, err);

	return r < 0 ? r : db_run(query, err);
}

int db_commit(struct db *db, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r;

	if (fault_hit("db.commit"))
		return err_set(err, ERR_SYSTEM, errno, "index: %m");
	r = db_query(db, "COMMIT", &query, err);
	if (r == 0)
		r = db_run(query, err);
	(void)fault_hit("db.committed");
	return r;
}

void db_rollback(struct db *db)
{
	/* some errors (a full disk) have rolled back already */
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int db_query(struct db *db, const char *sql, struct db_query **ret, struct err *err)
{
	struct db_query *query;
	int code;

	for (size_t i = 0; i < db->count; i++) {
		if (db->queries[i].sql == sql) {
			*ret = &db->queries[i];
			return 0;
		}
	}

	assert(db->count < DB_QUERIES_MAX);
	query = &db->queries[db->count];
	code = sqlite3_prepare_v3(
		db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
	if (code != SQLITE_OK)
		return fail_db(db, code, err);
	query->db = db;
	query->sql = sql;
	db->count++;
	*ret = query;
	return 0;
}

void db_resetp(struct db_query **query)
{
	if (!*query)
		return;
	sqlite3_reset((*query)->stmt);
	sqlite3_clear_bindings((*query)->stmt);
	*query = NULL;
}

void db_bind_int(struct db_query *query, int index, int64_t value)
{
	int code = sqlite3_bind_int64(query->stmt, index, value);

	assert(code == SQLITE_OK);
	(void)code;
}

void db_bind_text(struct db_query *query, int index, const char *text)
{
	/* SQLITE_STATIC: nothing is copied, so nothing can fail */
	int code = sqlite3_bind_text(query->stmt, index, text, -1, SQLITE_STATIC);

	assert(code == SQLITE_OK);
	(void)code;
}

void db_bind_blob(struct db_query *query, int index, const void *bytes, size_t len)
{
	int code = sqlite3_bind_blob64(query->stmt, index, bytes, len, SQLITE_STATIC);

	assert(code == SQLITE_OK);
	(void)code;
}

int db_step(struct db_query *query, struct err *err)
{
	int code = sqlite3_step(query->stmt);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return fail_db(query->db, code, err);
}

int db_run(struct db_query *query, struct err *err)
{
	int r = db_step(query, err);

	return r < 0 ? r : 0;
}

int64_t db_changes(const struct db *db)
{
	return sqlite3_changes64(db->handle);
}

int64_t db_inserted(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_int(struct db_query *query, int column)
{
	return sqlite3_column_int64(query->stmt, column);
}

const char *db_text(struct db_query *query, int column)
{
	return (const char *)sqlite3_column_text(query->stmt, column);
}

bool db_blob(struct db_query *query, int column, void *ret, size_t len)
{
	const void *bytes = sqlite3_column_blob(query->stmt, column);

	if (!bytes || (size_t)sqlite3_column_bytes(query->stmt, column) != len)
		return false;
	memcpy(ret, bytes, len);
	return true;
}
