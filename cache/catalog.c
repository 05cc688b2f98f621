#include "cache/catalog.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <stdlib.h>

#define SCHEMA_VERSION 3

/*
 * Version 1. "total" has one row, kept by triggers, so that asking for space is no scan. "used" is
 * the LRU: a number that only the newest use exceeds. boot and settled say whether the file of an
 * object surely survived a power cut (docs/cache-format.md).
 */
static const char schema[] =
	"CREATE TABLE entry ("
	"	key BLOB PRIMARY KEY, scope TEXT NOT NULL, uri TEXT NOT NULL,"
	"	state INTEGER NOT NULL, has_query INTEGER NOT NULL, executable INTEGER NOT NULL,"
	"	pinned INTEGER NOT NULL, digest BLOB, size INTEGER NOT NULL, etag TEXT,"
	"	modified INTEGER NOT NULL, fetched INTEGER NOT NULL, verified INTEGER NOT NULL,"
	"	expires INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX entry_uri ON entry (uri);"
	"CREATE INDEX entry_digest ON entry (digest) WHERE digest IS NOT NULL;"
	"CREATE TABLE object ("
	"	digest BLOB PRIMARY KEY, size INTEGER NOT NULL,"
	"	bytes INTEGER NOT NULL, twin_bytes INTEGER NOT NULL,"
	"	xxh3 INTEGER NOT NULL, used INTEGER NOT NULL, last_used INTEGER NOT NULL,"
	"	boot TEXT NOT NULL, settled INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX object_used ON object (used);"
	"CREATE TABLE reservation ("
	"	partial TEXT PRIMARY KEY, bytes INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE lease ("
	"	id INTEGER PRIMARY KEY, directory TEXT NOT NULL, device INTEGER NOT NULL,"
	"	inode INTEGER NOT NULL, name TEXT NOT NULL, method TEXT NOT NULL,"
	"	file_inode INTEGER NOT NULL, digest BLOB NOT NULL, since INTEGER NOT NULL,"
	"	boot TEXT NOT NULL, namespace INTEGER NOT NULL"
	");"
	"CREATE INDEX lease_directory ON lease (inode, device);"
	"CREATE INDEX lease_digest ON lease (digest);"
	"CREATE TABLE total ("
	"	id INTEGER PRIMARY KEY CHECK (id = 1), objects INTEGER NOT NULL,"
	"	object_count INTEGER NOT NULL, reserved INTEGER NOT NULL, complete INTEGER NOT NULL"
	");"
	"INSERT INTO total VALUES (1, 0, 0, 0, 0);"
	"CREATE TRIGGER object_insert AFTER INSERT ON object BEGIN"
	"	UPDATE total SET objects = objects + new.bytes + new.twin_bytes,"
	"		object_count = object_count + 1;"
	"END;"
	"CREATE TRIGGER object_update AFTER UPDATE OF bytes, twin_bytes ON object "
	"WHEN new.bytes + new.twin_bytes != old.bytes + old.twin_bytes BEGIN"
	"	UPDATE total SET objects = objects + new.bytes + new.twin_bytes"
	"		- old.bytes - old.twin_bytes;"
	"END;"
	"CREATE TRIGGER object_delete AFTER DELETE ON object BEGIN"
	"	UPDATE total SET objects = objects - old.bytes - old.twin_bytes,"
	"		object_count = object_count - 1;"
	"END;"
	"CREATE TRIGGER reservation_insert AFTER INSERT ON reservation BEGIN"
	"	UPDATE total SET reserved = reserved + new.bytes;"
	"END;"
	"CREATE TRIGGER reservation_update AFTER UPDATE OF bytes ON reservation BEGIN"
	"	UPDATE total SET reserved = reserved + new.bytes - old.bytes;"
	"END;"
	"CREATE TRIGGER reservation_delete AFTER DELETE ON reservation BEGIN"
	"	UPDATE total SET reserved = reserved - old.bytes;"
	"END;"
	"CREATE TRIGGER entry_insert AFTER INSERT ON entry WHEN new.state = 1 BEGIN"
	"	UPDATE total SET complete = complete + 1;"
	"END;"
	"CREATE TRIGGER entry_update AFTER UPDATE OF state ON entry "
	"WHEN (new.state = 1) != (old.state = 1) BEGIN"
	"	UPDATE total SET complete = complete + (new.state = 1) - (old.state = 1);"
	"END;"
	"CREATE TRIGGER entry_delete AFTER DELETE ON entry WHEN old.state = 1 BEGIN"
	"	UPDATE total SET complete = complete - 1;"
	"END;"
	"PRAGMA application_id = 0x66746673;" /* "ftfs", for file(1) */
	"PRAGMA user_version = 1";

