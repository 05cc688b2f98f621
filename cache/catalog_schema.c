/*
 * The tables of the index, and how those of older versions become them (docs/cache-format.md).
 *
 * entry and object have rowids: keys and digests are spread evenly, so that rows kept in their
 * order would dirty a page each; rows at the end of a table share theirs, and only the indexes,
 * which are small, are written all over.
 */
#include "base/cleanup.h"
#include "cache/catalog_private.h"

#define ENTRY(name)                                                                                \
	"CREATE TABLE " name " ("                                                                  \
	"	key BLOB NOT NULL PRIMARY KEY, scope TEXT NOT NULL, uri TEXT NOT NULL,"                  \
	"	state INTEGER NOT NULL, has_query INTEGER NOT NULL, executable INTEGER NOT NULL,"        \
	"	pinned INTEGER NOT NULL, digest BLOB, size INTEGER NOT NULL, etag TEXT,"                 \
	"	modified INTEGER NOT NULL, fetched INTEGER NOT NULL, verified INTEGER NOT NULL,"         \
	"	expires INTEGER NOT NULL, must_ask INTEGER NOT NULL DEFAULT 0, type TEXT"                \
	");"

#define ENTRY_INDEXES                                                                              \
	"CREATE INDEX entry_uri ON entry (uri, key);"                                              \
	"CREATE INDEX entry_digest ON entry (digest) WHERE digest IS NOT NULL;"

/* "used" is the LRU: a number that only the newest use exceeds. settled is 1 when the file surely
 * outlives a power cut; else it is when it came, as minus the milliseconds since the start of the
 * boot "boot", or 0. */
#define OBJECT(name)                                                                               \
	"CREATE TABLE " name " ("                                                                  \
	"	digest BLOB NOT NULL PRIMARY KEY, size INTEGER NOT NULL,"                                \
	"	bytes INTEGER NOT NULL, twin_bytes INTEGER NOT NULL,"                                    \
	"	xxh3 INTEGER NOT NULL, used INTEGER NOT NULL, last_used INTEGER NOT NULL,"               \
	"	boot TEXT NOT NULL, settled INTEGER NOT NULL"                                            \
	");"

#define OBJECT_INDEXES "CREATE INDEX object_used ON object (used);"

/* What else content hashes to. */
#define CHECKSUM                                                                                   \
	"CREATE TABLE checksum ("                                                                  \
	"	digest BLOB NOT NULL, kind INTEGER NOT NULL, value BLOB NOT NULL,"                       \
	"	PRIMARY KEY (digest, kind)"                                                              \
	") WITHOUT ROWID;"                                                                         \
	"CREATE INDEX checksum_value ON checksum (value, kind);"

#define CHECKSUM_TRIGGER                                                                           \
	"CREATE TRIGGER checksum_delete AFTER DELETE ON object BEGIN"                              \
	"	DELETE FROM checksum WHERE digest = old.digest;"                                         \
	"END;"

/* The totals have one row, kept by triggers, so that asking for space is no scan. */
#define TOTAL_TRIGGERS                                                                             \
	"CREATE TRIGGER object_insert AFTER INSERT ON object BEGIN"                                \
	"	UPDATE total SET objects = objects + new.bytes + new.twin_bytes,"                        \
	"		object_count = object_count + 1;"                                                       \
	"END;"                                                                                     \
	"CREATE TRIGGER object_update AFTER UPDATE OF bytes, twin_bytes ON object "                \
	"WHEN new.bytes + new.twin_bytes != old.bytes + old.twin_bytes BEGIN"                      \
	"	UPDATE total SET objects = objects + new.bytes + new.twin_bytes"                         \
	"		- old.bytes - old.twin_bytes;"                                                          \
	"END;"                                                                                     \
	"CREATE TRIGGER object_delete AFTER DELETE ON object BEGIN"                                \
	"	UPDATE total SET objects = objects - old.bytes - old.twin_bytes,"                        \
	"		object_count = object_count - 1;"                                                       \
	"END;"                                                                                     \
	"CREATE TRIGGER entry_insert AFTER INSERT ON entry WHEN new.state = 1 BEGIN"               \
	"	UPDATE total SET complete = complete + 1;"                                               \
	"END;"                                                                                     \
	"CREATE TRIGGER entry_update AFTER UPDATE OF state ON entry "                              \
	"WHEN (new.state = 1) != (old.state = 1) BEGIN"                                            \
	"	UPDATE total SET complete = complete + (new.state = 1) - (old.state = 1);"               \
	"END;"                                                                                     \
	"CREATE TRIGGER entry_delete AFTER DELETE ON entry WHEN old.state = 1 BEGIN"               \
	"	UPDATE total SET complete = complete - 1;"                                               \
	"END;"

