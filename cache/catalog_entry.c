/* Single entries of the catalog. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void entry_release(struct entry *entry)
{
	if (!entry)
		return;
	free(entry->scope);
	free(entry->uri);
	free(entry->etag);
	free(entry->type);
	*entry = (struct entry){.size = -1};
}

bool entry_copy(const struct entry *entry, struct entry *ret)
{
	struct entry copy = *entry;

	copy.scope = str_copy(entry->scope);
	copy.uri = str_copy(entry->uri);
	copy.etag = str_copy(entry->etag);
	copy.type = str_copy(entry->type);
	if (!copy.scope || !copy.uri || (entry->etag && !copy.etag) ||
		(entry->type && !copy.type)) {
		entry_release(&copy);
		return false;
	}
	*ret = copy;
	return true;
}

bool catalog_is_sure(const struct catalog *catalog, int64_t settled, const char *boot)
{
	return settled == 1 || str_equal(boot, catalog->dir->boot_id);
}

int catalog_read_entry(
	const struct catalog *catalog, struct db_query *query, struct entry *ret, struct err *err)
{
	const char *etag = db_text(query, 9);
	const char *type = db_text(query, 16);
	struct entry entry = {
		.scope = str_copy(db_text(query, 1)),
		.uri = str_copy(db_text(query, 2)),
		.state = (enum entry_state)db_int(query, 3),
		.has_query = db_int(query, 4) != 0,
		.executable = db_int(query, 5) != 0,
		.pinned = db_int(query, 6) != 0,
		.size = db_int(query, 8),
		.etag = str_copy(etag),
		.type = str_copy(type),
		.modified = db_int(query, 10),
		.fetched = db_int(query, 11),
		.verified = db_int(query, 12),
		.expires = db_int(query, 13),
		.last_used = db_int(query, 14),
		.must_ask = db_int(query, 15) != 0,
		.lent = db_int(query, 17),
	};

	entry.unsure = entry.state == ENTRY_COMPLETE &&
		       !catalog_is_sure(catalog, db_int(query, 18), db_text(query, 19));

	if (!db_text(query, 1) || !db_text(query, 2) || entry.state > ENTRY_ABSENT ||
		!db_blob(query, 0, entry.key.bytes, sizeof(entry.key.bytes)) ||
		(entry.state == ENTRY_COMPLETE &&
			!db_blob(query, 7, entry.digest.bytes, sizeof(entry.digest.bytes)))) {
		entry_release(&entry);
		return db_damaged(catalog->db, "a damaged entry", err);
	}
	if (!entry.scope || !entry.uri || (etag && !entry.etag) || (type && !entry.type)) {
		entry_release(&entry);
		return err_oom(err);
	}
	*ret = entry;
	return 0;
}

int catalog_read_first(
	const struct catalog *catalog, struct db_query *query, struct entry *ret, struct err *err)
{
	int r = db_step(query, err);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
	return catalog_read_entry(catalog, query, ret, err);
}

int catalog_find(
	struct catalog *catalog, const struct entry_key *key, struct entry *ret, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db, CATALOG_ENTRY_SELECT " WHERE e.key = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, key->bytes, sizeof(key->bytes));
	return catalog_read_first(catalog, query, ret, err);
}

int catalog_recall(
	struct catalog *catalog, const struct entry_key *key, struct entry *ret, struct err *err)
{
	/* before it is read: what comes in between is then seen to have come */
	uint32_t changes = cachedir_changes(catalog->dir);
	int r;

	if (recall_find(catalog->recall, key, changes, ret))
		return 0;
	r = catalog_find(catalog, key, ret, err);
	if (r == 0)
		recall_keep(catalog->recall, ret, changes);
	return r;
}

/* ---- changes: in a transaction ----
 *
 * Most rows are new. So they are inserted OR IGNORE, which needs no savepoint for each, and changed
 * by another statement where they are there.
 */

/* What OR IGNORE ignores is also a row that breaks a rule, which then is not there to be changed.
 */
static int check_changed(const struct db *db, struct err *err)
{
	if (db_changes(db) > 0)
		return 0;
	return err_set(err, ERR_SYSTEM, EINVAL, "index: a row that lacks what it must have");
}

