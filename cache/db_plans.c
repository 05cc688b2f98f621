/* How SQLite goes about the statements that were used. */
#include "cache/db_private.h"

static int explain(struct db *db, const char *sql, db_visit_step *visit, void *arg, struct err *err)
{
	char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *stmt = NULL;
	int code = text ? sqlite3_prepare_v2(db->handle, text, -1, &stmt, NULL) : SQLITE_NOMEM;

	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW)
			visit(sql, (const char *)sqlite3_column_text(stmt, 3), arg);
	}
	sqlite3_finalize(stmt);
	sqlite3_free(text);
	return code == SQLITE_DONE ? 0 : db_fail(db->handle, code, err);
}

int db_plans(struct db *db, db_visit_step *visit, void *arg, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < db->count; i++)
		r = explain(db, db->queries[i].sql, visit, arg, err);
	return r;
}