/* What has been as it is from the first version on. */
#define SINCE_1                                                                                    \
	"CREATE TABLE reservation ("                                                               \
	"	partial TEXT PRIMARY KEY, bytes INTEGER NOT NULL"                                        \
	") WITHOUT ROWID;"                                                                         \
	"CREATE TABLE lease ("                                                                     \
	"	id INTEGER PRIMARY KEY, directory TEXT NOT NULL, device INTEGER NOT NULL,"               \
	"	inode INTEGER NOT NULL, name TEXT NOT NULL, method TEXT NOT NULL,"                       \
	"	file_inode INTEGER NOT NULL, digest BLOB NOT NULL, since INTEGER NOT NULL,"              \
	"	boot TEXT NOT NULL, namespace INTEGER NOT NULL"                                          \
	");"                                                                                       \
	"CREATE INDEX lease_directory ON lease (inode, device);"                                   \
	"CREATE INDEX lease_digest ON lease (digest);"                                             \
	"CREATE TABLE total ("                                                                     \
	"	id INTEGER PRIMARY KEY CHECK (id = 1), objects INTEGER NOT NULL,"                        \
	"	object_count INTEGER NOT NULL, reserved INTEGER NOT NULL,"                               \
	"	complete INTEGER NOT NULL"                                                               \
	");"                                                                                       \
	"INSERT INTO total VALUES (1, 0, 0, 0, 0);"                                                \
	"CREATE TRIGGER reservation_insert AFTER INSERT ON reservation BEGIN"                      \
	"	UPDATE total SET reserved = reserved + new.bytes;"                                       \
	"END;"                                                                                     \
	"CREATE TRIGGER reservation_update AFTER UPDATE OF bytes ON reservation BEGIN"             \
	"	UPDATE total SET reserved = reserved + new.bytes - old.bytes;"                           \
	"END;"                                                                                     \
	"CREATE TRIGGER reservation_delete AFTER DELETE ON reservation BEGIN"                      \
	"	UPDATE total SET reserved = reserved - old.bytes;"                                       \
	"END;"                                                                                     \
	"PRAGMA application_id = 0x66746673;" /* "ftfs", for file(1) */

/* A new index begins here, and goes on as one that is upgraded. */
#define FRESH_VERSION 4
static const char fresh[] = SINCE_1 ENTRY("entry") ENTRY_INDEXES OBJECT("object")
	OBJECT_INDEXES TOTAL_TRIGGERS CHECKSUM CHECKSUM_TRIGGER "PRAGMA user_version = 4";

/* From the version before. Triggers also serve those who opened the index earlier. */
static const char upgrade_2[] = CHECKSUM CHECKSUM_TRIGGER "PRAGMA user_version = 2";

static const char upgrade_3[] = "ALTER TABLE entry ADD COLUMN must_ask INTEGER NOT NULL DEFAULT 0;"
				"PRAGMA user_version = 3";

/* A table takes its indexes and triggers with it. */
#define ENTRY_MOVED                                                                                \
	"INSERT INTO entry_4 SELECT key, scope, uri, state, has_query, executable, pinned,"        \
	"	digest, size, etag, modified, fetched, verified, expires, must_ask, NULL"                \
	"	FROM entry;"                                                                             \
	"DROP TABLE entry;"                                                                        \
	"ALTER TABLE entry_4 RENAME TO entry;"

