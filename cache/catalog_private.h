/*
 * What the files of the catalog share: the connection, its lock, and transactions.
 *
 * Lock order: the writer's byte of CACHE/locks, then catalog->mu, then SQLite's own. Waiting for
 * other processes thus never keeps the readers of this one from the connection.
 */
#ifndef FETCHFS_CACHE_CATALOG_PRIVATE_H
#define FETCHFS_CACHE_CATALOG_PRIVATE_H

#include "base/lock.h"
#include "cache/catalog.h"
#include "cache/db.h"
#include "cache/recall.h"
#include "cache/touches.h"

#include <pthread.h>

struct catalog {
	const struct cachedir *dir;
	pthread_mutex_t mu; /* guards db, its statements, and everything read through them */
	struct db *db;
	struct touches *touches;
	struct recall *recall;
};

/* A writing transaction: begun, then committed, or rolled back at the end of its scope. */
struct catalog_txn {
	struct catalog *catalog; /* NULL: not begun, or over */
	struct lock writer;
};

#define CATALOG_TXN_INIT                                                                           \
	(struct catalog_txn)                                                                       \
	{                                                                                          \
		.writer = LOCK_INIT                                                                \
	}

int catalog_begin(struct catalog *catalog, struct catalog_txn *ret, struct err *err);
int catalog_commit(struct catalog_txn *txn, struct err *err);
/* Commit what changed an entry: the change counter moves. */
int catalog_commit_visible(struct catalog_txn *txn, struct err *err);
void catalog_rollback(struct catalog_txn *txn); /* for CLEANUP() */

/* The tables. catalog_schema_make() needs a transaction, and does nothing when they are there. */
#define CATALOG_SCHEMA 8

int catalog_schema_version(struct db *db, int64_t *ret, struct err *err); /* 0: none yet */
int catalog_schema_make(struct db *db, struct err *err);

/* What catalog_find() and its like answer: the entry that @query finds first. Under mu. */
int catalog_read_first(
	const struct catalog *catalog, struct db_query *query, struct entry *ret, struct err *err);

/* catalog_unreserve(), in a transaction that has begun. */
int catalog_end_reservation(struct db *db, const char *partial, struct err *err);

/* catalog_checksum_add(), in a transaction that has begun. */
int catalog_put_checksum(struct db *db, const struct digest *digest,
	const struct checksum *checksum, struct err *err);

/*
 * An entry as a row: the columns and tables to select from (entries are "e"), and how to read
 * one. The statement that follows begins with " WHERE …".
 */
#define CATALOG_ENTRY_SELECT                                                                       \
	"SELECT e.key, e.scope, e.uri, e.state, e.has_query, e.executable, e.pinned, e.digest, "   \
	"e.size, e.etag, e.modified, e.fetched, e.verified, e.expires, o.last_used, e.must_ask, "  \
	"e.type, CASE WHEN e.executable THEN o.twin_lent ELSE o.lent END, o.settled, o.boot "      \
	"FROM entry AS e"                                                                          \
	" LEFT JOIN object AS o ON o.digest = e.digest"

int catalog_read_entry(
	const struct catalog *catalog, struct db_query *query, struct entry *ret, struct err *err);

/* Whether an object with these columns "settled" and "boot" is all there: no power cut can have
 * come between its publication and now. */
bool catalog_is_sure(const struct catalog *catalog, int64_t settled, const char *boot);

/* SQL: the entries that are files, as far as is known: a page that nobody has fetched may be what
 * an origin shows for a folder. */
#define CATALOG_IS_FILE                                                                            \
	"e.state != 2 AND NOT (e.state = 0 AND ifnull(e.type, '') IN ('" CATALOG_FOLDER            \
	"', 'text/html'))"

/* SQL: the entries that somebody in the scopes ?2, between blanks (NULL: in all), may see. */
#define CATALOG_VISIBLE                                                                            \
	"(?2 IS NULL OR e.scope = '' OR instr(' ' || ?2 || ' ', ' ' || e.scope || ' ') > 0)"

#endif
