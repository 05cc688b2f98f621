#include "cache/catalog.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cache/ballast.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <stdlib.h>

static int attach(struct catalog *catalog, struct err *err)
{
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	/* what nobody can write is as it is */
	int r = catalog->dir->read_only ? 0 : cachedir_lock_writer(catalog->dir, &writer);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "lock the index: %m")
		     : catalog_attach(catalog, err);
}

int catalog_open(const struct cachedir *dir, struct catalog **ret, struct err *err)
{
	struct catalog *catalog = calloc(1, sizeof(*catalog));
	int r;

	if (!catalog)
		return err_oom(err);
	catalog->dir = dir;
	pthread_mutex_init(&catalog->mu, NULL);
	pthread_mutex_init(&catalog->log_mu, NULL);
	r = journal_new(dir, &catalog->journal, err);
	if (r == 0)
		r = attach(catalog, err);
	if (r == 0)
		r = touches_new(catalog, &catalog->touches, err);
	if (r == 0)
		r = recall_new(&catalog->recall, err);
	if (r < 0) {
		catalog_close(catalog);
		return r;
	}
	*ret = catalog;
	return 0;
}

int catalog_bound_log(struct catalog *catalog, uint64_t bytes, struct err *err)
{
	WITH_CATALOG(catalog);

	catalog->log_bytes = bytes;
	return db_bound_log(catalog->db, bytes, err);
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	touches_free(catalog->touches);
	recall_free(catalog->recall);
	/* what this process found last is not left to the next one to find again */
	if (catalog->db)
		catalog_follow(catalog);
	catalog_detach(catalog);
	journal_free(catalog->journal);
	pthread_mutex_destroy(&catalog->log_mu);
	pthread_mutex_destroy(&catalog->mu);
	free(catalog);
}

/* ---- transactions ---- */

int catalog_begin(struct catalog *catalog, struct catalog_txn *ret, struct err *err)
{
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	int r = cachedir_lock_writer(catalog->dir, &writer);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the index: %m");
	pthread_mutex_lock(&catalog->mu);
	r = catalog_follow_locked(catalog, err);
	if (r == 0)
		r = db_begin(catalog->db, err);
	if (r < 0) {
		pthread_mutex_unlock(&catalog->mu);
		return r;
	}
	*ret = (struct catalog_txn){.catalog = catalog, .writer = lock_steal(&writer)};
	return 0;
}

bool catalog_made_way(const struct catalog *catalog, int r)
{
	return r == -ENOSPC && ballast_give_up(catalog->dir);
}

void catalog_rollback(struct catalog_txn *txn)
{
	if (!txn->catalog)
		return;
	db_rollback(txn->catalog->db);
	journal_drop(txn->catalog->journal);
	pthread_mutex_unlock(&txn->catalog->mu);
	lock_release(&txn->writer);
	txn->catalog = NULL;
}

int catalog_commit(struct catalog_txn *txn, struct err *err)
{
	int r = journal_write(txn->catalog->journal, err);
	bool is_long;

	if (r == 0) {
		r = db_commit(txn->catalog->db, err);
		if (r < 0)
			journal_take_back(txn->catalog->journal);
	}
	if (r < 0)
		return r; /* the end of its scope rolls it back */
	is_long = db_log_is_long(txn->catalog->db);
	pthread_mutex_unlock(&txn->catalog->mu);
	if (is_long)
		catalog_empty_log(txn->catalog);
	lock_release(&txn->writer);
	txn->catalog = NULL;
	return 0;
}

int catalog_commit_visible(struct catalog_txn *txn, struct err *err)
{
	const struct cachedir *dir = txn->catalog->dir;
	int r = catalog_commit(txn, err);

	if (r == 0)
		cachedir_changed(dir);
	return r;
}
