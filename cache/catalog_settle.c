/*
 * Which objects outlive a power cut. Nothing is synced file by file: what is published counts for
 * the boot in which it was; of another boot it is looked at before its first use, unless one
 * syncfs() for all of the file system began after it was written, and succeeded.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

int catalog_trust(struct catalog *catalog, const struct digest *digest, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int r = catalog_begin(catalog, &txn, err);

	/* what was read may be nowhere but in memory: as if it had been published now */
	if (r == 0)
		r = db_query(catalog->db,
			"UPDATE object SET boot = ?2, settled = ?3 WHERE digest = ?1", &query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_text(query, 2, catalog->dir->boot_id);
	db_bind_int(query, 3, -clock_boot_ms());
	r = db_run(query, err);
	db_resetp(&query);
	/* to be found by who settles, though nobody has used it */
	if (r == 0)
		r = db_query(catalog->db,
			"UPDATE total SET settled_used = min(settled_used,"
			"	ifnull((SELECT used - 1 FROM object WHERE digest = ?1), "
			"settled_used))",
			&query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	r = db_run(query, err);
	db_resetp(&query);
	return r < 0 ? r : catalog_commit_visible(&txn, err);
}

int catalog_last_used(
	struct catalog *catalog, int64_t *ret_used, int64_t *ret_settled, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT (SELECT ifnull(max(used), 0) FROM object), settled_used FROM total", &query,
		err);

	if (r == 0)
		r = db_step(query, err);
	if (r < 0)
		return r;
	*ret_used = db_int(query, 0);
	*ret_settled = db_int(query, 1);
	return 0;
}

#define UNSETTLED                                                                                  \
	" FROM object WHERE used > (SELECT settled_used FROM total)"                               \
	" AND settled <= 0 AND settled >= ?2 AND boot = ?1"

int catalog_has_unsettled(struct catalog *catalog, int64_t boot_ms, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db, "SELECT 1" UNSETTLED " LIMIT 1", &query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, catalog->dir->boot_id);
	db_bind_int(query, 2, -boot_ms);
	return db_step(query, err);
}

int catalog_settle(struct catalog *catalog, int64_t boot_ms, int max, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int64_t changed;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db,
			"UPDATE object SET settled = 1 WHERE rowid IN (SELECT rowid" UNSETTLED
			" LIMIT ?3)",
			&query, err);
	if (r < 0)
		return r;
	db_bind_text(query, 1, catalog->dir->boot_id);
	db_bind_int(query, 2, -boot_ms);
	db_bind_int(query, 3, max);
	r = db_run(query, err);
	db_resetp(&query);
	changed = db_changes(catalog->db);
	/* for who asks, an entry is what it was */
	if (r == 0)
		r = catalog_commit(&txn, err);
	return r < 0 ? r : (int)changed;
}

int catalog_all_settled(struct catalog *catalog, int64_t used, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db,
			"UPDATE total SET settled_used = max(settled_used, min(?1, ifnull((SELECT"
			"	min(used) - 1 FROM object WHERE used > settled_used AND used <= ?1"
			"		AND settled <= 0 AND boot = ?2), ?1)))",
			&query, err);
	if (r < 0)
		return r;
	db_bind_int(query, 1, used);
	db_bind_text(query, 2, catalog->dir->boot_id);
	r = db_run(query, err);
	db_resetp(&query);
	return r < 0 ? r : catalog_commit(&txn, err);
}

int catalog_unsettle(struct catalog *catalog, int64_t boot_ms, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db,
			"UPDATE object SET boot = '' WHERE rowid IN (SELECT rowid" UNSETTLED ")",
			&query, err);
	if (r < 0)
		return r;
	db_bind_text(query, 1, catalog->dir->boot_id);
	db_bind_int(query, 2, -boot_ms);
	r = db_run(query, err);
	db_resetp(&query);
	return r < 0 ? r : catalog_commit_visible(&txn, err);
}
