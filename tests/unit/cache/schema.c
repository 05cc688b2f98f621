/* An index that an older program made, and one that a newer program made. */
#include "cache/db.h"
#include "tests/unit/cache/fixture.h"

#include <inttypes.h>

/* As the first version made it. */
static const char schema_1[] =
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

#define URI "https://example.org/a"

static void fill_first(struct db *db)
{
	struct entry_key key = key_of(URI);
	char hex[ENTRY_KEY_HEX_SIZE];
	CLEANUP(str_freep) char *sql = NULL;
	struct err err = ERR_INIT;

	entry_key_hex(&key, hex);
	sql = str_printf(
		"INSERT INTO entry VALUES (x'%s', '', '" URI "', 1, 0, 0, 1,"
		"	x'%064d', 5000, '\"etag\"', 6, 7, 8, 9);"
		"INSERT INTO entry VALUES (x'00', '', '" URI "/known', 0, 0, 0, 0,"
		"	NULL, -1, NULL, -1, 0, 0, 0);"
		"INSERT INTO object VALUES (x'%064d', 5000, 8192, 0, 10, 11, 12, 'boot', 1);"
		"INSERT INTO reservation VALUES ('some', 4096);"
		"INSERT INTO lease VALUES (1, '/d', 2, 3, 'n', 'copy', 4, x'%064d', 5, 'b', 0)",
		hex, 1, 1, 1);
	cr_assert_eq(db_exec(db, sql, &err), 0, "%s", err.msg);
}

/* The index of @cache, closed, becomes one of the first version. */
static void make_first(struct cache *cache)
{
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", cache->path);
	struct err err = ERR_INIT;
	struct db *db;

	catalog_close(cache->store.catalog);
	cache->store.catalog = NULL;
	for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL}; *end;
		end++) {
		CLEANUP(str_freep) char *file = str_printf("%s%s", path, *end);

		unlink(file);
	}
	cr_assert_eq(db_open(path, &db, &err), 0, "%s", err.msg);
	cr_assert_eq(db_exec(db, schema_1, &err), 0, "%s", err.msg);
	fill_first(db);
	db_close(db);
}

static void expect_usage(struct catalog *catalog, uint64_t objects, uint64_t count,
	uint64_t reserved, uint64_t entries)
{
	struct usage usage;

	cr_assert_eq(catalog_usage(catalog, &usage, NULL), 0);
	cr_assert_eq(usage.objects, objects, "%" PRIu64 " bytes of objects", usage.objects);
	cr_assert_eq(usage.object_count, count);
	cr_assert_eq(usage.reserved, reserved);
	cr_assert_eq(usage.entries, entries);
}

static int note_births(const struct lease *lease, void *arg)
{
	int64_t *births = arg;

	births[lease->id - 1] = lease->born;
	births[lease->id + 1] = lease->file_born;
	return 0;
}

Test(schema, leases_of_the_first_version_are_of_an_unknown_birth)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct lease lease = {
		.directory = (char *)(uintptr_t) "/d",
		.born = 1700000000123456789,
		.name = (char *)(uintptr_t) "m",
		.method = (char *)(uintptr_t) "copy",
		.file_born = -1,
	};
	int64_t births[4] = {-1, -1, -1, -1};
	struct err err = ERR_INIT;

	make_first(cache);
	cr_assert_eq(catalog_open(&cache->dir, &cache->store.catalog, &err), 0, "%s", err.msg);
	cr_assert_eq(catalog_lease_add(cache->store.catalog, &lease, 1, &err), 0, "%s", err.msg);
	cr_assert_eq(lease.id, 2);
	cr_assert_eq(catalog_leases(cache->store.catalog, 0, 0, note_births, births, NULL), 0);
	cr_expect_eq(births[0], 0);
	cr_expect_eq(births[1], 1700000000123456789);
	cr_expect_eq(births[2], 0);
	cr_expect_eq(births[3], -1);
}

