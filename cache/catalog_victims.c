/* Who goes next, and what an evictor looks at before he lets it go. */
#include "base/cleanup.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#define VICTIMS(where)                                                                             \
	"SELECT o.digest, o.bytes + o.twin_bytes + o.tree_bytes, o.used, o.rowid"                  \
	" FROM object AS o WHERE " where "(o.used, o.rowid) > (?2, ?3)"                            \
	" AND NOT " CATALOG_IS_HELD " ORDER BY o.used, o.rowid LIMIT ?1"

int catalog_victims(struct catalog *catalog, uid_t uid, size_t max, const struct victim *after,
	struct victim *ret, size_t *ret_count, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	size_t count = 0;
	/* the condition is that of the index */
	int r = db_query(catalog->db,
		uid > 0 ? VICTIMS("o.uid = ?4 AND o.uid > 0 AND ") : VICTIMS(""), &query, err);

	if (r < 0)
		return r;
	db_bind_int(query, 1, (int64_t)max);
	db_bind_int(query, 2, after ? after->used : INT64_MIN);
	db_bind_int(query, 3, after ? after->row : INT64_MIN);
	if (uid > 0)
		db_bind_int(query, 4, uid);
	while ((r = db_step(query, err)) > 0) {
		if (!db_blob(query, 0, ret[count].digest.bytes, DIGEST_SIZE))
			return db_damaged(catalog->db, "a damaged object", err);
		ret[count].bytes = (uint64_t)db_int(query, 1);
		ret[count].used = db_int(query, 2);
		ret[count].row = db_int(query, 3);
		count++;
	}
	if (r < 0)
		return r;
	*ret_count = count;
	return 0;
}

/* ---- one of them ---- */

#define HELD                                                                                       \
	"(EXISTS (SELECT 1 FROM entry WHERE digest = ?1 AND pinned)"                               \
	" OR EXISTS (SELECT 1 FROM lease WHERE digest = ?1))"

int catalog_is_held(struct catalog *catalog, const struct digest *digest, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db, "SELECT 1 WHERE " HELD, &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	return db_step(query, err);
}

/* Under the catalog's lock, as is what follows. */
static int read_entries(struct catalog *catalog, const struct digest *digest, size_t max,
	struct entry *ret, size_t *ret_count, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(
		catalog->db, CATALOG_ENTRY_SELECT " WHERE e.digest = ?1 LIMIT ?2", &query, err);

	*ret_count = 0;
	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	db_bind_int(query, 2, (int64_t)max);
	while ((r = db_step(query, err)) > 0) {
		r = catalog_read_entry(catalog, query, &ret[*ret_count], err);
		if (r < 0)
			return r;
		(*ret_count)++;
	}
	return r;
}

int catalog_entries_of(struct catalog *catalog, const struct digest *digest, size_t max,
	struct entry *ret, size_t *ret_count, struct err *err)
{
	WITH_CATALOG(catalog);

	return read_entries(catalog, digest, max, ret, ret_count, err);
}

static int read_prospect(struct catalog *catalog, struct prospect *prospect, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT " HELD ", ifnull((SELECT bytes + twin_bytes + tree_bytes FROM object"
		" WHERE digest = ?1), 0)",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, prospect->digest.bytes, sizeof(prospect->digest.bytes));
	r = db_step(query, err);
	if (r < 0)
		return r;
	prospect->held = db_int(query, 0) != 0;
	prospect->bytes = (uint64_t)db_int(query, 1);
	if (prospect->held)
		return 0;
	return read_entries(
		catalog, &prospect->digest, PROSPECT_NAMES, prospect->names, &prospect->count, err);
}

int catalog_prospects(
	struct catalog *catalog, struct prospect *prospects, size_t count, struct err *err)
{
	WITH_CATALOG(catalog);
	/* in one transaction: each by itself would lock the index, and look whether it changed */
	int r = db_exec(catalog->db, "BEGIN", err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_prospect(catalog, &prospects[i], err);
	db_rollback(catalog->db);
	return r;
}

void catalog_prospect_release(struct prospect *prospect)
{
	for (size_t i = 0; i < prospect->count; i++)
		entry_release(&prospect->names[i]);
	prospect->count = 0;
}
