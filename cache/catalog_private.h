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
#include "cache/journal.h"
#include "cache/recall.h"
#include "cache/touches.h"

#include <pthread.h>

struct catalog {
	const struct cachedir *dir;
	pthread_mutex_t mu; /* guards db, its statements, and everything read through them */
	struct db *db;
	struct touches *touches;
	struct recall *recall;
	struct journal *journal; /* guarded by the writer's lock; NULL: of an index that is made */
	uint64_t log_bytes;      /* catalog_bound_log(), 0: not told; guarded by mu */
	dev_t device;            /* of the file that db is; guarded by mu, as is inode */
	ino_t inode;
	pthread_mutex_t log_mu; /* after mu */
	struct db *emptier;     /* by which the log is emptied; NULL: not open; guarded by log_mu */
	atomic_bool damaged;    /* something of it was found to be */
	_Atomic uint32_t followed; /* the change counter when it was last seen to have its name */
	_Atomic int64_t not_before_ms; /* this process does not make it anew, monotonic */
};

/*
 * Open index.db for @catalog, or make it; anew, from the journal, if it is lost or damaged. The
 * caller holds the writer's lock, and mu if there are others.
 */
int catalog_attach(struct catalog *catalog, struct err *err);

/* Close it, whoever has its name now. */
void catalog_detach(struct catalog *catalog);

/* The log has become long: empty it. That waits for the disk: not under mu, so that others read
 * meanwhile; under the writer's lock, so that it does not become longer still. */
void catalog_empty_log(struct catalog *catalog);

/*
 * Another process may have made another index.db, and what was found to be damaged is to be made
 * anew: see that the right one is open. Cheap while nothing has changed. Before mu is taken; what
 * goes wrong is found by whoever uses it.
 */
void catalog_follow(struct catalog *catalog);
/* The same by who has the writer's lock. Under mu. */
int catalog_follow_locked(struct catalog *catalog, struct err *err);

/* For who reads: the right one is open, and nobody else's until the end of the scope. */
#define WITH_CATALOG(catalog)                                                                      \
	catalog_follow(catalog);                                                                   \
	WITH_LOCK(&(catalog)->mu)

/* Make index.db anew, from the journal and what lies in @dir; an old one is kept as index.damaged.
 * The caller holds the writer's lock. */
int catalog_rebuild(const struct cachedir *dir, struct err *err);

/* catalog_publish(), in a transaction that has begun. */
int catalog_put(struct catalog *catalog, const struct entry *entry,
	const struct catalog_object *object, struct err *err);

/* The lease as a row, with the boot id @boot; @lease->id 0: a new number. In a transaction. */
int catalog_put_lease(
	struct catalog *catalog, const struct lease *lease, const char *boot, struct err *err);

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

/*
 * A transaction that lets something go ended with @r. true: the disk is full, and what there was of
 * ballast has made some way for it: once more.
 */
bool catalog_made_way(const struct catalog *catalog, int r);

int catalog_commit(struct catalog_txn *txn, struct err *err);
/* Commit what changed an entry: the change counter moves. */
int catalog_commit_visible(struct catalog_txn *txn, struct err *err);
void catalog_rollback(struct catalog_txn *txn); /* for CLEANUP() */

/* The tables. catalog_schema_make() needs a transaction, and does nothing when they are there. */
#define CATALOG_SCHEMA 10

int catalog_schema_version(struct db *db, int64_t *ret, struct err *err); /* 0: none yet */
int catalog_schema_make(struct db *db, struct err *err);
/* Whether a lease on what has yet to come is of what is there already. While an old story is told
 * again, it is not: what was there then is not what is there now. */
int catalog_schema_bind_leases(struct db *db, bool bind, struct err *err);

/* What catalog_find() and its like answer: the entry that @query finds first. Under mu. */
int catalog_read_first(
	const struct catalog *catalog, struct db_query *query, struct entry *ret, struct err *err);

/* What is on the share of @uid without the reservation of @partial, under the catalog's lock. */
int catalog_read_share(
	struct db *db, uid_t uid, const char *partial, uint64_t *ret, struct err *err);

/* What the disk lacks for @wish, while @others are reserved by others. In a transaction. */
int catalog_lacks_disk(struct catalog *catalog, const struct room_wish *wish, uint64_t others,
	uint64_t *ret, struct err *err);

/* catalog_unreserve(), in a transaction that has begun. */
int catalog_end_reservation(struct db *db, const char *partial, struct err *err);

/* catalog_checksum_add(), in a transaction that has begun. */
int catalog_put_checksum(struct db *db, const struct digest *digest,
	const struct checksum *checksum, struct err *err);

/* SQL: the number of a use that comes after all others, also of objects that are gone by now. */
#define CATALOG_NEXT_USE                                                                           \
	"(SELECT max(settled_used, ifnull((SELECT max(used) FROM object), 0)) + 1 FROM total)"

/* SQL: whether the object o is pinned or leased. */
#define CATALOG_IS_HELD                                                                            \
	"(EXISTS (SELECT 1 FROM entry AS e WHERE e.digest = o.digest AND e.pinned)"                \
	" OR EXISTS (SELECT 1 FROM lease AS l WHERE l.digest = o.digest))"

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
