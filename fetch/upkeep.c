/* Looking after a cache: fetchfs_evict(), _pin(), _holdings(), _reconcile(), _settle(), _sweep().
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cache/evict.h"
#include "cache/journal.h"
#include "cache/reconcile.h"
#include "cache/tree.h"
#include "fetch/context.h"
#include "fetch/import.h"
#include "fetch/target.h"

#include <errno.h>

/* ---- letting go ---- */

int fetchfs_evict(struct fetchfs *fetchfs, const struct fetchfs_request *request, struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	struct entry entry;
	struct digest digest;
	int r = target_new(fetchfs, request, &target, err);

	if (r < 0)
		return r;
	r = catalog_find(fetchfs->catalog, &target->key, &entry, err);
	if (r < 0)
		return r;
	digest = entry.digest;
	r = entry.state == ENTRY_COMPLETE ? evict_object(&fetchfs->store, &digest, err) : 0;
	entry_release(&entry);
	if (r < 0 && r != -ENOENT)
		return r;
	/* what somebody has fetched meanwhile stays */
	return catalog_forget(fetchfs->catalog, &target->key, err);
}

int fetchfs_holdings(struct fetchfs *fetchfs, struct fetchfs_holdings *ret, struct err *err)
{
	struct holdings holdings;
	struct usage usage;
	int r = catalog_holdings(fetchfs->catalog, &holdings, err);

	if (r == 0)
		r = catalog_usage(fetchfs->catalog, &usage, err);
	if (r < 0)
		return r;
	*ret = (struct fetchfs_holdings){
		.pinned = holdings.pinned,
		.leased = holdings.leased,
		.evictable = usage.objects > holdings.held ? usage.objects - holdings.held : 0,
		.trees = holdings.trees,
		.per_user = fetchfs->store.share,
	};
	return 0;
}

int fetchfs_shares(struct fetchfs *fetchfs, fetchfs_visit_share *visit, void *arg, struct err *err)
{
	return catalog_shares(fetchfs->catalog, visit, arg, err);
}

/* An evictor may have died between the file and its row. *ret, while it is open, is not evicted. */
static int open_complete(
	struct fetchfs *fetchfs, const struct entry *entry, struct object *ret, struct err *err)
{
	int r = -ENOENT;

	if (entry->state == ENTRY_COMPLETE)
		r = store_open(&fetchfs->store, &entry->digest, entry->executable, ret, err);
	if (r == -ENOENT && entry->state == ENTRY_COMPLETE)
		r = store_open(&fetchfs->store, &entry->digest, !entry->executable, ret, err);
	return r == -ENOENT ? err_set(err, ERR_SYSTEM, ENOENT, "not in the cache") : r;
}

int fetchfs_pin(struct fetchfs *fetchfs, const char *key, bool pinned, struct err *err)
{
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct entry_key entry_key;
	int r;

	if (!str_from_hex(key, sizeof(entry_key.bytes), entry_key.bytes))
		return err_set(err, ERR_USAGE, EINVAL, "no key: %s", key);
	r = catalog_find(fetchfs->catalog, &entry_key, &entry, err);
	if (r == 0 && pinned)
		r = open_complete(fetchfs, &entry, &object, err);
	if (r == 0)
		r = catalog_pin(fetchfs->catalog, &entry_key, pinned, err);
	return r == -ENOENT && !pinned ? 0 : r;
}

int fetchfs_evict_to(struct fetchfs *fetchfs, uint64_t bytes, uint64_t *ret_freed, struct err *err)
{
	return evict_to(&fetchfs->store, bytes, ret_freed, err);
}

int fetchfs_settle(struct fetchfs *fetchfs, struct err *err)
{
	int r = store_settle(&fetchfs->store, err);

	if (r == 0)
		r = journal_compact(&fetchfs->store, true, err);
	/* a journal that has no room to become short stays as it is */
	return r == -ENOSPC ? 0 : r;
}

void fetchfs_sweep(struct fetchfs *fetchfs)
{
	tree_sweep(&fetchfs->store);
	import_sweep(fetchfs);
	partial_sweep(&fetchfs->store);
}

int fetchfs_reconcile(struct fetchfs *fetchfs, struct fetchfs_reconciled *ret, struct err *err)
{
	struct reconciled sum;
	int r = reconcile(&fetchfs->store, &sum, err);

	if (r < 0)
		return r;
	*ret = (struct fetchfs_reconciled){sum.orphans, sum.bytes, sum.missing, sum.recounted};
	return 0;
}
