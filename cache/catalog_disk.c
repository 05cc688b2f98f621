/*
 * The catalog's account of the disk, beside that of the limit: what is promised and not yet written
 * will go from what is free now. Reckoned where it is promised, in one transaction, or two who ask
 * at the same time had the same room.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"
#include "cache/pending.h"

#include <errno.h>
#include <sys/statvfs.h>

/* So often for a moment in which nothing is written. */
#define LOOKS 4

static int read_free(const struct catalog *catalog, uint64_t *ret, struct err *err)
{
	struct statvfs fs;

	if (fstatvfs(catalog->dir->fd, &fs) < 0)
		return err_set(err, ERR_SYSTEM, errno, "file system of the cache: %m");
	*ret = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

/* Of all reservations, or, if there is a wish, as they are when it is granted. */
static int sum_up(
	const struct catalog *catalog, const struct room_wish *wish, uint64_t *ret, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	uint64_t before = 0;
	uint64_t own = 0;
	uint64_t sum = 0;
	int r = db_query(catalog->db, "SELECT partial, bytes FROM reservation", &query, err);

	if (r < 0)
		return r;
	while ((r = db_step(query, err)) > 0) {
		const char *partial = db_text(query, 0);
		uint64_t bytes = (uint64_t)db_int(query, 1);

		if (!partial)
			return db_damaged(catalog->db, "a damaged reservation", err);
		if (wish && str_equal(partial, wish->partial))
			before = bytes;
		else
			sum += pending_of(catalog->dir, partial, bytes);
	}
	if (wish) {
		own = pending_of(catalog->dir, wish->partial, wish->bytes);
		before = wish->bytes > before ? wish->bytes - before : 0;
	}
	*ret = sum + (own > before ? own : before);
	return r;
}

/*
 * What is written between the two looks counts twice, never not at all; so of several results the
 * least is true.
 */
static int find_missing(const struct catalog *catalog, const struct room_wish *wish,
	uint64_t keep_free, uint64_t *ret, struct err *err)
{
	uint64_t missing = UINT64_MAX;
	uint64_t before;
	uint64_t pending = 0;
	int i = 0;

	do {
		uint64_t free_bytes;
		int r;

		before = pending;
		r = sum_up(catalog, wish, &pending, err);
		if (r == 0)
			r = read_free(catalog, &free_bytes, err);
		if (r < 0)
			return r;
		if (free_bytes >= keep_free + pending)
			missing = 0;
		else if (missing > keep_free + pending - free_bytes)
			missing = keep_free + pending - free_bytes;
	} while (missing > 0 && pending != before && ++i < LOOKS);
	*ret = missing;
	return 0;
}

int catalog_lacks_disk(struct catalog *catalog, const struct room_wish *wish, uint64_t others,
	uint64_t *ret, struct err *err)
{
	uint64_t free_bytes;
	int r = read_free(catalog, &free_bytes, err);

	*ret = 0;
	/* as a rule there is enough, whatever of it has been written */
	if (r < 0 || free_bytes >= wish->keep_free + others + wish->bytes)
		return r;
	return find_missing(catalog, wish, wish->keep_free, ret, err);
}

int catalog_missing_on_disk(
	struct catalog *catalog, uint64_t keep_free, uint64_t *ret, struct err *err)
{
	WITH_CATALOG(catalog);

	return find_missing(catalog, NULL, keep_free, ret, err);
}
