/* The totals and the shares, which triggers keep, taken anew from what they are the sums of. */
#include "base/cleanup.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#define OBJECTS  "(SELECT ifnull(sum(bytes + twin_bytes + tree_bytes), 0) FROM object)"
#define COUNT    "(SELECT count(*) FROM object)"
#define RESERVED "(SELECT ifnull(sum(bytes), 0) FROM reservation)"
#define COMPLETE "(SELECT count(*) FROM entry WHERE state = 1)"

/* Without an end, for those who add a term. */
#define ON_SHARES                                                                                  \
	"SELECT uid, bytes + twin_bytes + tree_bytes AS bytes FROM object WHERE uid > 0"           \
	" UNION ALL SELECT uid, bytes FROM reservation WHERE uid > 0"

/* 1, 0 or -errno. */
static int is_wrong(struct catalog *catalog, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT 1 FROM total WHERE objects != " OBJECTS " OR object_count != " COUNT
		"	OR reserved != " RESERVED " OR complete != " COMPLETE
		" UNION ALL SELECT 1 FROM (" ON_SHARES " UNION ALL SELECT uid, -bytes FROM share)"
		"	GROUP BY uid HAVING sum(bytes) != 0"
		" LIMIT 1",
		&query, err);

	return r < 0 ? r : db_step(query, err);
}

static int run(struct db *db, const char *sql, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, sql, &query, err);

	return r < 0 ? r : db_run(query, err);
}

int catalog_recount(struct catalog *catalog, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	/* nearly always they are right: nobody waits for a look */
	int r = is_wrong(catalog, err);

	if (r <= 0)
		return r;
	r = catalog_begin(catalog, &txn, err);
	if (r == 0)
		r = run(catalog->db,
			"UPDATE total SET objects = " OBJECTS ", object_count = " COUNT
			", reserved = " RESERVED ", complete = " COMPLETE,
			err);
	if (r == 0)
		r = run(catalog->db, "DELETE FROM share", err);
	if (r == 0)
		r = run(catalog->db,
			"INSERT INTO share SELECT uid, sum(bytes) FROM (" ON_SHARES
			") GROUP BY uid",
			err);
	if (r == 0)
		r = catalog_commit(&txn, err);
	return r < 0 ? r : 1;
}
