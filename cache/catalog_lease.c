/* Leases: which objects were handed out to which directory. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE 64

void lease_release(struct lease *lease)
{
	if (!lease)
		return;
	free(lease->directory);
	free(lease->name);
	free(lease->method);
	free(lease->uri);
	*lease = (struct lease){.id = 0};
}

int catalog_put_lease(
	struct catalog *catalog, const struct lease *lease, const char *boot, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		"INSERT INTO lease (id, directory, device, inode, name, method,"
		"	file_inode, digest, since, boot, namespace, mount, uid, uri, key, token,"
		"	expected, born, file_born)"
		" VALUES (?17, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
		"	?15, ?16, ?18, ?19)",
		&query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, lease->directory);
	db_bind_int(query, 2, (int64_t)lease->device);
	db_bind_int(query, 3, (int64_t)lease->inode);
	db_bind_text(query, 4, lease->name);
	db_bind_text(query, 5, lease->method);
	db_bind_int(query, 6, (int64_t)lease->file_inode);
	db_bind_blob(query, 7, lease->digest.bytes, sizeof(lease->digest.bytes));
	db_bind_int(query, 8, lease->since);
	db_bind_text(query, 9, boot);
	db_bind_int(query, 10, (int64_t)lease->mount_space);
	db_bind_int(query, 11, (int64_t)lease->mount);
	db_bind_int(query, 12, lease->uid);
	db_bind_text(query, 13, lease->uri ? lease->uri : "");
	if (lease->has_key)
		db_bind_blob(query, 14, lease->key.bytes, sizeof(lease->key.bytes));
	db_bind_text(query, 15, *lease->token ? lease->token : NULL);
	if (lease->has_expected)
		db_bind_blob(query, 16, lease->expected.bytes, sizeof(lease->expected.bytes));
	if (lease->id > 0)
		db_bind_int(query, 17, lease->id);
	db_bind_int(query, 18, lease->born);
	db_bind_int(query, 19, lease->file_born);
	return db_run(query, err);
}

/* What is there already, the lease is of at once: a trigger sees to that. */
static int read_bound(struct db *db, int64_t id, struct digest *ret, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db, "SELECT digest FROM lease WHERE id = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_int(query, 1, id);
	r = db_step(query, err);
	if (r > 0 && !db_blob(query, 0, ret->bytes, sizeof(ret->bytes)))
		return db_damaged(db, "a damaged lease", err);
	return r < 0 ? r : 0;
}

static int add_one(struct catalog *catalog, struct lease *lease, struct err *err)
{
	int r;

	lease->id = 0;
	r = catalog_put_lease(catalog, lease, catalog->dir->boot_id, err);
	if (r < 0)
		return r;
	lease->id = db_inserted(catalog->db);
	r = read_bound(catalog->db, lease->id, &lease->digest, err);
	if (r == 0)
		journal_lease(catalog->journal, lease, catalog->dir->boot_id);
	return r;
}

int catalog_lease_add(struct catalog *catalog, struct lease *leases, size_t count, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	int r = catalog_begin(catalog, &txn, err);

	for (size_t i = 0; i < count && r == 0; i++)
		r = add_one(catalog, &leases[i], err);
	return r < 0 ? r : catalog_commit(&txn, err);
}

static int drop_one(struct catalog *catalog, int64_t id, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db, "DELETE FROM lease WHERE id = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_int(query, 1, id);
	r = db_run(query, err);
	if (r < 0)
		return r;
	if (db_changes(catalog->db) == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "no lease %lld", (long long)id);
	journal_lease_gone(catalog->journal, id);
	return 0;
}

static int drop(struct catalog *catalog, const int64_t *ids, size_t count, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	struct err absent = ERR_INIT;
	int r = catalog_begin(catalog, &txn, err);

	for (size_t i = 0; i < count && r == 0; i++) {
		struct err one = ERR_INIT;

		r = drop_one(catalog, ids[i], &one);
		if (r == -ENOENT) {
			absent = one;
			r = 0;
		} else if (r < 0 && err) {
			*err = one;
		}
	}
	if (r == 0)
		r = catalog_commit(&txn, err);
	if (r == 0 && absent.code && err)
		*err = absent;
	return r < 0 ? r : -absent.code;
}

int catalog_lease_drop(struct catalog *catalog, const int64_t *ids, size_t count, struct err *err)
{
	int r = drop(catalog, ids, count, err);

	while (catalog_made_way(catalog, r))
		r = drop(catalog, ids, count, err);
	return r;
}

struct lease_page {
	size_t count;
	struct lease items[PAGE];
};

static void lease_page_release(struct lease_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		lease_release(&page->items[i]);
	page->count = 0;
}

