/* The catalog's account of shares: what came for whom. */
#include "base/cleanup.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>

#define PAGE 64

/* One number, about ?1. */
static int read_number(
	struct db *db, const char *sql, uid_t uid, const char *text, uint64_t *ret, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, sql, &query, err);

	if (r < 0)
		return r;
	db_bind_int(query, 1, uid);
	if (text)
		db_bind_text(query, 2, text);
	r = db_step(query, err);
	if (r < 0)
		return r;
	*ret = r > 0 ? (uint64_t)db_int(query, 0) : 0;
	return 0;
}

int catalog_read_share(
	struct db *db, uid_t uid, const char *partial, uint64_t *ret, struct err *err)
{
	return read_number(db,
		"SELECT ifnull((SELECT bytes FROM share WHERE uid = ?1), 0) - ifnull("
		"	(SELECT bytes FROM reservation WHERE partial = ?2 AND uid = ?1), 0)",
		uid, partial, ret, err);
}

int catalog_share(struct catalog *catalog, uid_t uid, uint64_t *ret, struct err *err)
{
	WITH_CATALOG(catalog);

	return read_number(
		catalog->db, "SELECT bytes FROM share WHERE uid = ?1", uid, NULL, ret, err);
}

int catalog_share_held(struct catalog *catalog, uid_t uid, uint64_t *ret, struct err *err)
{
	WITH_CATALOG(catalog);

	/* by what is held, of which there is less than of objects */
	return read_number(catalog->db,
		"SELECT ifnull(sum(bytes + twin_bytes + tree_bytes), 0) FROM object WHERE digest IN"
		" (SELECT digest FROM lease UNION"
		"  SELECT digest FROM entry WHERE pinned AND digest IS NOT NULL) AND +uid = ?1",
		uid, NULL, ret, err);
}

int catalog_share_of(
	struct catalog *catalog, const struct digest *digest, uid_t *ret, struct err *err)
{
	struct catalog_file file = {.uid = 0};
	int r = catalog_file(catalog, digest, false, &file, err);

	*ret = file.uid;
	return r == -ENOENT ? 0 : r;
}

struct share {
	uid_t uid;
	uint64_t bytes;
};

static int read_shares(struct catalog *catalog, int64_t after, struct share *ret, size_t *ret_count,
	struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT uid, bytes FROM share WHERE uid > ?1 AND bytes > 0 ORDER BY uid LIMIT ?2",
		&query, err);

	*ret_count = 0;
	if (r < 0)
		return r;
	db_bind_int(query, 1, after);
	db_bind_int(query, 2, PAGE);
	while ((r = db_step(query, err)) > 0)
		ret[(*ret_count)++] = (struct share){
			.uid = (uid_t)db_int(query, 0), .bytes = (uint64_t)db_int(query, 1)};
	return r;
}

int catalog_shares(struct catalog *catalog, catalog_visit_share *visit, void *arg, struct err *err)
{
	struct share page[PAGE];
	int64_t after = 0;
	size_t count;

	do {
		int r = read_shares(catalog, after, page, &count, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < count; i++) {
			r = visit(page[i].uid, page[i].bytes, arg);
			if (r != 0)
				return r;
			after = page[i].uid;
		}
	} while (count == PAGE);
	return 0;
}
