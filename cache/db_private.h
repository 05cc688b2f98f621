/*
 * One connection, for the files that know SQLite: db.c, db_log.c (the write-ahead log), db_plans.c
 * (how statements are run).
 */
#ifndef FETCHFS_CACHE_DB_PRIVATE_H
#define FETCHFS_CACHE_DB_PRIVATE_H

#include "cache/db.h"

#include <sqlite3.h>

#define DB_QUERIES_MAX 96

struct db_query {
	struct db *db;
	const char *sql;
	sqlite3_stmt *stmt;
};

struct db {
	sqlite3 *handle;
	int log_max;          /* pages of the log, after which it is emptied */
	int log_pages;        /* as of our last transaction */
	bool leave_log;       /* emptying it is somebody else's business */
	atomic_bool *damaged; /* or NULL */
	size_t count;
	struct db_query queries[DB_QUERIES_MAX];
};

/* Fill @err from SQLite's @code, and its words for it if @handle is not NULL. */
int db_fail(sqlite3 *handle, int code, struct err *err);

/* The hook of SQLite after each transaction; @arg: the struct db. */
int db_on_logged(void *arg, sqlite3 *handle, const char *name, int pages);

#endif