static int run_on_entry(struct db *db, const char *sql, const struct entry *entry, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, sql, &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, entry->key.bytes, sizeof(entry->key.bytes));
	db_bind_text(query, 2, entry->scope);
	db_bind_text(query, 3, entry->uri);
	db_bind_int(query, 4, entry->state);
	db_bind_int(query, 5, entry->has_query);
	db_bind_int(query, 6, entry->executable);
	db_bind_int(query, 7, entry->pinned);
	if (entry->state == ENTRY_COMPLETE)
		db_bind_blob(query, 8, entry->digest.bytes, sizeof(entry->digest.bytes));
	db_bind_int(query, 9, entry->size);
	db_bind_text(query, 10, entry->etag);
	db_bind_int(query, 11, entry->modified);
	db_bind_int(query, 12, entry->fetched);
	db_bind_int(query, 13, entry->verified);
	db_bind_int(query, 14, entry->expires);
	db_bind_int(query, 15, entry->must_ask);
	db_bind_text(query, 16, entry->type);
	return db_run(query, err);
}

static int put_entry(
	struct db *db, const struct entry *entry, struct journal *journal, struct err *err)
{
	int r = run_on_entry(db,
		"INSERT OR IGNORE INTO entry (key, scope, uri, state, has_query, executable,"
		"	pinned, digest, size, etag, modified, fetched, verified, expires, must_ask,"
		"	type)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
		entry, err);

	if (r < 0 || db_changes(db) > 0)
		return r;
	if (entry->state != ENTRY_COMPLETE && journal)
		journal_incomplete(journal, &entry->key);
	r = run_on_entry(db,
		"UPDATE OR ROLLBACK entry SET state = ?4, executable = ?6, digest = ?8, size = ?9,"
		"	etag = ?10, modified = ?11, fetched = ?12, verified = ?13, expires = ?14,"
		"	must_ask = ?15, type = ?16 WHERE key = ?1",
		entry, err);
	return r < 0 ? r : check_changed(db, err);
}

static int run_on_object(struct catalog *catalog, const char *sql, const struct entry *entry,
	const struct catalog_object *object, struct err *err)
{
	int64_t now = entry->verified > entry->fetched ? entry->verified : entry->fetched;
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db, sql, &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, entry->digest.bytes, sizeof(entry->digest.bytes));
	db_bind_int(query, 2, entry->size);
	db_bind_int(query, 3, entry->executable ? 0 : (int64_t)object->blocks);
	db_bind_int(query, 4, entry->executable ? (int64_t)object->blocks : 0);
	db_bind_int(query, 5, (int64_t)object->hash);
	db_bind_int(query, 6, now);
	db_bind_text(query, 7, object->fresh ? catalog->dir->boot_id : "");
	db_bind_int(query, 8, -clock_boot_ms());
	db_bind_int(query, 9, entry->uid);
	return db_run(query, err);
}

/*
 * The row of an object. An empty boot says: the file was there before us, and nobody knows whether
 * it survived the last power cut. A row that needs that check keeps needing it when another file
 * (the twin) joins it; a settled one is unsettled by the new file. Whose share it is on it stays,
 * unless it is wanted by somebody who has none.
 */
static int put_object(struct catalog *catalog, const struct entry *entry,
	const struct catalog_object *object, struct err *err)
{
	int r = run_on_object(catalog,
		"INSERT OR IGNORE INTO object (digest, size, bytes, twin_bytes, xxh3, used,"
		"	last_used, boot, settled, uid)"
		" VALUES (?1, ?2, ?3, ?4, ?5, " CATALOG_NEXT_USE ", ?6,"
		"	?7, ?8, ?9)",
		entry, object, err);

	if (r < 0 || db_changes(catalog->db) > 0)
		return r;
	r = run_on_object(catalog,
		"UPDATE OR ROLLBACK object SET bytes = max(bytes, ?3),"
		"	twin_bytes = max(twin_bytes, ?4),"
		"	used = " CATALOG_NEXT_USE ", last_used = ?6,"
		"	boot = CASE WHEN ?7 != '' AND (settled = 1 OR boot = ?7) THEN ?7 ELSE boot "
		"END,"
		"	settled = CASE WHEN settled = 1 AND ?7 = '' THEN 1 ELSE ?8 END,"
		"	uid = CASE ?9 WHEN 0 THEN 0 ELSE uid END"
		" WHERE digest = ?1",
		entry, object, err);
	return r < 0 ? r : check_changed(catalog->db, err);
}

int catalog_put(struct catalog *catalog, const struct entry *entry,
	const struct catalog_object *object, struct err *err)
{
	int r = entry->beside ? 0 : put_entry(catalog->db, entry, catalog->journal, err);

	if (r < 0 || entry->state != ENTRY_COMPLETE)
		return r;
	r = put_object(catalog, entry, object, err);
	if (r == 0 && object->verified)
		r = catalog_put_checksum(catalog->db, &entry->digest, object->verified, err);
	if (r == 0 && catalog->journal && !entry->beside)
		journal_entry(catalog->journal, entry, object->hash);
	return r;
}