#define OBJECT_MOVED                                                                               \
	"INSERT INTO object_4 SELECT digest, size, bytes, twin_bytes, xxh3, used, last_used,"      \
	"	boot, settled FROM object;"                                                              \
	"DROP TABLE object;"                                                                       \
	"ALTER TABLE object_4 RENAME TO object;"

static const char upgrade_4[] = ENTRY("entry_4") ENTRY_MOVED ENTRY_INDEXES OBJECT("object_4")
	OBJECT_MOVED OBJECT_INDEXES TOTAL_TRIGGERS CHECKSUM_TRIGGER "PRAGMA user_version = 4";

/* What is unpacked of an object counts, and goes, with it. */
static const char upgrade_5[] =
	"ALTER TABLE object ADD COLUMN tree_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE object ADD COLUMN tree_boot TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE lease ADD COLUMN mount INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE lease ADD COLUMN uid INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE lease ADD COLUMN uri TEXT NOT NULL DEFAULT '';"
	"DROP TRIGGER object_insert;"
	"DROP TRIGGER object_update;"
	"DROP TRIGGER object_delete;"
	"CREATE TRIGGER object_insert AFTER INSERT ON object BEGIN"
	"	UPDATE total SET objects = objects + new.bytes + new.twin_bytes + new.tree_bytes,"
	"		object_count = object_count + 1;"
	"END;"
	"CREATE TRIGGER object_update AFTER UPDATE OF bytes, twin_bytes, tree_bytes ON object "
	"BEGIN"
	"	UPDATE total SET objects = objects + new.bytes + new.twin_bytes + new.tree_bytes"
	"		- old.bytes - old.twin_bytes - old.tree_bytes;"
	"END;"
	"CREATE TRIGGER object_delete AFTER DELETE ON object BEGIN"
	"	UPDATE total SET objects = objects - old.bytes - old.twin_bytes - old.tree_bytes,"
	"		object_count = object_count - 1;"
	"END;"
	"PRAGMA user_version = 5";

/* Files that others have a name of, and when they were last seen to be what they should. */
static const char upgrade_6[] =
	"ALTER TABLE object ADD COLUMN lent INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE object ADD COLUMN twin_lent INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX lease_path ON lease (directory);"
	"PRAGMA user_version = 6";

/*
 * A lease may be on what has yet to come: its digest is all zeros until the entry with its key is
 * published, and becomes that of this first version (or of the first that is what is expected) in
 * the same moment. If one is there already, at once.
 */
#define LEASE_INSERT                                                                               \
	"CREATE TRIGGER lease_insert AFTER INSERT ON lease "                                       \
	"WHEN new.key IS NOT NULL AND new.digest = zeroblob(32) BEGIN"                             \
	"	UPDATE lease SET digest = (SELECT digest FROM entry WHERE key = new.key)"                \
	"		WHERE id = new.id AND EXISTS"                                                           \
	"			(SELECT 1 FROM entry WHERE key = new.key AND state = 1"                                \
	"				AND (new.expected IS NULL OR new.expected = digest));"                                \
	"END;"

static const char upgrade_7[] =
	"ALTER TABLE lease ADD COLUMN key BLOB;"
	"ALTER TABLE lease ADD COLUMN expected BLOB;"
	"ALTER TABLE lease ADD COLUMN token TEXT;"
	"CREATE INDEX lease_key ON lease (key) WHERE key IS NOT NULL;"
	"CREATE UNIQUE INDEX lease_token ON lease (token) WHERE token IS NOT NULL;" LEASE_INSERT
	"CREATE TRIGGER entry_insert_leased AFTER INSERT ON entry WHEN new.state = 1 BEGIN"
	"	UPDATE lease SET digest = new.digest"
	"		WHERE key = new.key AND digest = zeroblob(32)"
	"			AND (expected IS NULL OR expected = new.digest);"
	"END;"
	"CREATE TRIGGER entry_update_leased AFTER UPDATE OF digest ON entry "
	"WHEN new.state = 1 BEGIN"
	"	UPDATE lease SET digest = new.digest"
	"		WHERE key = new.key AND digest = zeroblob(32)"
	"			AND (expected IS NULL OR expected = new.digest);"
	"END;"
	"PRAGMA user_version = 7";

