/* What the content of objects hashes to, other than by SHA-256, as the catalog remembers it. */
#include "base/cleanup.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>

_Static_assert(CHECKSUM_MD5 == 1 && CHECKSUM_SHA1 == 2 && CHECKSUM_SHA512 == 3, "stored on disk");

int catalog_put_checksum(struct db *db, const struct digest *digest,
	const struct checksum *checksum, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r;

	if (checksum->kind == CHECKSUM_NONE || checksum->kind == CHECKSUM_SHA256)
		return 0;
	/* without its object a row would stay for ever */
	r = db_query(db,
		"INSERT OR REPLACE INTO checksum (digest, kind, value)"
		" SELECT digest, ?2, ?3 FROM object WHERE digest = ?1",
		&query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_int(query, 2, checksum->kind);
	db_bind_blob(query, 3, checksum->bytes, checksum_size(checksum->kind));
	return db_run(query, err);
}

int catalog_checksum_add(struct catalog *catalog, const struct digest *digest,
	const struct checksum *checksum, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = catalog_put_checksum(catalog->db, digest, checksum, err);
	/* no entry changed: readers of the index need not look again */
	return r < 0 ? r : catalog_commit(&txn, err);
}

int catalog_checksum(struct catalog *catalog, const struct digest *digest, enum checksum_kind kind,
	struct checksum *ret, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	struct checksum checksum = {.kind = kind};
	int r = db_query(catalog->db, "SELECT value FROM checksum WHERE digest = ?1 AND kind = ?2",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_int(query, 2, kind);
	r = db_step(query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(
			err, ERR_SYSTEM, ENOENT, "no %s of it is known", checksum_kind_name(kind));
	if (!db_blob(query, 0, checksum.bytes, checksum_size(kind)))
		return db_damaged(catalog->db, "a damaged checksum", err);
	*ret = checksum;
	return 0;
}

int catalog_find_checksum(struct catalog *catalog, const struct checksum *checksum,
	const char *scope, struct entry *ret, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r;

	if (checksum->kind == CHECKSUM_SHA256)
		r = db_query(catalog->db,
			CATALOG_ENTRY_SELECT
			" WHERE e.digest = ?1 AND e.state = 1 AND " CATALOG_VISIBLE
			" ORDER BY e.scope LIMIT 1",
			&query, err);
	else
		r = db_query(catalog->db,
			CATALOG_ENTRY_SELECT
			" JOIN checksum AS c ON c.digest = e.digest"
			" WHERE c.value = ?1 AND c.kind = ?3 AND e.state = 1 AND " CATALOG_VISIBLE
			" ORDER BY e.scope LIMIT 1",
			&query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, checksum->bytes, checksum_size(checksum->kind));
	db_bind_text(query, 2, scope);
	if (checksum->kind != CHECKSUM_SHA256)
		db_bind_int(query, 3, checksum->kind);
	return catalog_read_first(catalog, query, ret, err);
}

int catalog_find_digest(struct catalog *catalog, const struct digest *digest, const char *scope,
	struct entry *ret, struct err *err)
{
	const struct checksum checksum = checksum_of_digest(digest);

	return catalog_find_checksum(catalog, &checksum, scope, ret, err);
}