static int read_lease(
	const struct catalog *catalog, struct db_query *query, struct lease *ret, struct err *err)
{
	struct lease lease = {
		.id = db_int(query, 0),
		.directory = str_copy(db_text(query, 1)),
		.device = (uint64_t)db_int(query, 2),
		.inode = (uint64_t)db_int(query, 3),
		.name = str_copy(db_text(query, 4)),
		.method = str_copy(db_text(query, 5)),
		.file_inode = (uint64_t)db_int(query, 6),
		.since = db_int(query, 8),
		.of_this_boot = str_equal(db_text(query, 9), catalog->dir->boot_id),
		.mount_space = (uint64_t)db_int(query, 10),
		.mount = (uint64_t)db_int(query, 11),
		.uid = db_int(query, 12),
		.uri = str_copy(db_text(query, 13)),
		.born = db_int(query, 17),
		.file_born = db_int(query, 18),
	};

	if (!db_text(query, 1) || !db_text(query, 4) || !db_text(query, 5) || !db_text(query, 13) ||
		!db_blob(query, 7, lease.digest.bytes, sizeof(lease.digest.bytes))) {
		lease_release(&lease);
		return db_damaged(catalog->db, "a damaged lease", err);
	}
	if (!lease.directory || !lease.name || !lease.method || !lease.uri) {
		lease_release(&lease);
		return err_oom(err);
	}
	lease.has_key = db_blob(query, 14, lease.key.bytes, sizeof(lease.key.bytes));
	lease.has_expected = db_blob(query, 16, lease.expected.bytes, sizeof(lease.expected.bytes));
	if (db_text(query, 15))
		str_fit(lease.token, sizeof(lease.token), db_text(query, 15));
	*ret = lease;
	return 0;
}

#define LEASE_SELECT                                                                               \
	"SELECT id, directory, device, inode, name, method, file_inode, digest, since, "           \
	"boot, namespace, mount, uid, uri, key, token, expected, born, file_born "                 \
	"FROM lease"

int catalog_lease_find(
	struct catalog *catalog, const char *token, struct lease *ret, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db, LEASE_SELECT " WHERE token = ?1", &query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, token);
	r = db_step(query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "no such lease (any more)");
	return read_lease(catalog, query, ret, err);
}

/* Which leases. */
struct lease_filter {
	uint64_t device;  /* 0: whatever it is */
	uint64_t inode;   /* 0: all */
	const char *path; /* or those of this path; NULL: none */
};

static int query_leases(struct catalog *catalog, const struct lease_filter *filter,
	struct db_query **ret, struct err *err)
{
	int r;

	if (!filter->inode && !filter->path)
		return db_query(
			catalog->db, LEASE_SELECT " WHERE id > ?1 ORDER BY id LIMIT ?2", ret, err);
	r = db_query(catalog->db,
		LEASE_SELECT " WHERE (inode = ?3 AND (?4 = 0 OR device = ?4) OR directory = ?5)"
			     " AND id > ?1 ORDER BY id LIMIT ?2",
		ret, err);
	if (r < 0)
		return r;
	db_bind_int(*ret, 3, (int64_t)filter->inode);
	db_bind_int(*ret, 4, (int64_t)filter->device);
	db_bind_text(*ret, 5, filter->path);
	return 0;
}

static int read_leases(struct catalog *catalog, const struct lease_filter *filter, int64_t after,
	struct lease_page *page, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = query_leases(catalog, filter, &query, err);

	if (r < 0)
		return r;
	db_bind_int(query, 1, after);
	db_bind_int(query, 2, PAGE);
	while ((r = db_step(query, err)) > 0) {
		r = read_lease(catalog, query, &page->items[page->count], err);
		if (r < 0)
			break;
		page->count++;
	}
	return r;
}

static int visit_leases(struct catalog *catalog, const struct lease_filter *filter,
	catalog_visit_lease *visit, void *arg, struct err *err)
{
	int64_t after = 0;
	size_t count;

	do {
		CLEANUP(lease_page_release) struct lease_page page = {.count = 0};
		int r = read_leases(catalog, filter, after, &page, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < page.count; i++) {
			r = visit(&page.items[i], arg);
			if (r != 0)
				return r;
			after = page.items[i].id;
		}
		count = page.count;
	} while (count == PAGE);
	return 0;
}

int catalog_leases(struct catalog *catalog, uint64_t device, uint64_t inode,
	catalog_visit_lease *visit, void *arg, struct err *err)
{
	const struct lease_filter filter = {.device = device, .inode = inode};

	return visit_leases(catalog, &filter, visit, arg, err);
}

int catalog_leases_near(struct catalog *catalog, uint64_t inode, const char *path,
	catalog_visit_lease *visit, void *arg, struct err *err)
{
	const struct lease_filter filter = {.inode = inode, .path = path};

	return visit_leases(catalog, &filter, visit, arg, err);
}