/* To find what is pinned or unpacked without a look at all the rest. And what is not settled: it
 * was published, hence used, after all up to "settled_used" were looked at. (An index would cost
 * each publication more than it saves.) */
static const char upgrade_8[] =
	"ALTER TABLE total ADD COLUMN settled_used INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX object_tree ON object (tree_bytes) WHERE tree_bytes > 0;"
	"CREATE INDEX entry_pinned ON entry (digest) WHERE pinned;"
	"PRAGMA user_version = 8";

/*
 * For whom it came: the sums of each user, kept by triggers. (Their conflicts would be resolved as
 * the statement says that set them off; so they have none.)
 */
#define OBJECT_BYTES(row) row ".bytes + " row ".twin_bytes + " row ".tree_bytes"
#define SHARE_MORE(bytes)                                                                          \
	"	INSERT INTO share SELECT new.uid, 0 WHERE NOT EXISTS"                                    \
	"		(SELECT 1 FROM share WHERE uid = new.uid);"                                             \
	"	UPDATE share SET bytes = bytes + " bytes " WHERE uid = new.uid;"
#define SHARE_LESS(bytes) "	UPDATE share SET bytes = bytes - (" bytes ") WHERE uid = old.uid;"
#define SHARE_TRIGGER(table, change, when, work)                                                   \
	"CREATE TRIGGER " table change " ON " table " WHEN " when " > 0 BEGIN" work "END;"
#define SHARE_TRIGGERS(table, columns, now, before)                                                \
	SHARE_TRIGGER(table, "_share_insert AFTER INSERT", "new.uid", SHARE_MORE(now))             \
	SHARE_TRIGGER(                                                                             \
		table, "_share_less AFTER UPDATE OF " columns, "old.uid", SHARE_LESS(before))      \
	SHARE_TRIGGER(table, "_share_more AFTER UPDATE OF " columns, "new.uid", SHARE_MORE(now))   \
	SHARE_TRIGGER(table, "_share_delete AFTER DELETE", "old.uid", SHARE_LESS(before))

static const char upgrade_9[] =
	"ALTER TABLE object ADD COLUMN uid INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE reservation ADD COLUMN uid INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE share (uid INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);"
	"CREATE INDEX object_share ON object (uid, used) WHERE uid > 0;" SHARE_TRIGGERS("object",
		"bytes, twin_bytes, tree_bytes, uid", OBJECT_BYTES("new"), OBJECT_BYTES("old"))
		SHARE_TRIGGERS("reservation", "bytes, uid", "new.bytes",
			"old.bytes") "PRAGMA user_version = 9";

/* Numbers of inodes are given again. */
static const char upgrade_10[] =
	"ALTER TABLE lease ADD COLUMN born INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE lease ADD COLUMN file_born INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 10";

static const char *const upgrades[CATALOG_SCHEMA + 1] = {NULL, NULL, upgrade_2, upgrade_3,
	upgrade_4, upgrade_5, upgrade_6, upgrade_7, upgrade_8, upgrade_9, upgrade_10};

_Static_assert(ENTRY_KNOWN == 0 && ENTRY_COMPLETE == 1 && ENTRY_ABSENT == 2, "stored on disk");

int catalog_schema_version(struct db *db, int64_t *ret, struct err *err)
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

int catalog_schema_make(struct db *db, struct err *err)
{
	int64_t version;
	int r = catalog_schema_version(db, &version, err);

	if (r < 0)
		return r;
	if (version == 0) {
		r = db_exec(db, fresh, err);
		version = FRESH_VERSION;
	}
	for (int64_t next = version + 1; r == 0 && next <= CATALOG_SCHEMA; next++)
		r = db_exec(db, upgrades[next], err);
	return r;
}

int catalog_schema_bind_leases(struct db *db, bool bind, struct err *err)
{
	return db_exec(db, bind ? LEASE_INSERT : "DROP TRIGGER lease_insert", err);
}
