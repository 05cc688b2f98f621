/* The catalog's account of space: objects, reservations, and who goes next. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <stdlib.h>

#define PARTIAL_PAGE 64

/* Under the catalog's lock. */
static int read_usage(struct db *db, struct usage *ret, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(
		db, "SELECT objects, object_count, reserved, complete FROM total", &query, err);

	if (r == 0)
		r = db_step(query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return db_damaged(db, "it has lost its totals", err);
	*ret = (struct usage){
		.objects = (uint64_t)db_int(query, 0),
		.object_count = (uint64_t)db_int(query, 1),
		.reserved = (uint64_t)db_int(query, 2),
		.entries = (uint64_t)db_int(query, 3),
	};
	return 0;
}

int catalog_usage(struct catalog *catalog, struct usage *ret, struct err *err)
{
	WITH_CATALOG(catalog);

	return read_usage(catalog->db, ret, err);
}

#define PINNED "SELECT digest FROM entry WHERE pinned AND digest IS NOT NULL"
#define LEASED "SELECT digest FROM lease"
#define SUM_OF(digests)                                                                            \
	"(SELECT ifnull(sum(bytes + twin_bytes + tree_bytes), 0) FROM object"                      \
	" WHERE digest IN (" digests "))"

int catalog_holdings(struct catalog *catalog, struct holdings *ret, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT " SUM_OF(PINNED) ", " SUM_OF(LEASED) ", " SUM_OF(
			PINNED " UNION " LEASED) ", (SELECT ifnull(sum(tree_bytes), 0) FROM object "
						 "WHERE tree_bytes > 0)",
		&query, err);

	if (r == 0)
		r = db_step(query, err);
	if (r < 0)
		return r;
	*ret = (struct holdings){
		.pinned = (uint64_t)db_int(query, 0),
		.leased = (uint64_t)db_int(query, 1),
		.held = (uint64_t)db_int(query, 2),
		.trees = (uint64_t)db_int(query, 3),
	};
	return 0;
}

/* Under the catalog's lock. */
static int read_reservation(struct db *db, const char *partial, uint64_t *ret, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "SELECT bytes FROM reservation WHERE partial = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, partial);
	r = db_step(query, err);
	if (r < 0)
		return r;
	*ret = r > 0 ? (uint64_t)db_int(query, 0) : 0;
	return 0;
}

int catalog_reservation(
	struct catalog *catalog, const char *partial, uint64_t *ret, struct err *err)
{
	WITH_CATALOG(catalog);

	return read_reservation(catalog->db, partial, ret, err);
}

/* ---- changes: in a transaction ---- */

static int put_reservation(struct db *db, const struct room_wish *wish, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db,
		"INSERT INTO reservation (partial, bytes, uid) VALUES (?1, ?2, ?3)"
		" ON CONFLICT (partial) DO UPDATE SET bytes = excluded.bytes, uid = excluded.uid",
		&query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, wish->partial);
	db_bind_int(query, 2, (int64_t)wish->bytes);
	db_bind_int(query, 3, wish->uid);
	return db_run(query, err);
}

static int run_on_digest(
	struct db *db, const char *sql, const struct digest *digest, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, sql, &query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, digest->bytes, sizeof(digest->bytes));
	return db_run(query, err);
}

