/* What the catalog knows of trees: columns of their objects. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>

int catalog_tree_find(struct catalog *catalog, const struct digest *digest,
	struct catalog_tree *ret, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db, "SELECT tree_bytes, tree_boot FROM object WHERE digest = ?1",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	r = db_step(query, err);
	if (r < 0)
		return r;
	if (r == 0 || db_int(query, 0) <= 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "it is not unpacked");
	*ret = (struct catalog_tree){
		.bytes = (uint64_t)db_int(query, 0),
		.of_this_boot = str_equal(db_text(query, 1), catalog->dir->boot_id),
	};
	return 0;
}

/* Under the catalog's lock, in a transaction. */
static int put_tree(struct db *db, const struct digest *digest, uint64_t bytes, const char *boot,
	struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "UPDATE object SET tree_bytes = ?2, tree_boot = ?3 WHERE digest = ?1",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_int(query, 2, (int64_t)bytes);
	db_bind_text(query, 3, boot);
	r = db_run(query, err);
	if (r == 0 && db_changes(db) == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "the index does not know the object");
	return r;
}

int catalog_tree_record(struct catalog *catalog, const struct digest *digest, uint64_t bytes,
	const char *partial, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = put_tree(catalog->db, digest, bytes, catalog->dir->boot_id, err);
	if (r == 0)
		r = catalog_end_reservation(catalog->db, partial, err);
	return r < 0 ? r : catalog_commit(&txn, err);
}

int catalog_tree_forget(
	struct catalog *catalog, const struct digest *digest, uint64_t left, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = put_tree(catalog->db, digest, left, "", err);
	return r < 0 ? r : catalog_commit(&txn, err);
}
