/* What is pinned stays, from the moment on in which that is said. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>

/* So often it may be replaced while it is pinned. */
#define PIN_TRIES 16

/* Pin the entry if it is of @digest (-EAGAIN: not any more). NULL: unpin it, whatever it is of. */
static int try_to_put(struct catalog *catalog, const struct entry_key *key,
	const struct digest *digest, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct db_query *query = NULL;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0)
		r = db_query(catalog->db,
			digest ? "UPDATE entry SET pinned = 1"
				 " WHERE key = ?1 AND state = 1 AND digest = ?2"
			       : "UPDATE entry SET pinned = 0 WHERE key = ?1",
			&query, err);
	if (r < 0)
		return r;
	db_bind_blob(query, 1, key->bytes, sizeof(key->bytes));
	if (digest)
		db_bind_blob(query, 2, digest->bytes, sizeof(digest->bytes));
	r = db_run(query, err);
	db_resetp(&query);
	if (r < 0)
		return r;
	if (db_changes(catalog->db) == 0)
		return err_set(err, ERR_SYSTEM, digest ? EAGAIN : ENOENT, "not in the cache");
	journal_pin(catalog->journal, key, digest != NULL);
	return catalog_commit_visible(&txn, err);
}

/* That what was pinned no longer is lets others go: it is recorded on a full disk, too. */
static int put(struct catalog *catalog, const struct entry_key *key, const struct digest *digest,
	struct err *err)
{
	int r = try_to_put(catalog, key, digest, err);

	while (catalog_made_way(catalog, r))
		r = try_to_put(catalog, key, digest, err);
	return r;
}

/* -EAGAIN: it has become another one meanwhile, which an evictor may have looked at before. */
static int pin_what_is_there(struct catalog *catalog, const struct entry_key *key, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	int r = catalog_find(catalog, key, &entry, err);

	if (r < 0)
		return r;
	if (entry.state != ENTRY_COMPLETE)
		return err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
	/* an evictor holds this lock from its last look at the pins until the object is gone */
	r = cachedir_lock_digest(catalog->dir, &entry.digest, LOCK_SHARED, &lock);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the object: %m");
	(void)fault_hit("catalog.pin");
	return put(catalog, key, &entry.digest, err);
}

int catalog_pin(struct catalog *catalog, const struct entry_key *key, bool pinned, struct err *err)
{
	int r = pinned ? -EAGAIN : put(catalog, key, NULL, err);

	for (int i = 0; r == -EAGAIN && i < PIN_TRIES; i++)
		r = pin_what_is_there(catalog, key, err);
	return r;
}
