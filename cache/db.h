/*
 * SQLite, as the catalog needs it: with db_*.c the only place that knows the library.
 *
 * One connection, used by one thread at a time (the caller's mutex). Statements are prepared once
 * and kept, found again by the address of their text, which is therefore a string literal:
 *
 *	CLEANUP(db_resetp) struct db_query *query = NULL;
 *
 *	r = db_query(db, "SELECT size FROM entry WHERE key = ?1", &query, err);
 *	if (r < 0)
 *		return r;
 *	db_bind_blob(query, 1, key, sizeof(key));
 *	r = db_step(query, err);                1: a row, 0: no more rows
 *
 * Errors: -ENOSPC (disk full), -EBADMSG (corrupt, or not a database), -EAGAIN (locked by somebody
 * for longer than DB_BUSY_MS), -EIO, -ENOMEM.
 */
#ifndef FETCHFS_CACHE_DB_H
#define FETCHFS_CACHE_DB_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_BUSY_MS 5000

#define DB_LOG_BYTES (UINT64_C(4) << 20)

struct db;
struct db_query;

/* Open or make the database @path: WAL, synchronous=NORMAL (a power cut may lose the last
 * transactions, never tear one). */
int db_open(const char *path, struct db **ret, struct err *err);

/* The same for one on a read-only file system, which nobody else writes either. */
int db_open_readable(const char *path, struct db **ret, struct err *err);

/* The same for who makes one that nobody else knows of, and renames it when it is closed: one file,
 * without a log. What is not committed in it is nothing. */
int db_open_draft(const char *path, struct db **ret, struct err *err);

/* The log grows up to @bytes (DB_LOG_BYTES, unless told otherwise), and is then used anew from its
 * beginning. Readers who are at work whenever that is tried put it off: then it is longer for a
 * while, and cut back afterwards. */
int db_bound_log(struct db *db, uint64_t bytes, struct err *err);

/*
 * Who commits what makes the log too long empties it, and waits for the disk. With db_leave_log()
 * he does not: whoever has the database asks db_log_is_long() after a commit, and empties it by
 * another connection, while others go on reading by the first one. That is good for nothing else,
 * makes no database where there is none, and ends with db_abandon().
 */
void db_leave_log(struct db *db);
bool db_log_is_long(const struct db *db);
int db_open_emptier(const char *path, struct db **ret, struct err *err);
void db_empty_log(struct db *db);

/* Of a log longer than two megabytes nothing is left to whoever opens it next, if who closes it
 * last was also the last to write. */
void db_close(struct db *db);
void db_closep(struct db **db); /* for CLEANUP() */

/* The same when its file has lost its name to another one: nothing is done to files. */
void db_abandon(struct db *db);

/* When something of it is found to be damaged, *@damaged becomes true, and the error, -EAGAIN, says
 * that it is made anew, and to try again. NULL: -EBADMSG. */
void db_tell_damage(struct db *db, atomic_bool *damaged);

/* The same for a row that no statement of ours can have made: @what says what is wrong with it. */
int db_damaged(struct db *db, const char *what, struct err *err);

/* Statements without parameters and rows, several separated by ';'. */
int db_exec(struct db *db, const char *sql, struct err *err);

int db_begin(struct db *db, struct err *err); /* IMMEDIATE */
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/* The prepared @sql, ready for binding. Give it back by db_resetp(). */
int db_query(struct db *db, const char *sql, struct db_query **ret, struct err *err);
void db_resetp(struct db_query **query);

/* Parameters count from 1. NULL text binds NULL. What is bound must live until db_resetp(). */
void db_bind_int(struct db_query *query, int index, int64_t value);
void db_bind_text(struct db_query *query, int index, const char *text);
void db_bind_blob(struct db_query *query, int index, const void *bytes, size_t len);

/* 1: a row is there, 0: the statement has ended, -errno. */
int db_step(struct db_query *query, struct err *err);

/* Run to the end a statement that gives no rows. */
int db_run(struct db_query *query, struct err *err);

/* How many rows the last statement changed; and the number of the last one that was inserted. */
int64_t db_changes(const struct db *db);
int64_t db_inserted(const struct db *db);

/* Columns count from 0. */
int64_t db_int(struct db_query *query, int column);
const char *db_text(struct db_query *query, int column); /* NULL for NULL; until the next step */
bool db_blob(struct db_query *query, int column, void *ret, size_t len); /* false: other length */

/*
 * How SQLite goes about each statement that has been used so far: @visit hears of each step of
 * each, in the words of its EXPLAIN QUERY PLAN ("SEARCH entry USING INDEX …"). For those who want
 * to see that nothing is looked for by reading everything.
 */
typedef void db_visit_step(const char *sql, const char *step, void *arg);
int db_plans(struct db *db, db_visit_step *visit, void *arg, struct err *err);

#endif