/* What version 2 adds. The trigger also serves those who opened the index before. */
static const char schema_2[] =
	"CREATE TABLE checksum ("
	"	digest BLOB NOT NULL, kind INTEGER NOT NULL, value BLOB NOT NULL,"
	"	PRIMARY KEY (digest, kind)"
	") WITHOUT ROWID;"
	"CREATE INDEX checksum_value ON checksum (value, kind);"
	"CREATE TRIGGER checksum_delete AFTER DELETE ON object BEGIN"
	"	DELETE FROM checksum WHERE digest = old.digest;"
	"END;"
	"PRAGMA user_version = 2";

static const char schema_3[] = "ALTER TABLE entry ADD COLUMN must_ask INTEGER NOT NULL DEFAULT 0;"
			       "PRAGMA user_version = 3";

_Static_assert(ENTRY_KNOWN == 0 && ENTRY_COMPLETE == 1 && ENTRY_ABSENT == 2, "stored on disk");

static int schema_version(struct db *db, int64_t *ret, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "PRAGMA user_version", &query, err);

	if (r == 0)
		r = db_step(query, err);
	if (r < 0)
		return r;
	*ret = db_int(query, 0);
	return 0;
}

/* Make a fresh index, or bring an older one up to date, in place. */
static int make_schema(struct catalog *catalog, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int64_t version = 0;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0) /* again: somebody may have made it in the meantime */
		r = schema_version(catalog->db, &version, err);
	if (r < 0)
		return r;
	if (version == 0)
		r = db_exec(catalog->db, schema, err);
	if (r == 0 && version < 2)
		r = db_exec(catalog->db, schema_2, err);
	if (r == 0 && version < 3)
		r = db_exec(catalog->db, schema_3, err);
	return r < 0 ? r : catalog_commit(&txn, err);
}

static int open_database(struct catalog *catalog, struct err *err)
{
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", catalog->dir->path);
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	int64_t version;
	int r;

	if (!path)
		return err_oom(err);
	/* switching a fresh file to WAL needs it alone; two processes at once would fail there */
	r = cachedir_lock_writer(catalog->dir, &writer);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the index: %m");
	r = db_open(path, &catalog->db, err);
	lock_release(&writer);
	if (r == 0)
		r = schema_version(catalog->db, &version, err);
	if (r == 0 && version < SCHEMA_VERSION)
		r = make_schema(catalog, err);
	if (r == -EBADMSG)
		return err_set(err, ERR_INTEGRITY, EBADMSG, CACHEDIR_DAMAGED("index.db"),
			catalog->dir->path);
	if (r < 0)
		return err_context(err, "open %s", path);
	if (version > SCHEMA_VERSION)
		return err_set(err, ERR_USAGE, ENOTSUP,
			"%s was made by a newer fetchfs (schema %lld, this one knows %d)", path,
			(long long)version, SCHEMA_VERSION);
	return 0;
}

int catalog_open(const struct cachedir *dir, struct catalog **ret, struct err *err)
{
	struct catalog *catalog = calloc(1, sizeof(*catalog));
	int r;

	if (!catalog)
		return err_oom(err);
	catalog->dir = dir;
	pthread_mutex_init(&catalog->mu, NULL);
	r = open_database(catalog, err);
	if (r < 0) {
		catalog_close(catalog);
		return r;
	}
	*ret = catalog;
	return 0;
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	db_close(catalog->db);
	pthread_mutex_destroy(&catalog->mu);
	free(catalog);
}

/* ---- transactions ---- */

int catalog_begin(struct catalog *catalog, struct catalog_txn *ret, struct err *err)
{
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	int r = cachedir_lock_writer(catalog->dir, &writer);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the index: %m");
	pthread_mutex_lock(&catalog->mu);
	r = db_begin(catalog->db, err);
	if (r < 0) {
		pthread_mutex_unlock(&catalog->mu);
		return r;
	}
	*ret = (struct catalog_txn){.catalog = catalog, .writer = lock_steal(&writer)};
	return 0;
}

void catalog_rollback(struct catalog_txn *txn)
{
	if (!txn->catalog)
		return;
	db_rollback(txn->catalog->db);
	pthread_mutex_unlock(&txn->catalog->mu);
	lock_release(&txn->writer);
	txn->catalog = NULL;
}

int catalog_commit(struct catalog_txn *txn, struct err *err)
{
	int r = db_commit(txn->catalog->db, err);

	if (r < 0)
		return r; /* the end of its scope rolls it back */
	pthread_mutex_unlock(&txn->catalog->mu);
	lock_release(&txn->writer);
	txn->catalog = NULL;
	return 0;
}

int catalog_commit_visible(struct catalog_txn *txn, struct err *err)
{
	const struct cachedir *dir = txn->catalog->dir;
	int r = catalog_commit(txn, err);

	if (r == 0)
		cachedir_changed(dir);
	return r;
}