Test(schema, first_version_is_brought_up_to_date_in_place)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(entry_release) struct entry is = {.size = -1};
	struct checksum sha512 = {.kind = CHECKSUM_SHA512, .bytes = {1}};
	struct entry_key key = key_of(URI);
	struct checksum found;
	struct err err = ERR_INIT;
	struct catalog *catalog;

	make_first(cache);
	cr_assert_eq(catalog_open(&cache->dir, &catalog, &err), 0, "%s", err.msg);
	cache->store.catalog = catalog;
	cr_assert_eq(catalog_find(catalog, &key, &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(is.uri, URI);
	cr_assert_str_eq(is.etag, "\"etag\"");
	cr_assert(is.pinned && !is.must_ask);
	cr_assert_eq(is.digest.bytes[DIGEST_SIZE - 1], 1);
	cr_assert_eq(is.size, 5000);
	cr_assert_eq(is.modified, 6);
	cr_assert_eq(is.fetched, 7);
	cr_assert_eq(is.verified, 8);
	cr_assert_eq(is.expires, 9);
	cr_assert_eq(is.last_used, 12);
	cr_assert_eq(catalog_has_children(catalog, URI "/", "", NULL), 1);
	cr_assert_eq(catalog_is_held(catalog, &is.digest, NULL), 1, "pinned and leased");
	expect_usage(catalog, 8192, 1, 4096, 1);

	cr_assert_eq(catalog_checksum_add(catalog, &is.digest, &sha512, &err), 0, "%s", err.msg);
	cr_assert_eq(catalog_checksum(catalog, &is.digest, CHECKSUM_SHA512, &found, &err), 0, "%s",
		err.msg);
}

Test(schema, totals_and_checksums_of_an_upgraded_index_follow_its_rows)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(entry_release) struct entry is = {.size = -1};
	struct checksum sha512 = {.kind = CHECKSUM_SHA512, .bytes = {1}};
	struct entry_key key = key_of(URI);
	struct catalog_tree tree;
	struct checksum found;
	struct catalog *catalog;
	struct room_lacking lacking;

	make_first(cache);
	cr_assert_eq(catalog_open(&cache->dir, &catalog, NULL), 0);
	cache->store.catalog = catalog;
	cr_assert_eq(catalog_find(catalog, &key, &is, NULL), 0);
	cr_assert_eq(catalog_checksum_add(catalog, &is.digest, &sha512, NULL), 0);
	cr_assert_eq(catalog_record(catalog, &is, 12288, 10, "some", NULL), 0);
	expect_usage(catalog, 12288, 1, 0, 1);
	cr_assert_eq(catalog_tree_find(catalog, &is.digest, &tree, NULL), -ENOENT);
	cr_assert_eq(catalog_reserve(catalog,
			     &(struct room_wish){
				     .partial = "tree", .bytes = 8192, .limit = UINT64_MAX / 2},
			     &lacking, NULL),
		0);
	cr_assert_eq(catalog_tree_record(catalog, &is.digest, 8192, "tree", NULL), 0);
	expect_usage(catalog, 20480, 1, 0, 1);
	cr_assert_eq(catalog_tree_find(catalog, &is.digest, &tree, NULL), 0);
	cr_assert(tree.bytes == 8192 && tree.of_this_boot);
	cr_assert_eq(catalog_record(catalog, &is, 12288, 10, "none", NULL), 0);
	expect_usage(catalog, 20480, 1, 0, 1); /* it stays when the artifact is confirmed */
	cr_assert_eq(catalog_tree_forget(catalog, &is.digest, 0, NULL), 0);
	expect_usage(catalog, 12288, 1, 0, 1);
	cr_assert_eq(catalog_tree_record(catalog, &is.digest, 8192, "tree", NULL), 0);
	cr_assert_eq(catalog_object_gone(catalog, &is.digest, NULL), 0);
	expect_usage(catalog, 0, 0, 0, 0);
	cr_assert_eq(catalog_checksum(catalog, &is.digest, CHECKSUM_SHA512, &found, NULL), -ENOENT);
}

Test(schema, newer_schema_is_refused)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", cache->path);
	struct catalog *catalog;
	struct err err = ERR_INIT;
	struct db *db;

	cr_assert_eq(db_open(path, &db, &err), 0);
	cr_assert_eq(db_exec(db, "PRAGMA user_version = 1000", &err), 0);
	db_close(db);
	cr_assert_eq(catalog_open(&cache->dir, &catalog, &err), -ENOTSUP);
	cr_assert(strstr(err.msg, "newer"), "%s", err.msg);
}