static int delete_objects(struct db *db, const struct digest *gone, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int r = run_on_digest(db, "DELETE FROM object WHERE digest = ?1", &gone[i], err);

		if (r == 0)
			r = run_on_digest(db,
				"UPDATE entry SET state = 0, digest = NULL WHERE digest = ?1",
				&gone[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t above(uint64_t bytes, uint64_t limit)
{
	return bytes > limit ? bytes - limit : 0;
}

/* Reserve if the sums allow it; *ret says what they lack. */
static int try_reserve(struct catalog *catalog, const struct room_wish *wish,
	struct room_lacking *ret, struct err *err)
{
	struct db *db = catalog->db;
	struct usage usage;
	uint64_t on_disk = 0;
	uint64_t before;
	uint64_t own = 0;
	int r = read_usage(db, &usage, err);

	if (r == 0)
		r = read_reservation(db, wish->partial, &before, err);
	if (r == 0 && wish->uid > 0)
		r = catalog_read_share(db, wish->uid, wish->partial, &own, err);
	if (r == 0)
		r = catalog_lacks_disk(catalog, wish, usage.reserved - before, &on_disk, err);
	if (r < 0)
		return r;
	*ret = (struct room_lacking){
		.of_all = above(usage.objects + usage.reserved - before + wish->bytes, wish->limit),
		.of_share = wish->uid > 0 ? above(own + wish->bytes, wish->share) : 0,
		.on_disk = on_disk,
	};
	return room_is_lacking(ret) ? 0 : put_reservation(db, wish, err);
}

static int exchange(struct catalog *catalog, const struct digest *gone, size_t count,
	const struct room_wish *wish, struct room_lacking *ret, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct room_lacking lacking = {0};
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = delete_objects(catalog->db, gone, count, err);
	if (r == 0 && wish)
		r = try_reserve(catalog, wish, &lacking, err);
	if (r == 0)
		r = count > 0 ? catalog_commit_visible(&txn, err) : catalog_commit(&txn, err);
	if (r < 0)
		return r;
	if (room_is_lacking(&lacking)) {
		*ret = lacking;
		return err_set(err, ERR_SPACE, ENOSPC, "cache full");
	}
	return 0;
}

int catalog_exchange(struct catalog *catalog, const struct digest *gone, size_t count,
	const struct room_wish *wish, struct room_lacking *ret, struct err *err)
{
	struct room_lacking lacking = {0};
	int r = exchange(catalog, gone, count, wish, &lacking, err);

	while (count > 0 && !room_is_lacking(&lacking) && catalog_made_way(catalog, r))
		r = exchange(catalog, gone, count, wish, &lacking, err);
	if (ret && room_is_lacking(&lacking))
		*ret = lacking;
	return r;
}

int catalog_reserve(struct catalog *catalog, const struct room_wish *wish, struct room_lacking *ret,
	struct err *err)
{
	return catalog_exchange(catalog, NULL, 0, wish, ret, err);
}

int catalog_object_gone(struct catalog *catalog, const struct digest *digest, struct err *err)
{
	return catalog_exchange(catalog, digest, 1, NULL, NULL, err);
}

int catalog_end_reservation(struct db *db, const char *partial, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "DELETE FROM reservation WHERE partial = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, partial);
	return db_run(query, err);
}

static int unreserve(struct catalog *catalog, const char *partial, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = catalog_end_reservation(catalog->db, partial, err);
	return r < 0 ? r : catalog_commit(&txn, err);
}

int catalog_unreserve(struct catalog *catalog, const char *partial, struct err *err)
{
	int r = unreserve(catalog, partial, err);

	while (catalog_made_way(catalog, r))
		r = unreserve(catalog, partial, err);
	return r;
}

/* ---- walks ---- */

struct reservation {
	char *partial;
	uint64_t bytes;
	uid_t uid;
};

struct reservation_page {
	size_t count;
	struct reservation items[PARTIAL_PAGE];
};

static void reservation_page_release(struct reservation_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		free(page->items[i].partial);
	page->count = 0;
}

static int read_reservations(
	struct catalog *catalog, const char *after, struct reservation_page *page, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"SELECT partial, bytes, uid FROM reservation WHERE partial > ?1 ORDER BY partial"
		" LIMIT ?2",
		&query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, after);
	db_bind_int(query, 2, PARTIAL_PAGE);
	while ((r = db_step(query, err)) > 0) {
		struct reservation *item = &page->items[page->count];

		*item = (struct reservation){str_copy(db_text(query, 0)),
			(uint64_t)db_int(query, 1), (uid_t)db_int(query, 2)};
		if (!item->partial)
			return db_text(query, 0)
				       ? err_oom(err)
				       : db_damaged(catalog->db, "a damaged reservation", err);
		page->count++;
	}
	return r;
}

int catalog_partials(
	struct catalog *catalog, catalog_visit_partial *visit, void *arg, struct err *err)
{
	CLEANUP(str_freep) char *after = str_copy("");
	size_t count;

	do {
		CLEANUP(reservation_page_release) struct reservation_page page = {.count = 0};
		int r = after ? read_reservations(catalog, after, &page, err) : err_oom(err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < page.count; i++) {
			const struct reservation *item = &page.items[i];

			r = visit(item->partial, item->bytes, item->uid, arg);
			if (r != 0)
				return r;
		}
		count = page.count;
		if (count > 0) {
			free(after);
			after = str_steal(&page.items[count - 1].partial);
		}
	} while (count == PARTIAL_PAGE);
	return 0;
}
