/*
 * Objects that nobody may let go, in the order of those that may go next. They stay where they are
 * in it while others come and go, and gather at its beginning, where each evictor would have to
 * look at all of them.
 */
#include "base/cleanup.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

/* So many at a time, in one transaction, and so often: some milliseconds each. */
#define SOME  512
#define TURNS 8

/* Whether there are some before @used, of whatever kind. 1, 0 or -errno. */
static int are_many(struct catalog *catalog, int64_t used, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT 1 FROM object WHERE used < ?1 ORDER BY used LIMIT 1 OFFSET ?2", &query,
		err);

	if (r < 0)
		return r;
	db_bind_int(query, 1, used);
	db_bind_int(query, 2, SOME - 1);
	return db_step(query, err);
}

/* How many those were, or -errno. */
static int pass_over_some(struct catalog *catalog, int64_t used, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int64_t changed;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db,
			"UPDATE object SET used = " CATALOG_NEXT_USE
			" WHERE rowid IN (SELECT o.rowid"
			" FROM object AS o WHERE o.used < ?1 AND " CATALOG_IS_HELD
			" ORDER BY o.used LIMIT ?2)",
			&query, err);
	if (r < 0)
		return r;
	db_bind_int(query, 1, used);
	db_bind_int(query, 2, SOME);
	r = db_run(query, err);
	db_resetp(&query);
	changed = db_changes(catalog->db);
	if (r == 0)
		r = catalog_commit(&txn, err);
	return r < 0 ? r : (int)changed;
}

int catalog_pass_over(struct catalog *catalog, int64_t used, struct err *err)
{
	int r = 0;

	for (int i = 0; i < TURNS; i++) {
		r = are_many(catalog, used, err);
		if (r > 0)
			r = pass_over_some(catalog, used, err);
		if (r < SOME)
			break;
	}
	return r < 0 ? r : 0;
}
