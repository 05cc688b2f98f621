#include "cache/catalog.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <stdlib.h>

/* Make a fresh index, or bring an older one up to date, in place. */
static int make_schema(struct catalog *catalog, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	if (r == 0) /* which looks again: somebody may have made it in the meantime */
		r = catalog_schema_make(catalog->db, err);
	return r < 0 ? r : catalog_commit(&txn, err);
}

static int open_database(struct catalog *catalog, struct err *err)
{
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", catalog->dir->path);
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	int64_t version;
	int r;

	if (!path)
		return err_oom(err);
	/* switching a fresh file to WAL needs it alone; two processes at once would fail there */
	r = cachedir_lock_writer(catalog->dir, &writer);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the index: %m");
	r = db_open(path, &catalog->db, err);
	lock_release(&writer);
	if (r == 0)
		r = catalog_schema_version(catalog->db, &version, err);
	if (r == 0 && version < CATALOG_SCHEMA)
		r = make_schema(catalog, err);
	if (r == -EBADMSG)
		return err_set(err, ERR_INTEGRITY, EBADMSG, CACHEDIR_DAMAGED("index.db"),
			catalog->dir->path);
	if (r < 0)
		return err_context(err, "open %s", path);
	if (version > CATALOG_SCHEMA)
		return err_set(err, ERR_USAGE, ENOTSUP,
			"%s was made by a newer fetchfs (schema %lld, this one knows %d)", path,
			(long long)version, CATALOG_SCHEMA);
	return 0;
}

int catalog_open(const struct cachedir *dir, struct catalog **ret, struct err *err)
{
	struct catalog *catalog = calloc(1, sizeof(*catalog));
	int r;

	if (!catalog)
		return err_oom(err);
	catalog->dir = dir;
	pthread_mutex_init(&catalog->mu, NULL);
	r = open_database(catalog, err);
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
	WITH_LOCK(&catalog->mu);

	return db_bound_log(catalog->db, bytes, err);
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	touches_free(catalog->touches);
	recall_free(catalog->recall);
	db_close(catalog->db);
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
	r = db_begin(catalog->db, err);
	if (r < 0) {
		pthread_mutex_unlock(&catalog->mu);
		return r;
	}
	*ret = (struct catalog_txn){.catalog = catalog, .writer = lock_steal(&writer)};
	return 0;
}

void catalog_rollback(struct catalog_txn *txn)
{
	if (!txn->catalog)
		return;
	db_rollback(txn->catalog->db);
	pthread_mutex_unlock(&txn->catalog->mu);
	lock_release(&txn->writer);
	txn->catalog = NULL;
}

int catalog_commit(struct catalog_txn *txn, struct err *err)
{
	int r = db_commit(txn->catalog->db, err);

	if (r < 0)
		return r; /* the end of its scope rolls it back */
	pthread_mutex_unlock(&txn->catalog->mu);
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