int catalog_publish(struct catalog *catalog, const struct entry *entry,
	const struct catalog_object *object, const char *partial, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = catalog_put(catalog, entry, object, err);
	if (r == 0 && partial)
		r = catalog_end_reservation(catalog->db, partial, err);
	return r < 0 ? r : catalog_commit_visible(&txn, err);
}

static int shrink_reservation(struct db *db, const char *partial, uint64_t left, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r;

	if (left == 0)
		return catalog_end_reservation(db, partial, err);
	r = db_query(db, "UPDATE reservation SET bytes = ?2 WHERE partial = ?1", &query, err);
	if (r < 0)
		return r;
	db_bind_text(query, 1, partial);
	db_bind_int(query, 2, (int64_t)left);
	return db_run(query, err);
}

int catalog_publish_all(struct catalog *catalog, const struct catalog_item *items, size_t count,
	const char *partial, uint64_t left, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = catalog_put(catalog, items[i].entry, &items[i].object, err);
	if (r == 0)
		r = shrink_reservation(catalog->db, partial, left, err);
	return r < 0 ? r : catalog_commit_visible(&txn, err);
}

int catalog_record(struct catalog *catalog, const struct entry *entry, uint64_t object_blocks,
	uint64_t hash, const char *partial, struct err *err)
{
	struct catalog_object object = {.blocks = object_blocks, .hash = hash};

	return catalog_publish(catalog, entry, &object, partial, err);
}

/* Write it down, with the numbers. */
typedef void note_change(
	struct journal *journal, const struct entry_key *key, const int64_t *numbers);

static void note_gone(struct journal *journal, const struct entry_key *key, const int64_t *numbers)
{
	(void)numbers;
	journal_gone(journal, key);
}

static int try_to_change(struct catalog *catalog, const char *sql, const struct entry_key *key,
	const int64_t *numbers, int count, note_change *note, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db, sql, &query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, key->bytes, sizeof(key->bytes));
	for (int i = 0; i < count; i++)
		db_bind_int(query, 2 + i, numbers[i]);
	r = db_run(query, err);
	db_resetp(&query);
	if (r < 0)
		return r;
	if (db_changes(catalog->db) == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
	if (note)
		note(catalog->journal, key, numbers);
	return catalog_commit_visible(&txn, err);
}

/*
 * Run @sql, which changes the entry ?1 with the numbers ?2 … -ENOENT: there is no such entry. That
 * what was pinned or known no longer is lets others go: it is recorded on a full disk, too.
 */
static int change_entry(struct catalog *catalog, const char *sql, const struct entry_key *key,
	const int64_t *numbers, int count, note_change *note, struct err *err)
{
	int r = try_to_change(catalog, sql, key, numbers, count, note, err);

	while (note && catalog_made_way(catalog, r))
		r = try_to_change(catalog, sql, key, numbers, count, note, err);
	return r;
}

int catalog_confirm(struct catalog *catalog, const struct entry_key *key, int64_t now,
	int64_t expires, bool must_ask, struct err *err)
{
	const int64_t numbers[] = {now, expires, must_ask};

	/* an old journal knows an older time: its origin is asked again, which costs no bytes */
	return change_entry(catalog,
		"UPDATE entry SET verified = ?2, expires = ?3, must_ask = must_ask OR ?4"
		" WHERE key = ?1",
		key, numbers, 3, NULL, err);
}

int catalog_remove(struct catalog *catalog, const struct entry_key *key, struct err *err)
{
	/* the object stays until eviction takes it: others may use it */
	return change_entry(
		catalog, "DELETE FROM entry WHERE key = ?1", key, NULL, 0, note_gone, err);
}

int catalog_forget(struct catalog *catalog, const struct entry_key *key, struct err *err)
{
	const int64_t complete = ENTRY_COMPLETE;
	int r = change_entry(catalog, "DELETE FROM entry WHERE key = ?1 AND state != ?2", key,
		&complete, 1, note_gone, err);

	return r == -ENOENT ? 0 : r;
}

void catalog_touch(struct catalog *catalog, const struct digest *digest, int64_t now)
{
	touches_add(catalog->touches, digest, now);
}

void catalog_write_touches(struct catalog *catalog)
{
	(void)touches_write(catalog->touches, NULL); /* it blurs the order */
}
