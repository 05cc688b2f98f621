/* What is known of objects, whatever they stand for. */
#include "base/cleanup.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>

int catalog_file(struct catalog *catalog, const struct digest *digest, bool executable,
	struct catalog_file *ret, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT size, xxh3, CASE WHEN ?2 THEN twin_lent ELSE lent END, settled, boot,"
		" CASE WHEN ?2 THEN twin_bytes ELSE bytes END, uid FROM object WHERE digest = ?1",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_int(query, 2, executable);
	r = db_step(query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
	*ret = (struct catalog_file){
		.size = (uint64_t)db_int(query, 0),
		.hash = (uint64_t)db_int(query, 1),
		.bytes = (uint64_t)db_int(query, 5),
		.lent = db_int(query, 2),
		.unsure = !catalog_is_sure(catalog, db_int(query, 3), db_text(query, 4)),
		.uid = (uid_t)db_int(query, 6),
	};
	/* what the row says is of the other one: it knows nothing of this */
	ret->unsure |= ret->size > 0 && ret->bytes == 0;
	return 0;
}

int catalog_lend(struct catalog *catalog, const struct digest *digest, bool executable,
	int64_t changed_ns, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db,
			executable ? "UPDATE object SET twin_lent = ?2 WHERE digest = ?1"
				   : "UPDATE object SET lent = ?2 WHERE digest = ?1",
			&query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	/* 0 says that it never was lent */
	db_bind_int(query, 2, changed_ns != 0 ? changed_ns : 1);
	r = db_run(query, err);
	db_resetp(&query);
	return r < 0 ? r : catalog_commit_visible(&txn, err);
}

/* @sql: digests after ?1, at most ?2. */
static int read_digests(struct catalog *catalog, const char *sql, const struct digest *after,
	size_t max, struct digest *ret, size_t *ret_count, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	size_t count = 0;
	int r = db_query(catalog->db, sql, &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, after->bytes, sizeof(after->bytes));
	db_bind_int(query, 2, (int64_t)max);
	while ((r = db_step(query, err)) > 0)
		if (!db_blob(query, 0, ret[count++].bytes, DIGEST_SIZE))
			return db_damaged(catalog->db, "a damaged object", err);
	*ret_count = count;
	return r;
}

int catalog_objects(struct catalog *catalog, const struct digest *after, size_t max,
	struct digest *ret, size_t *ret_count, struct err *err)
{
	return read_digests(catalog,
		"SELECT digest FROM object WHERE digest > ?1 ORDER BY digest LIMIT ?2", after, max,
		ret, ret_count, err);
}

int catalog_composed(struct catalog *catalog, const struct digest *after, size_t max,
	struct digest *ret, size_t *ret_count, struct err *err)
{
	return read_digests(catalog,
		"SELECT digest FROM object WHERE digest > ?1"
		" AND ((bytes > 0 AND twin_bytes > 0) OR tree_bytes > 0)"
		" ORDER BY digest LIMIT ?2",
		after, max, ret, ret_count, err);
}

int catalog_file_gone(
	struct catalog *catalog, const struct digest *digest, bool executable, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db,
			executable ? "UPDATE object SET twin_bytes = 0, twin_lent = 0"
				     " WHERE digest = ?1"
				   : "UPDATE object SET bytes = 0, lent = 0 WHERE digest = ?1",
			&query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	r = db_run(query, err);
	db_resetp(&query);
	return r < 0 ? r : catalog_commit_visible(&txn, err);
}
