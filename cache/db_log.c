/* The write-ahead log: how long it may become, and who empties it. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "cache/db_private.h"
#include "cache/db_vfs.h"

#include <stdio.h>
#include <stdlib.h>

/* What a page takes in the log, and which part of it is for the transaction that fills it. (One
 * that changes hundreds of objects among a million has as many pages, several times.) */
#define LOG_PAGE (4096 + 24)
#define LOG_LAST 4

void db_leave_log(struct db *db)
{
	db->leave_log = true;
}

bool db_log_is_long(const struct db *db)
{
	return db->log_pages >= db->log_max;
}

int db_on_logged(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = arg;

	db->log_pages = pages;
	if (db_log_is_long(db) && !db->leave_log)
		(void)sqlite3_wal_checkpoint_v2(
			handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

int db_bound_log(struct db *db, uint64_t bytes, struct err *err)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %llu", (unsigned long long)bytes);
	db->log_max = (int)((bytes - bytes / LOG_LAST) / LOG_PAGE);
	return db_exec(db, sql, err);
}

int db_open_emptier(const char *path, struct db **ret, struct err *err)
{
	CLEANUP(db_closep) struct db *db = calloc(1, sizeof(*db));
	int code;
	int r;

	if (!db)
		return err_oom(err);
	code = sqlite3_open_v2(
		path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, db_vfs());
	if (code != SQLITE_OK)
		return db_fail(db->handle, code, err);
	/* whoever has read nothing yet knows of no log */
	r = db_exec(db, "PRAGMA user_version", err);
	if (r < 0)
		return r;
	*ret = db;
	db = NULL;
	return 0;
}

void db_empty_log(struct db *db)
{
	if (!fault_hit("db.checkpoint"))
		(void)sqlite3_wal_checkpoint_v2(
			db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}
